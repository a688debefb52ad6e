"""Whose document is this: a hint from Heidi laid beside Cliniko charts, answered with the evidence.

Owns the rules by which a document may be filed without asking: two identifiers that agree (a name counts as one),
none that contradicts, and exactly one live chart. It refuses everything else: it has no scores, picks no "best" of
several, takes no near birth date, and never an archived chart; what it cannot decide it hands to a person with the
candidates. It does no I/O and its answers hold chart ids and names of fields, never their values.

The rules, in order; the first that fires decides:

    0  the name identifies nobody (see `names.read_name`)                     a person decides
    1  the linked id is a chart's, the name fits, the birth date agrees       filed; any disagreement: a person,
       or is unknown on one side                                              and no later rule may overrule
    2  the birth date agrees, the name fits, exactly one live chart           filed
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from sync_worker.matching.names import (
    NameComparison,
    NameFit,
    TypedName,
    compare_name,
    family_key,
    read_name,
    same_given_name,
)
from sync_worker.model import Ambiguous, Candidate, Hint, Matched, MatchOutcome, NoMatch, Patient, Reason


class Evidence(StrEnum):
    """The words of `Candidate.agrees` (the first five) and `Candidate.against` (the rest, and birth_date, linked_id).

    A value missing on either side counts neither way, and an e-mail that differs is no contradiction.
    """

    NAME_EXACT = "name_exact"
    NAME_NICKNAME = "name_nickname"
    BIRTH_DATE = "birth_date"
    EMAIL = "email"
    LINKED_ID = "linked_id"
    GIVEN_NAME = "given_name"
    FAMILY_NAME = "family_name"
    ARCHIVED = "archived"
    MERGED = "merged"
    PRIVACY = "privacy"


def match_patient(hint: Hint, candidates: Sequence[Patient], *, today: date, identifiers: int = 2) -> MatchOutcome:
    """Find the one chart that this hint means, or say why there is none.

    `candidates` are all charts found by birth date, by e-mail and by linked id, archived ones and the survivors of
    merges included; their order and repetitions do not matter. `today` is the practice's date. With
    `identifiers=3` a third one (linked id or a personal e-mail) must agree as well.
    """
    hint = replace(hint, birth_date=usable_birth_date(hint.birth_date, today=today))
    typed = read_name(hint.name)
    charts = _lay_out(hint, typed, candidates)
    evidence = tuple(sorted(map(_candidate, charts.values()), key=_rank))
    match _decide(hint, typed, charts):
        case Reason.NO_MATCH | Reason.NOT_IDENTIFIABLE as reason:
            return NoMatch(reason, evidence)
        case Reason() as reason:
            return Ambiguous(reason, evidence)
        case _Chosen(chart, rule) if chart.identifiers >= identifiers:
            return Matched(chart.patient.patient_id, rule, evidence)
        case _Chosen():
            return Ambiguous(Reason.THIRD_IDENTIFIER, evidence)


def check_patient(hint: Hint, patient: Patient) -> Candidate:
    """Say what speaks for and against one chart, one that a person chose included.

    The hint's birth date is compared as it stands, stand-ins aside; put it through `usable_birth_date` first.
    """
    return _candidate(_lay_beside(hint, read_name(hint.name), patient))


def usable_birth_date(hint_birth_date: date | None, *, today: date) -> date | None:
    """Return the birth date if it can be somebody's; None if missing, to come, over 120 years ago or a stand-in.

    Stand-ins are 1 January of 1900 and of every round year (1970, 1980, ...): what software fills in for "unknown".
    """
    if hint_birth_date is None or _is_stand_in(hint_birth_date) or hint_birth_date > today:
        return None
    oldest = (today.year - 120, today.month, today.day)
    return hint_birth_date if (hint_birth_date.year, hint_birth_date.month, hint_birth_date.day) >= oldest else None


# ---------------------------------------------------------------- one chart beside the hint


@dataclass(frozen=True, slots=True)
class _Chart:
    """One chart and how each field compares; None = unknown on one side."""

    patient: Patient
    name: NameComparison
    birth_date_agrees: bool | None
    email_agrees: bool
    linked: bool | None

    @property
    def is_live(self) -> bool:
        return not self.patient.archived and self.patient.merged_into is None

    @property
    def identifiers(self) -> int:
        """How many independent identifiers agree; family and given name together are one (NSQHS action 6.5)."""
        return sum((self.name.fit is not None, self.birth_date_agrees is True, self.email_agrees, self.linked is True))


_NOT_COMPARED = NameComparison(None)


def _lay_beside(hint: Hint, typed: TypedName | None, patient: Patient) -> _Chart:
    first, last, preferred = patient.first_name, patient.last_name, patient.preferred_first_name
    return _Chart(
        patient,
        name=compare_name(typed, first=first, last=last, preferred=preferred) if typed else _NOT_COMPARED,
        birth_date_agrees=_birth_dates_agree(hint.birth_date, patient.birth_date),
        email_agrees=_email_key(hint.email) == _email_key(patient.email) != "",
        linked=True if _linked_id(hint) == patient.patient_id else None,
    )


def _candidate(chart: _Chart) -> Candidate:
    patient, name = chart.patient, chart.name
    agrees = (
        (name.fit is NameFit.EXACT, Evidence.NAME_EXACT),
        (name.fit is NameFit.NICKNAME, Evidence.NAME_NICKNAME),
        (chart.birth_date_agrees is True, Evidence.BIRTH_DATE),
        (chart.email_agrees, Evidence.EMAIL),
        (chart.linked is True, Evidence.LINKED_ID),
    )
    against = (
        (name.given_differs, Evidence.GIVEN_NAME),
        (name.family_differs, Evidence.FAMILY_NAME),
        (chart.birth_date_agrees is False, Evidence.BIRTH_DATE),
        (chart.linked is False, Evidence.LINKED_ID),
        (patient.archived, Evidence.ARCHIVED),
        (patient.merged_into is not None, Evidence.MERGED),
        (patient.accepted_privacy_policy is False, Evidence.PRIVACY),
    )
    return Candidate(
        patient.patient_id,
        agrees=tuple([word for holds, word in agrees if holds]),
        against=tuple([word for holds, word in against if holds]),
    )


def _birth_dates_agree(hinted: date | None, charted: date | None) -> bool | None:
    if hinted is None or charted is None or _is_stand_in(hinted) or _is_stand_in(charted):
        return None
    return hinted == charted


def _is_stand_in(day: date) -> bool:
    return (day.month, day.day) == (1, 1) and day.year % 10 == 0


def _email_key(email: str | None) -> str:
    return (email or "").strip().lower()


def _linked_id(hint: Hint) -> str:
    return (hint.linked_patient_id or "").strip()


# ---------------------------------------------------------------- all charts beside the hint


def _lay_out(hint: Hint, typed: TypedName | None, candidates: Iterable[Patient]) -> dict[str, _Chart]:
    """Compare every chart once; the linked id speaks for the chart it leads to and against all others."""
    patients = _one_each(candidates)
    if _is_desk_address(_email_key(hint.email), patients.values()):
        hint = replace(hint, email=None)
    charts = {patient_id: _lay_beside(hint, typed, patient) for patient_id, patient in patients.items()}
    linked = charts.get(_linked_id(hint))
    if linked is None:
        return charts
    meant = {linked.patient.patient_id, *(end.patient.patient_id for end in (_survivor(linked, charts),) if end)}
    return {key: replace(chart, linked=key in meant) for key, chart in charts.items()}


def _one_each(candidates: Iterable[Patient]) -> dict[str, Patient]:
    """Of two reads of one chart keep the more cautious, whatever their order: a chart read as archived is archived."""
    patients: dict[str, Patient] = {}
    for patient in candidates:
        known = patients.setdefault(patient.patient_id, patient)
        if known != patient:
            patients[patient.patient_id] = max(known, patient, key=_caution)
    return patients


def _caution(patient: Patient) -> tuple[bool, str, str]:
    return patient.archived, patient.merged_into or "", repr(patient)


_DESK_CHARTS, _DESK_FAMILIES = 6, 3
"""An address on more charts or more family names than this is a front desk's or a school's, not a household's."""


