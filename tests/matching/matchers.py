"""Ways to choose a chart: the product's own, and the naive ones that it is held against."""

from collections.abc import Callable, Iterable

from rapidfuzz import fuzz, process

from sync_worker.matching import Evidence, match_patient
from sync_worker.model import Hint, Matched, Patient
from tests.matching.clinic import TODAY, LabelledSet

Matcher = Callable[[Hint], str | None]
"""A chart's id, or None for "a person decides"."""

LEAST_LIKENESS = 90
"""Of 100: what people who match by likeness commonly take for the same."""


def rules(made: LabelledSet) -> Matcher:
    """The product: what the client fetches, and `match_patient` on it."""

    def choose(hint: Hint) -> str | None:
        found = made.candidates(hint)
        outcome = match_patient(hint, found, today=TODAY)
        if isinstance(outcome, Matched) and outcome.rule > 1 and not _is_by_name_and_date(outcome):
            outcome = match_patient(hint, [*found, *made.namesakes(hint)], today=TODAY)
        return outcome.patient_id if isinstance(outcome, Matched) else None

    return choose


def exact_name_and_date(made: LabelledSet) -> Matcher:
    """The first live chart with this very name and birth date."""
    first = _first(made, lambda chart: (_name(chart), chart.birth_date))
    return lambda hint: first.get((hint.name.casefold(), hint.birth_date))


def exact_name(made: LabelledSet) -> Matcher:
    """The first live chart with this very name."""
    first = _first(made, _name)
    return lambda hint: first.get(hint.name.casefold())


def most_alike(made: LabelledSet) -> Matcher:
    """The live chart whose name and birth date, written in one line, look most like the hint's."""
    lines = {chart.patient_id: f"{_name(chart)} {chart.birth_date}" for chart in _live(made)}

    def choose(hint: Hint) -> str | None:
        line = f"{hint.name.casefold()} {hint.birth_date}"
        best = process.extractOne(line, lines, scorer=fuzz.ratio, score_cutoff=LEAST_LIKENESS)
        return best[2] if best else None

    return choose


def _is_by_name_and_date(outcome: Matched) -> bool:
    agrees = next(one.agrees for one in outcome.candidates if one.patient_id == outcome.patient_id)
    return {Evidence.NAME_EXACT, Evidence.BIRTH_DATE} <= set(agrees)


OURS = "the rules"
MATCHERS: dict[str, Callable[[LabelledSet], Matcher]] = {
    OURS: rules,
    "exact name and birth date": exact_name_and_date,
    "exact name only": exact_name,
    "most alike, at least 90 %": most_alike,
}


def _live(made: LabelledSet) -> Iterable[Patient]:
    return (chart for chart in made.charts.values() if not chart.archived)


def _name(chart: Patient) -> str:
    return f"{chart.first_name} {chart.last_name}".casefold()


def _first(made: LabelledSet, key: Callable[[Patient], object]) -> dict[object, str]:
    first: dict[object, str] = {}
    for chart in _live(made):
        first.setdefault(key(chart), chart.patient_id)
    return first
