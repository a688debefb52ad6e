"""FEBRL's own damage: hints that it made of listed people by breaking letters, fields and dates.

The label is read off the damage, by the rules as they are written. Where they leave room (a name of five letters on one
side and four on the other; another name that might be a short form) there is no case.
"""

from dataclasses import dataclass

from rapidfuzz.distance import OSA

from sync_worker.model import Hint
from tests.matching.clinic import Case, Clinic, Right
from tests.matching.febrl import Person, Record, damaged
from tests.matching.slips import LEAST_LETTERS, is_known_given_name, is_one_edit, is_swapped_or_doubled

CATEGORIES = {
    Right.PLAIN: "FEBRL's damage, name and birth date whole",
    Right.AUTO: "FEBRL's damage, a slip",
    Right.PERSON: "FEBRL's damage, more than the rules forgive",
}


def damaged_case(clinic: Clinic, person: Person) -> Case | None:
    """Put somebody on the list, and ask with their damaged record; None where the rules leave room."""
    record = damaged()[person.key]
    right = right_for(person, record)
    chart = clinic.chart(person)
    if right is None:
        return None
    name = f"{record.given} {record.family}".strip()
    return Case(CATEGORIES[right], right, Hint(name, record.born), chart.patient_id)


def right_for(person: Person, record: Record) -> Right | None:
    """What the rules say of a damaged record; None where they leave room."""
    if not record.given or not record.family or record.born != person.born:
        return Right.PERSON
    typed, charted = _Names.of(record), _Names.of(person)
    if typed in (charted, charted.turned):
        return Right.PLAIN
    if " " in record.given and person.given.lower().startswith(record.given.lower().split()[0]):
        return None  # a blank may have made a short form and a middle name of one name
    if charted.given == typed.given:
        return _right_for_surname(typed.family, charted.family)
    if charted.family == typed.family:
        return _right_for_given(typed.given, charted.given)
    far = [not _alike(typed, charted), not _alike(typed, charted.turned)]
    return Right.PERSON if all(far) else None


def _right_for_surname(typed: str, charted: str) -> Right | None:
    if not is_one_edit(typed, charted) or max(len(typed), len(charted)) < LEAST_LETTERS:
        return Right.PERSON
    return Right.AUTO if min(len(typed), len(charted)) >= LEAST_LETTERS else None


def _right_for_given(typed: str, charted: str) -> Right | None:
    might_be_short = typed.startswith(charted) or charted.startswith(typed) or OSA.distance(typed, charted) <= 2
    if is_known_given_name(typed) and might_be_short:
        return None
    if is_swapped_or_doubled(typed, charted):
        return Right.AUTO if min(len(typed), len(charted)) >= LEAST_LETTERS else None
    # The rules do not say whether a double letter typed once is a slip as well.
    return None if is_swapped_or_doubled(charted, typed) else Right.PERSON


@dataclass(frozen=True, slots=True)
class _Names:
    """Given and family name in small letters without blanks and marks."""

    given: str
    family: str

    @classmethod
    def of(cls, named: Person | Record) -> "_Names":
        given, family = ("".join(filter(str.isalpha, name.lower())) for name in (named.given, named.family))
        return cls(given, family)

    @property
    def turned(self) -> "_Names":
        return _Names(self.family, self.given)


def _alike(one: _Names, other: _Names) -> bool:
    """Whether one name is the same and the other not far: the names turned round and a slip, say."""
    return (one.given == other.given or one.family == other.family) and one != other