def _is_desk_address(email: str, patients: Iterable[Patient]) -> bool:
    if not email:
        return False
    families = Counter(family_key(patient.last_name) for patient in patients if _email_key(patient.email) == email)
    return families.total() > _DESK_CHARTS or len(families) > _DESK_FAMILIES


def _survivor(chart: _Chart, charts: Mapping[str, _Chart]) -> _Chart | None:
    """Follow merges to their end; None if the trail leaves what was read or runs in a circle."""
    for _ in charts:  # a trail longer than the number of charts is a circle
        if chart.patient.merged_into is None:
            return chart
        following = charts.get(chart.patient.merged_into)
        if following is None:
            return None
        chart = following
    return None


def _rank(candidate: Candidate) -> tuple[int, bool, int, str]:
    """Most agreement first, for the reviewer's eye alone: being nearest is no evidence."""
    exact = Evidence.NAME_EXACT in candidate.agrees
    return -len(candidate.agrees), not exact, len(candidate.against), candidate.patient_id


# ---------------------------------------------------------------- the rules


@dataclass(frozen=True, slots=True)
class _Chosen:
    chart: _Chart
    rule: int


_Decision = _Chosen | Reason


def _decide(hint: Hint, typed: TypedName | None, charts: Mapping[str, _Chart]) -> _Decision:
    if typed is None:
        return Reason.NOT_IDENTIFIABLE
    linked = charts.get(_linked_id(hint))
    if linked is not None:  # an id that is no chart's may be another system's: no evidence either way
        return _by_linked_id(linked, charts)
    if hint.birth_date is None:
        return Reason.NOT_IDENTIFIABLE
    return _by_birth_date(charts)


