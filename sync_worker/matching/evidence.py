"""One chart beside a hint: how each field compares, and what of it is told to a person.

Owns the evidence levels of name, birth date, e-mail, linked id and appointment. A value missing on either side counts
neither way. What is told names charts and fields, never their values.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from sync_worker.matching.comparing import NameComparison, NameFit, NameSlip, compare_name
from sync_worker.matching.names import TypedName, family_key, read_name
from sync_worker.model import Candidate, Hint, Patient


class Evidence(StrEnum):
    """The words of `Candidate.agrees` and `Candidate.against`. An e-mail that differs is no contradiction."""

    NAME_EXACT = "name_exact"
    NAME_NICKNAME = "name_nickname"
    FAMILY_NAME_SLIP = "family_name_slip"
    GIVEN_NAME_SLIP = "given_name_slip"
    GIVEN_NAME = "given_name"
    GIVEN_NAME_NEAR = "given_name_near"
    FAMILY_NAME = "family_name"
    BIRTH_DATE = "birth_date"
    BIRTH_DATE_NEAR = "birth_date_near"
    EMAIL = "email"
    LINKED_ID = "linked_id"
    APPOINTMENT = "appointment"
    ARCHIVED = "archived"
    MERGED = "merged"
    PRIVACY = "privacy"


IDENTITY = frozenset(
    {Evidence.GIVEN_NAME, Evidence.FAMILY_NAME, Evidence.BIRTH_DATE, Evidence.BIRTH_DATE_NEAR, Evidence.LINKED_ID}
)
"""What speaks against its being the same person, unlike what only forbids filing."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart and how each field compares; None = unknown on one side."""

    patient: Patient
    name: NameComparison
    birth_date_agrees: bool | None
    birth_date_near: bool
    email_agrees: bool
    linked: bool | None
    booked: bool
    """Whether the patient is the clinician's appointment at the session's time."""

    @property
    def is_live(self) -> bool:
        return not self.patient.archived and self.patient.merged_into is None

    @property
    def identifiers(self) -> int:
        """How many independent identifiers agree; family and given name together are one (NSQHS action 6.5)."""
        named = self.name.fit is not None or self.name.slip is not None
        return sum((named, self.birth_date_agrees is True, self.email_agrees, self.linked is True, self.booked))


def lay_out(
    hint: Hint, typed: TypedName | None, candidates: Iterable[Patient], *, in_diary: Collection[str] = ()
) -> dict[str, Chart]:
    """Compare every chart once; the linked id speaks for the chart it leads to and against all others."""
    patients = _one_each(candidates)
    email = email_key(hint.email)
    if _is_desk_address(email, patients.values()):
        email = ""
    charts = {
        patient_id: _lay_beside(hint, typed, email, patient, booked=patient_id in in_diary)
        for patient_id, patient in patients.items()
    }
    linked = charts.get(linked_id(hint))
    if linked is None:
        return charts
    meant = {linked.patient.patient_id, *(end.patient.patient_id for end in (survivor(linked, charts),) if end)}
    return {key: replace(chart, linked=key in meant) for key, chart in charts.items()}


def check_patient(hint: Hint, patient: Patient) -> Candidate:
    """Say what speaks for and against one chart, one that a person chose included.

    The hint's birth date is compared as it stands, stand-ins aside; put it through `usable_birth_date` first.
    """
    return candidate_of(_lay_beside(hint, read_name(hint.name), email_key(hint.email), patient, booked=False))


def candidate_of(chart: Chart) -> Candidate:
    """What is told of a chart."""
    return Candidate(chart.patient.patient_id, agrees=tuple(_agreeing(chart)), against=tuple(_opposing(chart)))


def _agreeing(chart: Chart) -> Iterator[Evidence]:
    name = chart.name
    if name.fit is not None:
        yield _FITS[name.fit]
    elif name.slip is not None:
        yield _SLIPS[name.slip]
    elif name.given_found:
        yield Evidence.GIVEN_NAME
    elif name.given_near:
        yield Evidence.GIVEN_NAME_NEAR
    if chart.birth_date_agrees:
        yield Evidence.BIRTH_DATE
    if chart.email_agrees:
        yield Evidence.EMAIL
    if chart.linked:
        yield Evidence.LINKED_ID
    if chart.booked:
        yield Evidence.APPOINTMENT


def _opposing(chart: Chart) -> Iterator[Evidence]:
    patient, name = chart.patient, chart.name
    if name.given_differs:
        yield Evidence.GIVEN_NAME
    if name.family_differs:
        yield Evidence.FAMILY_NAME
    if chart.birth_date_agrees is False:
        yield Evidence.BIRTH_DATE_NEAR if chart.birth_date_near else Evidence.BIRTH_DATE
    if chart.linked is False:
        yield Evidence.LINKED_ID
    if patient.archived:
        yield Evidence.ARCHIVED
    if patient.merged_into is not None:
        yield Evidence.MERGED
    if patient.accepted_privacy_policy is False:
        yield Evidence.PRIVACY


_FITS = {NameFit.EXACT: Evidence.NAME_EXACT, NameFit.NICKNAME: Evidence.NAME_NICKNAME}
_SLIPS = {NameSlip.FAMILY: Evidence.FAMILY_NAME_SLIP, NameSlip.GIVEN: Evidence.GIVEN_NAME_SLIP}


