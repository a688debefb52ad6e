"""The labelled set of one seed: the clinic's list and all cases, planted in one order."""

from collections.abc import Iterator
from functools import cache
from random import Random

from tests.matching import charts, families, febrl, likeness, limits, near, writing
from tests.matching.clinic import Case, Category, Clinic, LabelledSet, Right, labelled
from tests.matching.damaged import CATEGORIES as DAMAGED
from tests.matching.damaged import damaged_case

CATEGORIES: tuple[Category, ...] = (
    *writing.CATEGORIES,
    *families.CATEGORIES,
    *near.CATEGORIES,
    *likeness.CATEGORIES,
    *charts.CATEGORIES,
    *limits.CATEGORIES,
)
LIMITS = frozenset(category.name for category in limits.CATEGORIES)

DAMAGED_PEOPLE = 600
"""How many people of the list come with the record that FEBRL damaged."""


@cache
def made(seed: int) -> LabelledSet:
    """The set of a seed: the same seed makes the same set."""
    clinic = Clinic(Random(seed), febrl.people(), febrl.strangers())
    cases = list(_planted(clinic))
    cases += filter(None, [damaged_case(clinic, clinic.person()) for _ in range(DAMAGED_PEOPLE)])
    for _ in range(clinic.unused):
        clinic.chart(clinic.person())
    return labelled(clinic, cases)


def _planted(clinic: Clinic) -> Iterator[Case]:
    for category in CATEGORIES:
        for _ in range(category.times):
            hint, chart = category.make(clinic)
            yield Case(category.name, category.right, hint, chart.patient_id if chart else None)


def names() -> dict[str, Right]:
    """Every category's name with its right answer, in the order of the report."""
    return {category.name: category.right for category in CATEGORIES} | {name: right for right, name in DAMAGED.items()}
