"""What became of the cases: judged, counted, and told as tables.

An automatic match is *false* on another human's chart. It is *unsafe* on the right human's, where a person should have
decided or another chart of theirs was the one to take. *Recall* is the share of the cases that may be filed by
themselves ("plain" and "auto") that were.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from tests.matching.cases import LIMITS, names
from tests.matching.clinic import Case, LabelledSet, Right
from tests.matching.matchers import Matcher

LEAST_PLAIN = 0.99


class Verdict(StrEnum):
    """What a matcher's answer was worth."""

    FOUND = "found"
    MISSED = "missed"
    LEFT = "left"
    """To a person, as it should be."""
    FALSE = "false"
    UNSAFE = "unsafe"


Counts = Counter[Verdict]
Tally = Mapping[str, Counts]
"""The counts of each category, by its name."""


def judge(case: Case, chosen: str | None, owners: Mapping[str, str]) -> Verdict:
    """Judge one answer."""
    if chosen is None:
        return Verdict.LEFT if case.right is Right.PERSON else Verdict.MISSED
    if case.truth is None or owners[chosen] != owners[case.truth]:
        return Verdict.FALSE
    return Verdict.FOUND if case.right is not Right.PERSON and chosen == case.truth else Verdict.UNSAFE


def tally(made: LabelledSet, matcher: Matcher) -> Tally:
    """Ask a matcher for all cases of a set."""
    counts = defaultdict[str, Counts](Counter)
    for case in made.cases:
        counts[case.category][judge(case, matcher(case.hint), made.owners)] += 1
    return counts


def together(tallies: Iterable[Tally]) -> Tally:
    """Several tallies as one."""
    counts = defaultdict[str, Counts](Counter)
    for one in tallies:
        for category, found in one.items():
            counts[category].update(found)
    return counts


def total(counted: Tally, *rights: Right) -> Counts:
    """All categories of these right answers as one, limits aside; of all where none is named."""
    of_right = names()
    counts = Counts()
    for category, found in counted.items():
        if category not in LIMITS and (not rights or of_right[category] in rights):
            counts.update(found)
    return counts


def recall(counts: Counts) -> float:
    """The share found of what was to be found; cases for a person do not count."""
    wanted = counts[Verdict.FOUND] + counts[Verdict.MISSED]
    return counts[Verdict.FOUND] / wanted if wanted else 0.0


def shortcomings(counted: Tally) -> list[str]:
    """What keeps a matcher from passing, in sentences; none if it passes."""
    everything, plain = total(counted), total(counted, Right.PLAIN)
    told = []
    for verdict in (Verdict.FALSE, Verdict.UNSAFE):
        if everything[verdict]:
            where = sorted(name for name, counts in counted.items() if counts[verdict] and name not in LIMITS)
            told.append(f"{everything[verdict]} {verdict} automatic matches: {'; '.join(where)}.")
    if share(plain) < LEAST_PLAIN:
        told.append(f"Only {share(plain):.1%} of the plain cases were found.")
    return told


def share(counts: Counts) -> float:
    """The share found of all cases: a false match is none."""
    return counts[Verdict.FOUND] / counts.total() if counts.total() else 0.0


# ---------------------------------------------------------------- tables, in Markdown


def report(tallies: Mapping[str, Tally], *, sets: str) -> str:
    """Everything that is shown: the matchers side by side, each category of the first one, the limits."""
    ours = next(iter(tallies.values()))
    return "\n".join([f"{sets}", "", *_matchers(tallies), "", *_categories(ours), "", *_limits(ours)])


def _matchers(tallies: Mapping[str, Tally]) -> Iterator[str]:
    yield "| matcher | false | unsafe | found of plain | found of all that may be filed |"
    yield "|---|---:|---:|---:|---:|"
    for name, counted in tallies.items():
        all_, plain, may = total(counted), total(counted, Right.PLAIN), total(counted, Right.PLAIN, Right.AUTO)
        shares = f"{_percent(share(plain))} | {_percent(share(may))}"
        yield f"| {name} | {all_[Verdict.FALSE]:,} | {all_[Verdict.UNSAFE]:,} | {shares} |"


def _categories(counted: Tally) -> Iterator[str]:
    yield "| what the case is | right answer | cases | filed | false | unsafe | recall |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for right in Right:
        for category in (name for name, of_right in names().items() if of_right is right and name not in LIMITS):
            yield _row(category, right, counted[category])
    for right in Right:
        yield _row(f"**all {right}**", right, total(counted, right))
    yield _row("**all**", "", total(counted))


def _row(name: str, right: str, counts: Counts) -> str:
    wrong = f"{counts[Verdict.FALSE]} | {counts[Verdict.UNSAFE]}"
    filed = counts[Verdict.FOUND] + counts[Verdict.FALSE] + counts[Verdict.UNSAFE]
    found = "" if right == Right.PERSON else _percent(recall(counts))
    return f"| {name} | {right} | {counts.total():,} | {filed:,} | {wrong} | {found} |"


def _limits(counted: Tally) -> Iterator[str]:
    yield "| known limit, not judged | cases | left to a person | false | unsafe |"
    yield "|---|---:|---:|---:|---:|"
    for category in (name for name in names() if name in LIMITS):
        counts = counted[category]
        wrong = f"{counts[Verdict.FALSE]} | {counts[Verdict.UNSAFE]}"
        yield f"| {category} | {counts.total()} | {counts[Verdict.LEFT]} | {wrong} |"


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"
