"""Whose document is this: a hint from Heidi laid beside Cliniko charts, answered with the evidence.

Owns the rules by which a document may be filed without asking: two identifiers that agree (a name counts as one),
none that contradicts, and exactly one live chart. It refuses everything else: it has no scores, picks no "best" of
several, takes no near birth date, and never an archived chart; what it cannot decide it hands to a person with the
candidates. It does no I/O and its answers hold chart ids and names of fields, never their values.

The rules, in order; the first that fires decides:

    0  the name identifies nobody (see `names.read_name`), or may be no       a person decides
       name and is not a chart's word for word, with the birth date
    1  the linked id is a chart's, the name fits, the birth date agrees       filed; any disagreement: a person,
       or is unknown on one side                                              and no later rule may overrule
    2  the birth date agrees, the name fits; by a short form only where      filed
       nobody else has that family name and date
    3  the birth date agrees, the name fits but for a slip, and nobody        filed
       else has that family name and date
    4  birth date, given name and e-mail agree, the family name differs       filed
    5  name, word for word, and e-mail agree, the birth date is unknown on    filed
       one side, and nobody else in that mailbox, or without any, has the
       name
    6  nothing of these                                                       a person decides

Rules 2 to 5 file on exactly one live chart, and no other one that may be the same person's, or that has the very name
where the chosen one has not; several, or archived ones only, are a person's to decide.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from rapidfuzz.distance import OSA

from sync_worker.matching.comparing import NameFit, NameSlip
from sync_worker.matching.evidence import (
    Chart,
    birth_dates_agree,
    candidate_of,
    email_key,
    is_stand_in,
    lay_out,
    linked_id,
    rank,
    survivor,
    usable_birth_date,
)
from sync_worker.matching.names import TypedName, family_key, read_name, same_given_name
from sync_worker.model import Ambiguous, Hint, Matched, MatchOutcome, NoMatch, Patient
from sync_worker.records import Reason


def match_patient(
    hint: Hint,
    candidates: Sequence[Patient],
    *,
    today: date,
    identifiers: int = 2,
    in_diary: Collection[str] = (),
) -> MatchOutcome:
    """Find the one chart that this hint means, or say why there is none.

    `candidates` are all charts found by birth date, by e-mail and by linked id, archived ones and the survivors of
    merges included, and before a match that the exact name and birth date do not carry those of the family name; their
    order and repetitions do not matter. `today` is the practice's date. `in_diary` are the
    patients who have an appointment with the clinician at the session's time. With `identifiers=3` a third one
    (linked id, a personal e-mail or the appointment) must agree as well.
    """
    told, usable = hint.birth_date, usable_birth_date(hint.birth_date, today=today)
    typed = read_name(hint.name)
    # A stand-in agrees with no birth date, but one of another decade speaks against it.
    compared = replace(hint, birth_date=told if told and told <= today and is_stand_in(told) else usable)
    charts = lay_out(compared, typed, candidates, in_diary=in_diary)
    hint = replace(hint, birth_date=usable)
    evidence = tuple(rank(map(candidate_of, charts.values())))
    decision = _decide(hint, typed, charts)
    if decision.chosen is None:
        answer = NoMatch if decision.reason in (Reason.NO_MATCH, Reason.NOT_IDENTIFIABLE) else Ambiguous
        return answer(decision.reason, evidence, decision.rule)
    if decision.chosen.identifiers < identifiers:
        return Ambiguous(Reason.THIRD_IDENTIFIER, evidence, decision.rule)
    if any(_may_be_meant(other, decision.chosen) for other in charts.values()):
        return Ambiguous(Reason.SEVERAL_CHARTS, evidence, decision.rule)
    return Matched(decision.chosen.patient.patient_id, decision.rule, evidence)


@dataclass(frozen=True, slots=True)
class _Decision:
    """What the first rule that fired says: the chart to file on, or why a person must decide."""

    rule: int
    chosen: Chart | None = None
    reason: Reason = Reason.NO_MATCH


def _decide(hint: Hint, typed: TypedName | None, charts: Mapping[str, Chart]) -> _Decision:
    decision = _by_rules(hint, typed, charts) if typed else None
    if typed is None or decision is None or (typed.is_doubtful and not _is_told_in_full(typed, decision.chosen)):
        return _Decision(0, reason=Reason.NOT_IDENTIFIABLE)
    return decision


def _is_told_in_full(typed: TypedName, chosen: Chart | None) -> bool:
    """Whether a name that may be nobody's is this chart's, word for word, and the birth date as well."""
    if chosen is None or not chosen.name.is_whole or not chosen.birth_date_agrees:
        return False
    born = chosen.patient.birth_date
    days = [sorted((born.day, born.month, year)) for year in (born.year, born.year % 100)] if born else []
    return not typed.numbers or list(typed.numbers) in days


def _by_rules(hint: Hint, typed: TypedName, charts: Mapping[str, Chart]) -> _Decision:
    linked = charts.get(linked_id(hint))
    if linked is not None:  # an id that is no chart's may be another system's: no evidence either way
        return _by_linked_id(linked, charts)
    for rule in (_by_birth_date, _by_slip, _by_changed_family_name, _by_email):
        decision = rule(typed, charts)
        if decision is not None:
            return decision
    return _Decision(6, reason=Reason.NOT_IDENTIFIABLE if hint.birth_date is None else Reason.NO_MATCH)


# ---------------------------------------------------------------- rule 1: the linked id


def _by_linked_id(linked: Chart, charts: Mapping[str, Chart]) -> _Decision:
    """The linked id is checked, never trusted."""
    chart = survivor(linked, charts)
    if chart is None:
        return _Decision(1, reason=Reason.ARCHIVED_ONLY)
    if chart.name.fit is None or chart.birth_date_agrees is False:
        return _Decision(1, reason=Reason.LINK_CONTRADICTED)
    if not chart.is_live:
        return _Decision(1, reason=Reason.ARCHIVED_ONLY)
    if chart.name.by_last_given and chart.birth_date_agrees is None:  # Kevin Minh may be the son of Minh
        return _Decision(1, reason=Reason.NOT_IDENTIFIABLE)
    # A live chart that fits as well makes it two charts of one person, or the link a twin's.
    rivals = [other for other in charts.values() if other.is_live and other.name.fit and _is_rival(other, chart)]
    if _the_only_one([chart, *rivals]) is chart:
        return _Decision(1, chart)
    return _Decision(1, reason=Reason.SEVERAL_CHARTS)


def _is_rival(other: Chart, chart: Chart) -> bool:
    """Whether the birth dates leave room for taking the other chart for this one, as far as they are known."""
    if other is chart:
        return False
    if chart.birth_date_agrees:
        return other.birth_date_agrees is True
    between = birth_dates_agree(other.patient.birth_date, chart.patient.birth_date)
    return other.birth_date_agrees is not False and between is not False


# ---------------------------------------------------------------- rules 2 to 5


def _by_birth_date(typed: TypedName, charts: Mapping[str, Chart]) -> _Decision | None:
    """Rule 2: birth date and name agree. A short form may be a twin's as well, whatever the dictionary knows."""
    decision = _one_of(2, [chart for chart in charts.values() if chart.birth_date_agrees and chart.name.fit], charts)
    if decision is None or decision.chosen is None or decision.chosen.name.fit is NameFit.EXACT:
        return decision
    has_twin = any(_may_be_twins(other, decision.chosen, typed, charts) for other in charts.values())
    return _Decision(2, reason=Reason.SEVERAL_CHARTS) if has_twin else decision


