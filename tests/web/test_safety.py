"""What no page gives away, and what no request can do: headers, cookies, forged forms, guesses, old logins."""

import re

import httpx
import pyotp
import pytest

from sync_worker.records import Role
from sync_worker.web.app import ADDRESSES, SAFETY
from tests.web.house import PASSWORD, House, forms_of

MINUTE = 60.0


# ---------------------------------------------------------------- headers and cookies


def test_every_answer_carries_the_safety_headers(house: House) -> None:
    reception = house.person(Role.DESK)
    answers = [reception.client.get(one.path.replace("{entry}", "1")) for one in ADDRESSES if one.method == "GET"]
    answers += [reception.client.post(one.path.replace("{entry}", "1")) for one in ADDRESSES if one.method == "POST"]
    answers += [reception.client.get(path) for path in ("/static/style.css", "/nothing", "/review/x", "/review/999")]
    answers += [reception.client.get("/", headers={"Host": "evil.example"}), reception.client.put("/review")]
    for answer in answers:
        for name, value in SAFETY.items():
            assert answer.headers[name] == value, (answer.request.url, name)
        assert "server" not in answer.headers
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_a_login_s_cookie_is_out_of_reach_of_scripts_and_of_other_sites(house: House) -> None:
    house.an_account("reception", Role.DESK)
    somebody = house.somebody()
    somebody.get("/login")
    [form] = forms_of(somebody.page)
    sent = form.fields | {"name": "reception", "password": PASSWORD}
    answer = somebody.client.post("/login", data=sent, headers={"Origin": house.url})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("sync_worker=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie


def test_no_script_and_no_other_host_is_in_any_page(house: House) -> None:
    house.a_question()
    ada = house.person(Role.CLINICIAN)
    for path in ("/", "/review", "/review/1", "/history", "/connect", "/login"):
        text = ada.get(path).text
        assert "<script" not in text
        assert "javascript:" not in text
        assert not re.search(r'(?:src|href)="(?:https?:)?//(?!127\.0\.0\.1)(?![^"]*\.cliniko\.com/)', text), path
        assert not re.search(r"<[^>]+\son[a-z]+=", text)
        assert not re.search(r"<[^>]+\sstyle=", text)


# ---------------------------------------------------------------- forged forms


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "OWN", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
def test_a_form_from_elsewhere_changes_nothing(house: House, headers: dict[str, str]) -> None:
    house.a_question()
    ada = house.person(Role.CLINICIAN)
    ada.get("/review/1")
    headers = {name: value.replace("OWN", house.url) for name, value in headers.items()}
    for one in ADDRESSES:
        if one.method == "POST":
            sent = {"csrf": ada.csrf, "seen": "1", "code": "duplicate", "clinician": ""}
            answer = ada.client.post(one.path.replace("{entry}", "1"), data=sent, headers=headers)
            assert answer.status_code == 403, one.path
    assert house.waiting() == [1]
    assert ada.get("/").url.path == "/"  # not even logged out


@pytest.mark.parametrize("token", ["", "wrong", "other"])
def test_a_form_without_its_token_changes_nothing(house: House, token: str) -> None:
    house.a_question()
    ada, reception = house.person(Role.CLINICIAN), house.person(Role.DESK)
    reception.get("/")
    token = reception.csrf if token == "other" else token
    for one in ADDRESSES:
        if one.method == "POST":
            answer = ada.send(one.path.replace("{entry}", "1"), csrf=token, seen="1", code="duplicate")
            assert answer.status_code == 403, one.path
    assert house.waiting() == [1]


def test_looking_changes_nothing(house: House) -> None:
    house.a_question()
    ada = house.person(Role.CLINICIAN)
    before = house.pages.row(1)
    for one in ADDRESSES:
        if one.method == "POST":
            assert ada.client.get(one.path.replace("{entry}", "1")).status_code in (200, 303, 404, 405)
    assert house.pages.row(1) == before
    assert ada.get("/").url.path == "/"


def test_a_form_that_is_too_large_or_no_form_is_refused(house: House) -> None:
    ada = house.person(Role.CLINICIAN)
    headers = {"Origin": house.url, "Sec-Fetch-Site": "same-origin"}
    large = ada.client.post("/pause", content=b"a=" + b"x" * 100_000, headers=headers | FORM)
    assert large.status_code == 413
    assert ada.client.post("/pause", json={"a": 1}, headers=headers).status_code == 415
    many = "&".join(f"a{number}=1" for number in range(100))
    assert ada.client.post("/pause", content=many, headers=headers | FORM).status_code == 400


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_another_host_s_name_reaches_no_page(house: House) -> None:
    answer = httpx.get(f"{house.url}/login", headers={"Host": "rebound.example"})
    assert answer.status_code == 421


@pytest.mark.parametrize("given", ["", "abc", "1 OR 1=1", "١٢٣", "-1", "1" * 21, "1&x=<b>", "<script>"])
def test_a_patient_s_number_is_digits_or_a_clear_refusal(house: House, given: str) -> None:
    reception = house.person(Role.DESK)
    answer = reception.client.get("/patients", params={"patient_id": given})
    assert answer.status_code == 400
    assert "patient_id must be the number of a Cliniko chart" in answer.text


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_the_login_leads_to_pages_of_ours_only(house: House, wanted: str) -> None:
    house.an_account("reception", Role.DESK)
    somebody = house.somebody()
    somebody.client.get("/login", params={"next": wanted})
    somebody.page = somebody.client.get("/login", params={"next": wanted})
    answer = somebody.press("Log in", name="reception", password=PASSWORD, next=wanted)
    assert str(answer.url) == f"{house.url}/"


# ---------------------------------------------------------------- guessing


def test_an_unknown_name_and_a_wrong_password_are_answered_alike(house: House) -> None:
    house.an_account("reception", Role.DESK)
    known, unknown = house.somebody(), house.somebody()
    one = known.log_in("reception", "wrong password here")
    other = unknown.log_in("nobody", "wrong password here")
    assert one.status_code == other.status_code == 403
    assert _without_tokens(one.text) == _without_tokens(other.text)


def test_a_disabled_account_is_answered_like_a_wrong_password(house: House) -> None:
    house.an_account("reception", Role.DESK)
    house.an_account("former", Role.DESK)
    from sync_worker.ledger.accounts import Accounts

    Accounts(house.clinic.ledger.engine).disable("former", house.clinic.clock.now())
    wrong = house.somebody().log_in("reception", "wrong password here")
    disabled = house.somebody().log_in("former")
    assert _without_tokens(wrong.text) == _without_tokens(disabled.text)


@pytest.mark.parametrize("name", ["reception", "nobody"])
def test_the_sixth_try_within_a_minute_is_refused_for_a_name_that_exists_and_for_one_that_does_not(
    house: House, name: str
) -> None:
    house.an_account("reception", Role.DESK)
    somebody = house.somebody()
    answers = [somebody.log_in(name, "wrong password here") for _ in range(6)]
    assert [one.status_code for one in answers] == [403] * 5 + [429]
    house.clinic.clock.advance(MINUTE)
    assert somebody.log_in("reception").url.path == "/"


def test_a_whole_practice_behind_one_address_comes_to_work_within_a_minute(house: House) -> None:
    for number in range(8):
        house.an_account(f"staff{number}", Role.DESK)
        assert house.somebody().log_in(f"staff{number}").url.path == "/"


def test_whoever_guesses_at_codes_gives_the_password_again_and_keeps_nobody_else_out(house: House) -> None:
    house.an_account("owner", Role.ADMIN, second_factor=True)
    guesser = house.somebody()
    guesser.log_in("owner")
    for _ in range(5):
        assert guesser.press("Go on", code="000000").status_code == 403
    assert guesser.press("Go on", code="000000").status_code == 429
    assert guesser.get("/review").url.path == "/login"


def test_who_presses_a_button_after_their_login_ended_is_told_that_nothing_was_done(house: House) -> None:
    entry = house.a_question()
    reception = house.person(Role.DESK)
    reception.get(f"/review/{entry}")
    house.clinic.clock.advance(31 * MINUTE)
    answer = reception.press("Try again")
    assert "Your login had ended, so nothing was done." in answer.text
    assert reception.press("Log in", name="reception", password=PASSWORD).url.path == f"/review/{entry}"


def test_the_address_of_a_form_leads_back_to_its_entry(house: House) -> None:
    entry = house.a_question()
    reception = house.person(Role.DESK)
    assert reception.get(f"/review/{entry}/search").url.path == f"/review/{entry}"


def _without_tokens(text: str) -> str:
    return re.sub(r'value="[^"]*"', "", text)


# ---------------------------------------------------------------- the life of a login


def test_a_login_ends_after_half_an_hour_of_rest(house: House) -> None:
    reception = house.person(Role.DESK)
    house.clinic.clock.advance(29 * MINUTE)
    assert reception.get("/review").url.path == "/review"
    house.clinic.clock.advance(31 * MINUTE)
    assert reception.get("/review").url.path == "/login"


def test_a_login_ends_after_twelve_hours_of_work(house: House) -> None:
    reception = house.person(Role.DESK)
    for _ in range(35):
        house.clinic.clock.advance(20 * MINUTE)
        assert reception.get("/history").url.path == "/history"
    house.clinic.clock.advance(21 * MINUTE)
    assert reception.get("/history").url.path == "/login"


def test_logging_out_ends_the_login_on_the_server(house: House) -> None:
    reception = house.person(Role.DESK)
    kept = dict(reception.client.cookies)
    reception.get("/")
    reception.press("Log out")
    stolen = httpx.get(f"{house.url}/review", cookies=kept)
    assert stolen.status_code == 303


def test_a_login_has_a_new_id_and_one_that_was_fixed_before_is_worth_nothing(house: House) -> None:
    house.an_account("reception", Role.DESK)
    somebody = house.somebody()
    somebody.client.cookies.set("sync_worker", "fixed")
    somebody.log_in("reception")
    values = [cookie.value for cookie in somebody.client.cookies.jar if cookie.name == "sync_worker"]
    assert "fixed" not in values or len(values) == 2
    assert httpx.get(f"{house.url}/review", cookies={"sync_worker": "fixed"}).status_code == 303


def test_a_second_factor_is_enrolled_at_the_first_login_and_asked_for_from_then_on(house: House) -> None:
    house.an_account("owner", Role.ADMIN, second_factor=True)
    owner = house.somebody()
    owner.log_in("owner", path="/review")
    assert owner.page.url.path == "/second-factor"
    assert owner.get("/review").url.path == "/second-factor"  # nothing else opens meanwhile
    secret = re.sub(r"\s", "", re.search(r"into the app: <code>([A-Z2-7 ]+)</code>", owner.page.text)[1])  # type: ignore[index]
    assert owner.press("Go on", code="000000").status_code == 403
    code = pyotp.TOTP(secret).at(house.clinic.clock.now())
    owner.get("/second-factor")
    assert owner.press("Go on", code=code).url.path == "/"
    again = house.somebody()
    again.log_in("owner")
    assert "into the app" not in again.page.text
    assert again.press("Go on", code=code).status_code == 403  # it was used
    house.clinic.clock.advance(31)
    again.get("/second-factor")
    assert again.press("Go on", code=pyotp.TOTP(secret).at(house.clinic.clock.now())).url.path == "/"
