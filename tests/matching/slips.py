"""How letters and dates go wrong by one: the rules' own words for a slip, made on purpose and recognised.

Independent of the matcher: what counts as a slip is told here a second time, from the rules as they are written down.
"""

from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import cache
from random import Random
from string import ascii_lowercase

from rapidfuzz.distance import OSA

from tests.matching import febrl, words

LEAST_LETTERS = 5
"""Shorter names are too often a letter from another real one: Lee and Lea, Wong and Wang."""


def one_letter_off(chance: Random, name: str) -> str:
    """A name with one letter wrong, added, left out or swapped with the next; capitals as in a name."""
    while True:
        at, letter = chance.randrange(len(name)), chance.choice(ascii_lowercase)
        before, rest = name.lower()[:at], name.lower()[at:]
        changes = (letter + rest[1:], letter + rest, rest[1:], rest[1:2] + rest[:1] + rest[2:])
        changed = before + chance.choice(changes)
        if is_one_edit(changed, name) and len(changed) >= LEAST_LETTERS:
            return changed.title()


def other_letter(chance: Random, name: str) -> str:
    """A name with another letter in the place of one, the first aside; never one that somebody bears."""
    while True:
        at = chance.randrange(1, len(name))
        changed = name.lower()[:at] + chance.choice(ascii_lowercase) + name.lower()[at + 1 :]
        if changed != name.lower() and not is_known_given_name(changed):
            return changed.title()


def swapped_or_doubled(chance: Random, name: str) -> str | None:
    """A given name with two neighbouring letters swapped or one doubled; None if somebody is called that."""
    lower = name.lower()
    at = chance.randrange(len(lower) - 1)
    swapped = lower[:at] + lower[at + 1] + lower[at] + lower[at + 2 :]
    doubled = lower[: at + 1] + lower[at:]
    changed = chance.choice([swapped, doubled])
    return None if changed == lower or is_known_given_name(changed) else changed.title()


def is_one_edit(one: str, other: str) -> bool:
    """One letter wrong, added or left out, or two neighbours swapped."""
    return OSA.distance(one.lower(), other.lower()) == 1


def is_swapped_or_doubled(typed: str, charted: str) -> bool:
    """Whether what was typed is the charted name with two neighbours swapped or a letter doubled."""
    typed, charted = typed.lower(), charted.lower()
    if len(typed) == len(charted):
        return is_one_edit(typed, charted) and sorted(typed) == sorted(charted)
    return typed in {charted[: at + 1] + charted[at:] for at in range(len(charted))}


def is_known_given_name(name: str) -> bool:
    """Whether somebody of the data sets or of our own lists is called that."""
    return name.lower() in febrl.given_names() or name.lower() in _own_given_names()


def near_dates(born: date) -> list[date]:
    """Day and month swapped, one digit of either wrong, a day, or the year's last digit or the year off by one."""
    return sorted(_sound(set(_near(born)) - {born}))


def far_date(chance: Random, born: date) -> date:
    """A birth date two to eight years away, towards the middle of the list's years where they end."""
    days = chance.randrange(800, 3000)
    earlier = born.year > 2010 or (born.year > 1940 and chance.random() < 0.5)
    far = born - timedelta(days=days) if earlier else born + timedelta(days=days)
    return far if _sound([far]) and far not in near_dates(born) else far_date(chance, born)


def _near(born: date) -> Iterator[date]:
    year, month, day = born.year, born.month, born.day
    yield from _real(year, day, month)
    for tens, ones in ((day // 10, digit) for digit in range(10)):
        yield from _real(year, month, 10 * tens + ones)
    for digit in range(4):
        yield from _real(year, month, 10 * digit + day % 10)
    for other in (month - 1, month + 1, month - 10, month + 10):
        yield from _real(year, other, day)
    for digit in range(10):
        yield from _real(year - year % 10 + digit, month, day)
    for other in (year - 1, year + 1):
        yield from _real(other, month, day)


def _real(year: int, month: int, day: int) -> Iterator[date]:
    if 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]:
        yield date(year, month, day)


def _sound(dates: Iterable[date]) -> list[date]:
    """Without dates that stand for "unknown" or lie outside of a lifetime."""
    return [day for day in dates if (day.month, day.day) != (1, 1) and 1910 < day.year < 2026]


@cache
def _own_given_names() -> frozenset[str]:
    pairs = (*words.SHORT_FORMS, *words.TWINS, *words.ALIKE_TWINS, *words.ALIKE_TWINS_OF_OTHER_LANGUAGES)
    return frozenset(name.lower() for pair in pairs for name in pair)