def _by_slip(typed: TypedName, charts: Mapping[str, Chart]) -> _Decision | None:
    """Rule 3: birth date and name agree but for a slip, which a twin's name may be as well."""
    decision = _one_of(3, [chart for chart in charts.values() if chart.birth_date_agrees and chart.name.slip], charts)
    if decision is None or decision.chosen is None:
        return decision
    has_twin = any(_may_be_twins(other, decision.chosen, typed, charts) for other in charts.values())
    return None if has_twin else decision


def _may_be_twins(other: Chart, chosen: Chart, typed: TypedName, charts: Mapping[str, Chart]) -> bool:
    """Whether somebody else of that birth date has the family name that was typed, the chosen one's, or one like it.

    One family name and birth date with another given name are twins until shown otherwise.
    """
    if not other.birth_date_agrees or survivor(other, charts) is chosen:
        return False
    if not other.is_live and same_given_name(other.patient.first_name, chosen.patient.first_name):
        return False  # an old chart of the same person
    own = family_key(chosen.patient.last_name)
    return any(
        name in typed.splits or OSA.distance(name, own, score_cutoff=1) <= 1
        for name in (family_key(other.patient.last_name), family_key(other.patient.first_name))
    )


def _by_changed_family_name(_typed: TypedName, charts: Mapping[str, Chart]) -> _Decision | None:
    """Rule 4: given name, birth date and a personal e-mail agree; a family name changes when people marry."""
    alike = [
        chart
        for chart in charts.values()
        if chart.birth_date_agrees and chart.email_agrees and chart.name.given_found and not chart.name.fit
    ]
    return _one_of(4, alike, charts)


