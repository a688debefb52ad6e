"""Passwords and second factors: made, judged and compared, without knowing whose they are.

Owns how a password is hashed (argon2id), which ones are refused, and how a code of a device is read (TOTP). It stores
nothing, asks nobody outside, and repeats neither a password nor a code in what it says. That a code is taken once only
is the ledger's business.
"""

import re
import unicodedata
from datetime import datetime
from functools import cache
from threading import BoundedSemaphore, Lock

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from pyotp import random_base32
from pyotp.totp import TOTP
from zxcvbn import zxcvbn

SHORTEST, LONGEST = 12, 256
AT_ONCE = 2
"""Hashes at the same time: each takes 64 MiB, and whoever floods the login must not get more than that."""

_SAFE = 3
"""zxcvbn's score from which on guessing a password takes 10^8 tries."""
_JUDGED = 72
"""Characters that zxcvbn looks at: its time grows faster than the password."""
_CODE = re.compile(r"[0-9]{6}")

_hasher = PasswordHasher()
_hashing = BoundedSemaphore(AT_ONCE)
_judging = Lock()  # zxcvbn keeps the words that it is given in a table of the whole process


def hash_password(password: str) -> str:
    """Hash a password to keep."""
    with _hashing:
        return _hasher.hash(_bytes(password))


def verify(password: str, hashed: str | None) -> bool:
    """Say whether this is the password that was hashed.

    None stands for an account that there is not: it takes the same time, so that nobody learns which names there are.
    """
    nobody = _nobodys_hash()  # asked for in either case: making it takes time as well, once
    matches = _matches(password[:LONGEST], nobody if hashed is None else hashed)
    return matches and hashed is not None and len(password) <= LONGEST


def problem_with(password: str, *, name: str) -> str | None:
    """Say in one sentence why a password is refused for the account of this name; None if it will do."""
    if len(password) < SHORTEST:
        return f"The password is too short: choose one of {SHORTEST} characters or more, such as four words."
    if len(password) > LONGEST:
        return f"The password is too long: choose one of {LONGEST} characters or fewer."
    if name.casefold() in password.casefold():
        return "The password holds the account's name: choose one without it."
    if _score(password, name) < _SAFE:
        return "The password is easily guessed: choose another, such as four words that do not belong together."
    return None


def new_totp_secret() -> str:
    """Make a secret for a device to enrol."""
    return random_base32()


def totp_uri(secret: str, account_name: str, issuer: str) -> str:
    """The address that a device reads from a QR code. It holds the secret."""
    return TOTP(secret).provisioning_uri(account_name, issuer_name=issuer)


def totp_step(secret: str, code: str, at: datetime) -> int | None:
    """The time step that a code belongs to, one before or after this moment's counted in; None if to none of them.

    Blanks in the code are overlooked: devices show them.
    """
    digits = "".join(code.split())
    if not _CODE.fullmatch(digits):
        return None
    return TOTP(secret).verify_and_get_timecode(digits, at, valid_window=1) or None


def _matches(password: str, hashed: str) -> bool:
    try:
        with _hashing:
            return _hasher.verify(hashed, _bytes(password))
    except (Argon2Error, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return hash_password(new_totp_secret())


def _score(password: str, name: str) -> int:
    parts = [name, *re.split(r"[._@-]+", name)]
    with _judging:
        return int(zxcvbn(password[:_JUDGED], user_inputs=[*parts, "cliniko", "heidi", "physio"])["score"])


def _bytes(password: str) -> bytes:
    """One keyboard types an accented letter as one character, another as two: both are one password."""
    return unicodedata.normalize("NFC", password).encode(errors="surrogatepass")
