"""Passwords and second factors: what is refused and why, what is kept, and that nothing shows which accounts exist."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from unittest.mock import Mock
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from argon2 import PasswordHasher, extract_parameters
from pyotp.totp import TOTP

from sync_worker import passwords
from sync_worker.passwords import hash_password, new_totp_secret, problem_with, totp_step, totp_uri, verify
from tests.conftest import MORNING

GOOD = "ferry basalt ninepin omelette"


# ---------------------------------------------------------------- passwords


def test_a_password_is_told_from_every_other_one() -> None:
    hashed = hash_password(GOOD)
    assert verify(GOOD, hashed)
    for other in (GOOD.upper(), GOOD + " ", GOOD[:-1], "", GOOD * 200):
        assert not verify(other, hashed), other
    assert GOOD not in hashed
    assert hash_password(GOOD) != hashed  # two people's same password does not show


def test_what_is_kept_is_argon2id_with_the_librarys_own_strength() -> None:
    hashed = hash_password(GOOD)
    assert hashed.startswith("$argon2id$")
    assert extract_parameters(hashed) == extract_parameters(PasswordHasher().hash("x"))


def test_a_long_password_counts_to_its_last_character() -> None:
    longest = (GOOD * 9)[: passwords.LONGEST]
    hashed = hash_password(longest)
    assert verify(longest, hashed)
    assert not verify(longest[:-1] + "!", hashed)
    assert not verify(longest + "!", hashed)


def test_an_accent_is_the_same_from_every_keyboard() -> None:
    assert verify("cre\u0301me brule\u0301e ninepin", hash_password("cr\u00e9me brul\u00e9e ninepin"))


@pytest.mark.parametrize(
    "typed", ["nul \x00 in a password", "lone surrogate \udcff here", "\N{SHRUG} \N{KOALA} no words"]
)
def test_whatever_is_typed_can_be_hashed(typed: str) -> None:
    assert verify(typed, hash_password(typed))


def test_a_hash_that_was_damaged_lets_nobody_in() -> None:
    for damaged in ("", "x", hash_password(GOOD)[:-5], GOOD):
        assert not verify(GOOD, damaged)


@pytest.fixture
def hasher(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """The library's hasher, which counts its work."""
    counting = Mock(wraps=PasswordHasher())
    monkeypatch.setattr(passwords, "_hasher", counting)
    return counting


def test_an_unknown_name_costs_one_hash_like_a_known_one(hasher: Mock) -> None:
    known = hash_password(GOOD)
    verify(GOOD, known)  # what is made once has been made
    for hashed in (known, None):
        hasher.reset_mock()
        assert verify(GOOD, hashed) is (hashed is not None)
        assert [name for name, _, _ in hasher.mock_calls] == ["verify"]
        assert extract_parameters(hasher.verify.call_args.args[0]) == extract_parameters(known)


def test_what_is_made_once_is_made_whichever_name_comes_first(hasher: Mock) -> None:
    known = hash_password(GOOD)
    for hashed in (known, None):
        passwords._nobodys_hash.cache_clear()
        hasher.reset_mock()
        verify(GOOD, hashed)
        assert [name for name, _, _ in hasher.mock_calls] == ["hash", "verify"]


def test_not_even_the_right_password_opens_an_account_that_there_is_not(hasher: Mock) -> None:
    hasher.verify = Mock(return_value=True)
    assert not verify(GOOD, None)


def test_no_more_than_two_passwords_are_hashed_at_once(hasher: Mock) -> None:
    inside, most, counting, met = 0, 0, threading.Lock(), threading.Event()

    def hash_slowly(_password: bytes) -> str:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
            if inside == passwords.AT_ONCE:
                met.set()
        assert met.wait(10)
        time.sleep(0.02)  # a third one would come in now
        with counting:
            inside -= 1
        return "hash"

    hasher.hash = hash_slowly
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(hash_password, [GOOD] * 6))
    assert most == 2


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "too short"),
        ("bruny7#kqzp", "too short"),
        (GOOD * 9, "too long"),
        (f"{GOOD} Ada.Physio", "account's name"),
        (f"{GOOD} ADA.PHYSIO", "account's name"),
        ("passwordpassword", "easily guessed"),
        ("123456789012345", "easily guessed"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "easily guessed"),
        ("qwertyuiop[]asdf", "easily guessed"),
        ("Physio-Physio-1", "easily guessed"),
        ("a" * 80 + GOOD, "easily guessed"),
    ],
)
def test_a_password_that_will_not_do_is_refused_in_one_sentence_that_does_not_repeat_it(
    password: str, why: str
) -> None:
    problem = problem_with(password, name="ada.physio")
    assert problem is not None
    assert why in problem
    assert problem.endswith(".")
    assert not password or password not in problem


@pytest.mark.parametrize(
    "password", [GOOD, "bruny7#kqzp!", "über die Fähre nach Bruny", "鳥が四羽、木の上で鳴いている朝"]
)
def test_a_password_that_nobody_guesses_will_do(password: str) -> None:
    assert problem_with(password, name="ada.physio") is None


def test_judging_one_persons_password_does_not_weaken_the_next_persons() -> None:
    names = [f"clinician{number}" for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda name: problem_with(GOOD, name=name), names)) == [None] * 8


# ---------------------------------------------------------------- second factors


def test_a_device_that_reads_the_address_makes_codes_that_fit() -> None:
    secret = new_totp_secret()
    uri = urlsplit(totp_uri(secret, "a.physio@example.com", "Example Physiotherapy"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/Example Physiotherapy:a.physio@example.com"
    assert parse_qs(uri.query) == {"secret": [secret], "issuer": ["Example Physiotherapy"]}
    assert totp_step(parse_qs(uri.query)["secret"][0], TOTP(secret).at(MORNING), MORNING) is not None


def test_every_device_gets_a_secret_of_its_own() -> None:
    secrets = {new_totp_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(one) for one in secrets} == {32}  # 160 bits


@pytest.mark.parametrize("steps", [-2, -1, 0, 1, 2])
def test_a_code_fits_its_own_half_minute_and_the_ones_beside_it(steps: int) -> None:
    secret = new_totp_secret()
    code = TOTP(secret).at(MORNING + timedelta(seconds=30 * steps))
    expected = int(MORNING.timestamp()) // 30 + steps
    assert totp_step(secret, code, MORNING) == (expected if abs(steps) <= 1 else None)


def test_a_code_may_be_typed_as_the_device_shows_it() -> None:
    secret = new_totp_secret()
    code = TOTP(secret).at(MORNING)
    for typed in (f"{code[:3]} {code[3:]}", f" {code}\n", f"{code[:3]}\N{NO-BREAK SPACE}{code[3:]}"):
        assert totp_step(secret, typed, MORNING) is not None


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "１２３４５６", "12345\udcff", "-12345", "1e5   "])
def test_what_is_no_code_fits_nothing(typed: str) -> None:
    assert totp_step(new_totp_secret(), typed, MORNING) is None


def test_full_width_digits_are_no_code_even_where_they_would_fit() -> None:
    secret = new_totp_secret()
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in TOTP(secret).at(MORNING))
    assert totp_step(secret, wide, MORNING) is None


def test_one_persons_code_is_no_other_persons() -> None:
    codes = TOTP(new_totp_secret())
    others = [new_totp_secret() for _ in range(20)]
    assert sum(totp_step(other, codes.at(MORNING), MORNING) is not None for other in others) <= 1  # one in 300,000 each