def _by_email(_typed: TypedName, charts: Mapping[str, Chart]) -> _Decision | None:
    """Rule 5: the name, word for word, and a personal e-mail agree, and the birth date is unknown on one side.

    In one mailbox John Paul Smith may be the son of John Smith, and Ali Hassan that of Hassan Ali. A father and a son
    of one name may share it, so nobody else in it may have the name; nor may somebody whose chart has no address, since
    the mailbox may be theirs too.
    """
    named = [chart for chart in charts.values() if chart.email_agrees and chart.name.fit]
    alike = [chart for chart in named if chart.name.is_whole and chart.birth_date_agrees is None]
    decision = _one_of(5, alike, charts)
    if decision is None or decision.chosen is None:
        return decision
    others = [other for other in named if survivor(other, charts) is not decision.chosen]
    in_doubt = any(not _is_same_birthday(other, decision.chosen) or other.is_live for other in others)
    if in_doubt or any(_may_be_in_the_mailbox(other, decision.chosen) for other in charts.values()):
        return _Decision(5, reason=Reason.SEVERAL_CHARTS)
    return decision


def _may_be_in_the_mailbox(other: Chart, chosen: Chart) -> bool:
    """Whether a live namesake's chart has no address, and no birth date that speaks against it."""
    if other is chosen or not other.is_live or other.birth_date_agrees is False:
        return False
    return other.name.fit is not None and email_key(other.patient.email) == ""


def _is_same_birthday(one: Chart, other: Chart) -> bool:
    return birth_dates_agree(one.patient.birth_date, other.patient.birth_date) is True


# ---------------------------------------------------------------- which of those that fit


def _one_of(rule: int, fitting: Sequence[Chart], charts: Mapping[str, Chart]) -> _Decision | None:
    """What a rule decides about the charts that fit it: exactly one live one is chosen. None if none fits."""
    live = [chart for chart in fitting if chart.is_live]
    gone = [chart for chart in fitting if not chart.is_live]
    if not fitting:
        return None
    if not live:
        return _Decision(rule, reason=Reason.ARCHIVED_ONLY)
    chosen = _the_only_one(live)
    if chosen is None or any(_points_elsewhere(chart, chosen, charts) for chart in gone):
        return _Decision(rule, reason=Reason.SEVERAL_CHARTS)
    return _Decision(rule, chosen)


def _the_only_one(live: Sequence[Chart]) -> Chart | None:
    """The one that fits; or the exact one, where nobody else's own first name is a form of what was typed."""
    if len(live) == 1:
        return live[0]
    exact = [chart for chart in live if chart.name.fit is NameFit.EXACT]
    others_by_own_name = any(chart.name.by_first_name for chart in live if chart.name.fit is not NameFit.EXACT)
    return exact[0] if len(exact) == 1 and not others_by_own_name else None


def _may_be_meant(other: Chart, chosen: Chart) -> bool:
    """Whether another chart keeps the chosen one from being taken: of the same person, or of the very name."""
    return _may_be_the_same_person(other, chosen) or _has_the_very_name(other, chosen)


def _has_the_very_name(other: Chart, chosen: Chart) -> bool:
    """Whether a live chart has the name that was typed, the chosen one has not, and no birth date tells them apart."""
    if chosen.name.fit is NameFit.EXACT or other.name.fit is not NameFit.EXACT or not other.is_live:
        return False
    return other.birth_date_agrees is None or other.birth_date_near


def _may_be_the_same_person(other: Chart, chosen: Chart) -> bool:
    """Whether another live chart is likely a second one of the chosen one's person, though it fits less well.

    It has the birth date, and the family name with a slip; or the given name and the mailbox, and no other birth date.
    """
    if other is chosen or not other.is_live or other.birth_date_agrees is False:
        return False
    if other.birth_date_agrees and other.name.slip is NameSlip.FAMILY:
        return True
    one_mailbox = other.email_agrees or email_key(other.patient.email) == email_key(chosen.patient.email) != ""
    return one_mailbox and (other.name.fit is not None or other.name.given_found)


def _points_elsewhere(gone: Chart, chosen: Chart, charts: Mapping[str, Chart]) -> bool:
    """Whether an archived or merged chart that fits is somebody else's than the chosen one's.

    Beside the one live chart it is normally an old chart of the same person. Not so where it was merged into
    another live chart, or where the live one does not fit exactly and the old one has another given name.
    """
    end = survivor(gone, charts)
    if end is chosen:
        return False
    if end is None or end.is_live:
        return True
    is_exact = chosen.name.fit is NameFit.EXACT
    return not is_exact and not same_given_name(gone.patient.first_name, chosen.patient.first_name)
