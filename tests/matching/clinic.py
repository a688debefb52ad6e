"""The list of a clinic's charts while it is made, and the labelled set that comes of it.

Owns who has which chart, and what a search in Cliniko would bring for a hint. It knows nothing of how the matcher
decides; only which birth dates the client does not search for (`usable_birth_date`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from random import Random
from typing import Any

from sync_worker.matching import usable_birth_date
from sync_worker.model import Hint, Patient
from tests.matching.febrl import Person

TODAY = date(2026, 11, 20)


class Right(StrEnum):
    """What the right answer to a hint is."""

    PLAIN = "plain"
    """Filed by itself: all agrees, up to formatting and nicknames. 99 in 100 must be found."""
    AUTO = "auto"
    """Filed by itself: the rules carry it, though not all agrees. Counted, without a target."""
    PERSON = "person"
    """A person decides, whether or not somebody's chart is on the list."""


@dataclass(frozen=True, slots=True)
class Case:
    """One hint and its label. `truth` is the chart of the person meant, None where they have none."""

    category: str
    right: Right
    hint: Hint
    truth: str | None


Made = tuple[Hint, Patient | None]
"""A case before it has its label: the hint, and the chart of the person meant."""


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of case, with what makes one. A limit is a hole that the rules leave knowingly: shown, not judged."""

    name: str
    right: Right
    make: Callable[["Clinic"], Made]
    times: int = 20
    limit: bool = False


class Clinic:
    """Charts as they are planted. Every person is used once, so that no case disturbs another."""

    def __init__(self, chance: Random, people: Iterable[Person], strangers: Iterable[Person]) -> None:
        self.chance = chance
        self.charts: dict[str, Patient] = {}
        self.owners: dict[str, str] = {}
        self._people = list(people)
        self._strangers = list(strangers)
        chance.shuffle(self._people)
        chance.shuffle(self._strangers)

    @property
    def unused(self) -> int:
        """How many people are left."""
        return len(self._people)

    def person(self, fits: Callable[[Person], bool] = lambda _: True, **named: str) -> Person:
        """Somebody new who fits; with names of our own where the story needs them."""
        at = next(at for at in reversed(range(len(self._people))) if fits(self._people[at]))
        return replace(self._people.pop(at), **named)

    def stranger(self) -> Person:
        """Somebody new who has no chart."""
        return self._strangers.pop()

    def chart(self, person: Person, **differently: Any) -> Patient:
        """Put a chart of somebody on the list, filled in as given."""
        email = person.email if self.chance.random() < 0.7 else None
        chart = replace(
            Patient(self._new_id(), person.given, person.family, birth_date=person.born, email=email), **differently
        )
        self.charts[chart.patient_id] = chart
        self.owners[chart.patient_id] = person.key
        return chart

    def change(self, chart: Patient, **differently: Any) -> Patient:
        """Write something else on a chart."""
        self.charts[chart.patient_id] = changed = replace(chart, **differently)
        return changed

    def hint(self, person: Person, name: str = "", **differently: Any) -> Hint:
        """What a session tells of somebody: the birth date, and one time in two an e-mail, theirs or another."""
        emails = (None, None, None, person.email, person.email.upper(), f"work-{person.email}")
        hint = Hint(name or person.name, person.born, email=self.chance.choice(emails))
        return replace(hint, **differently)

    def desk(self) -> str:
        """An address that eight charts of eight families share."""
        sharing = [self.person() for _ in range(8)]
        address = f"reception-{sharing[0].key}@example.org"
        for person in sharing:
            self.chart(person, email=address)
        return address

    def _new_id(self) -> str:
        return str(self.chance.randrange(10**18, 10**19))


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """A clinic's list, who owns each chart, and the cases."""

    charts: Mapping[str, Patient]
    owners: Mapping[str, str]
    cases: tuple[Case, ...]
    by_date: Mapping[date, tuple[Patient, ...]]
    by_email: Mapping[str, tuple[Patient, ...]]
    by_family: Mapping[str, tuple[Patient, ...]]

    def candidates(self, hint: Hint) -> list[Patient]:
        """What the client would fetch: all charts of the birth date, the e-mail and the linked id, and survivors."""
        born = usable_birth_date(hint.birth_date, today=TODAY)
        linked = self.charts.get((hint.linked_patient_id or "").strip())
        found = [*(self.by_date.get(born, ()) if born else ()), *self.by_email.get(_key(hint.email), ())]
        charts = {chart.patient_id: chart for chart in [*found, *([linked] if linked else [])]}
        for chart in list(charts.values()):
            while chart.merged_into in self.charts and chart.merged_into not in charts:
                chart = self.charts[chart.merged_into]
                charts[chart.patient_id] = chart
        return list(charts.values())

    def namesakes(self, hint: Hint) -> list[Patient]:
        """What the client would fetch as well before it files on less than the exact name and birth date."""
        typed = {word.strip(",.").lower() for word in hint.name.split()}
        return [chart for word in typed for chart in self.by_family.get(word, ())]


def labelled(clinic: Clinic, cases: Iterable[Case]) -> LabelledSet:
    """The finished set, its charts indexed as Cliniko searches them."""
    by_date, by_email = defaultdict[date, list[Patient]](list), defaultdict[str, list[Patient]](list)
    by_family = defaultdict[str, list[Patient]](list)
    for chart in clinic.charts.values():
        if chart.birth_date:
            by_date[chart.birth_date].append(chart)
        if _key(chart.email):
            by_email[_key(chart.email)].append(chart)
        for word in set(chart.last_name.lower().split()):
            by_family[word].append(chart)
    return LabelledSet(
        charts=dict(clinic.charts),
        owners=dict(clinic.owners),
        cases=tuple(cases),
        by_date={born: tuple(charts) for born, charts in by_date.items()},
        by_email={email: tuple(charts) for email, charts in by_email.items()},
        by_family={name: tuple(charts) for name, charts in by_family.items()},
    )


def _key(email: str | None) -> str:
    return (email or "").strip().lower()