def is_alike(candidate: Candidate) -> bool:
    """Whether a chart is alike enough to be shown to a person who looks for a patient."""
    agrees = set(candidate.agrees) - {Evidence.GIVEN_NAME}
    return bool(agrees) or Evidence.BIRTH_DATE_NEAR in candidate.against


def survivor(chart: Chart, charts: Mapping[str, Chart]) -> Chart | None:
    """Follow merges to their end; None if the trail leaves what was read or runs in a circle."""
    for _ in charts:  # a trail longer than the number of charts is a circle
        if chart.patient.merged_into is None:
            return chart
        following = charts.get(chart.patient.merged_into)
        if following is None:
            return None
        chart = following
    return None


def linked_id(hint: Hint) -> str:
    """The patient id that Heidi links; "" if none."""
    return (hint.linked_patient_id or "").strip()


_NOT_COMPARED = NameComparison(None)


def _lay_beside(hint: Hint, typed: TypedName | None, email: str, patient: Patient, *, booked: bool) -> Chart:
    first, last, preferred = patient.first_name, patient.last_name, patient.preferred_first_name
    agrees = birth_dates_agree(hint.birth_date, patient.birth_date)
    return Chart(
        patient,
        name=compare_name(typed, first=first, last=last, preferred=preferred) if typed else _NOT_COMPARED,
        birth_date_agrees=agrees,
        birth_date_near=agrees is False and _is_near(hint.birth_date, patient.birth_date),
        email_agrees=email != "" and email == email_key(patient.email),
        linked=True if linked_id(hint) == patient.patient_id else None,
        booked=booked,
    )


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


# ---------------------------------------------------------------- birth dates


def usable_birth_date(hint_birth_date: date | None, *, today: date) -> date | None:
    """Return the birth date if it can be somebody's; None if missing, to come, over 120 years ago or a stand-in.

    Stand-ins are 1 January of 1900 and of every round year (1970, 1980, ...): what software fills in for "unknown".
    """
    if hint_birth_date is None or is_stand_in(hint_birth_date) or hint_birth_date > today:
        return None
    oldest = (today.year - 120, today.month, today.day)
    return hint_birth_date if (hint_birth_date.year, hint_birth_date.month, hint_birth_date.day) >= oldest else None


def birth_dates_agree(one: date | None, other: date | None) -> bool | None:
    """Whether two birth dates are the same; None where one is missing or a stand-in.

    A stand-in for a date that is not known is somebody's decade: 1960 is not that of a son born in 1994. Only 1900 is
    nobody's.
    """
    if one is None or other is None:
        return None
    if is_stand_in(one) or is_stand_in(other):
        is_nobodys = _NOBODYS_YEAR in (one.year, other.year)
        return None if is_nobodys or abs(one.year - other.year) <= _WITHIN_A_STAND_IN else False
    return one == other


_NOBODYS_YEAR = 1900
_WITHIN_A_STAND_IN = 5
"""Years: what is rounded to a decade is not further off."""


def is_stand_in(day: date) -> bool:
    """Whether a date is written where none is known: 1 January of 1900 and of every round year."""
    return (day.month, day.day) == (1, 1) and day.year % 10 == 0


def _is_near(one: date | None, other: date | None) -> bool:
    """Whether a date is likely the other one mistyped: day and month swapped, one digit wrong, or a year off."""
    if one is None or other is None:
        return False
    if (one.month, one.day) == (other.day, other.month) and one.year == other.year:
        return True
    if (one.month, one.day) == (other.month, other.day):
        return abs(one.year - other.year) == 1 or one.year // 10 == other.year // 10
    differing = sum(a != b for a, b in zip(f"{one:%m%d}", f"{other:%m%d}", strict=True))
    return one.year == other.year and differing == 1


# ---------------------------------------------------------------- e-mail


_DESK_CHARTS, _DESK_FAMILIES = 6, 3
"""An address on more charts or more family names than this is a front desk's or a school's, not a household's."""


def email_key(email: str | None) -> str:
    """An e-mail address as two are compared; "" for none, and for what is none, as "n/a"."""
    key = (email or "").strip().lower()
    return key if "@" in key[1:-1] else ""


def _is_desk_address(email: str, patients: Iterable[Patient]) -> bool:
    if not email:
        return False
    families = Counter(family_key(patient.last_name) for patient in patients if email_key(patient.email) == email)
    return families.total() > _DESK_CHARTS or len(families) > _DESK_FAMILIES


def rank(candidates: Iterable[Candidate]) -> Sequence[Candidate]:
    """Most agreement first, for the reviewer's eye alone: being nearest is no evidence."""
    return sorted(candidates, key=_rank)


_IDENTIFIERS = frozenset(
    {Evidence.NAME_EXACT, Evidence.NAME_NICKNAME, Evidence.BIRTH_DATE, Evidence.EMAIL, Evidence.LINKED_ID}
)


def _rank(candidate: Candidate) -> tuple[int, bool, int, int, str]:
    whole = len(_IDENTIFIERS.intersection(candidate.agrees))
    exact = Evidence.NAME_EXACT in candidate.agrees
    return -whole, not exact, -len(candidate.agrees), len(candidate.against), candidate.patient_id