def _by_linked_id(linked: _Chart, charts: Mapping[str, _Chart]) -> _Decision:
    """Rule 1: the linked id is checked, never trusted."""
    chart = _survivor(linked, charts)
    if chart is None:
        return Reason.ARCHIVED_ONLY
    if chart.name.fit is None or chart.birth_date_agrees is False:
        return Reason.LINK_CONTRADICTED
    if not chart.is_live:
        return Reason.ARCHIVED_ONLY
    # A live chart that fits as well makes it two charts of one person, or the link a twin's.
    rivals = [other for other in charts.values() if other.is_live and other.name.fit and _is_rival(other, chart)]
    return _Chosen(chart, rule=1) if _the_only_one([chart, *rivals]) is chart else Reason.SEVERAL_CHARTS


def _is_rival(other: _Chart, chart: _Chart) -> bool:
    """Whether the birth dates leave room for taking the other chart for this one, as far as they are known."""
    if other is chart:
        return False
    if chart.birth_date_agrees:
        return other.birth_date_agrees is True
    between = _birth_dates_agree(other.patient.birth_date, chart.patient.birth_date)
    return other.birth_date_agrees is not False and between is not False


def _by_birth_date(charts: Mapping[str, _Chart]) -> _Decision:
    """Rule 2: birth date and name agree on exactly one live chart."""
    fitting = [chart for chart in charts.values() if chart.birth_date_agrees and chart.name.fit]
    live = [chart for chart in fitting if chart.is_live]
    gone = [chart for chart in fitting if not chart.is_live]
    if not fitting:
        return Reason.NO_MATCH
    if not live:
        return Reason.ARCHIVED_ONLY
    chosen = _the_only_one(live)
    if chosen is None or any(_points_elsewhere(chart, chosen, charts) for chart in gone):
        return Reason.SEVERAL_CHARTS
    return _Chosen(chosen, rule=2)


def _the_only_one(live: Sequence[_Chart]) -> _Chart | None:
    """The one that fits; or the exact one, where nobody else's own first name is a form of what was typed."""
    if len(live) == 1:
        return live[0]
    exact = [chart for chart in live if chart.name.fit is NameFit.EXACT]
    others_by_own_name = any(chart.name.by_first_name for chart in live if chart.name.fit is NameFit.NICKNAME)
    return exact[0] if len(exact) == 1 and not others_by_own_name else None


def _points_elsewhere(gone: _Chart, chosen: _Chart, charts: Mapping[str, _Chart]) -> bool:
    """Whether an archived or merged chart that fits is somebody else's than the chosen one's.

    Beside the one live chart it is normally an old chart of the same person. Not so where it was merged into
    another live chart, or where the live one fits by nickname only and the old one by another given name.
    """
    survivor = _survivor(gone, charts)
    if survivor is chosen:
        return False
    if survivor is not None and survivor.is_live:
        return True
    return chosen.name.fit is NameFit.NICKNAME and not same_given_name(
        gone.patient.first_name, chosen.patient.first_name
    )
