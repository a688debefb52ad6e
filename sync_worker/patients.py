"""The patient of a session: what Heidi says of them, the charts that it may mean, the rules, the diary's objections.

Charts are looked for by birth date, e-mail and linked id; by family name only where the answer may depend on it, or a
person will want to see more. Answers hold ids and names of fields, never values.
"""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from datetime import date, tzinfo

from anyascii import anyascii

from sync_worker.charts import Charts
from sync_worker.clock import Clock
from sync_worker.diary import Diary
from sync_worker.matching import (
    IDENTITY,
    Evidence,
    check_patient,
    family_name_part,
    family_name_parts,
    is_alike,
    match_patient,
    usable_birth_date,
)
from sync_worker.model import (
    Ambiguous,
    Candidate,
    Hint,
    Matched,
    MatchOutcome,
    NoMatch,
    Patient,
    PatientProfile,
    Session,
)
from sync_worker.records import Entry, Reason
from sync_worker.search import Word, fitting, words_of

NAMED = frozenset({Evidence.NAME_EXACT, Evidence.NAME_NICKNAME, Evidence.FAMILY_NAME_SLIP, Evidence.GIVEN_NAME_SLIP})
"""What says that a chart has the name, slips aside."""
MOST_SUGGESTIONS = 20
"""Charts alike in name that are shown to a person. More would be no help."""
MOST_FOUND = 50
"""Charts that one search of a person's shows: it gives back one more, so that the page can say that there are more."""
BY_LINKED_ID, BY_EMAIL_ALONE, NO_RULE = 1, 5, 6
"""Of the matching's rules: that of Heidi's link, which points to one chart; that for which nobody else of the name may
be in the mailbox, in whatever capitals it is written; and that no other one fired."""


class Patients:
    """Finds the patient of each of one clinician's sessions. Reads only.

    `identifiers` must agree before a note is filed without asking; `zone` gives the practice's time zone, `profile`
    Heidi's record of a patient by its id.
    """

    def __init__(
        self,
        *,
        profile: Callable[[str], PatientProfile | None],
        charts: Charts,
        diary: Diary,
        identifiers: int,
        zone: Callable[[], tzinfo],
        clock: Clock,
    ) -> None:
        self._profile = profile
        self._charts = charts
        self._diary = diary
        self._identifiers = identifiers
        self._zone = zone
        self._clock = clock

    def through(self, charts: Charts) -> "Patients":
        """The same, but that it reads charts in another way."""
        other = copy(self)
        other._charts = charts
        return other

    def read_ahead(self, session: Session, entry: Entry) -> None:
        """Ask for the charts that `patient_for` will look at first. Raises `RemoteError`."""
        if entry.pinned and entry.patient_id is not None:
            self._charts.with_id(entry.patient_id)
        elif session.consent is not False:
            hint = self._completed(session)
            if isinstance(hint, Hint):
                self._pointed_to(hint)

    def patient_for(self, session: Session, entry: Entry | None) -> MatchOutcome:
        """The chart that a session's note goes to, or why there is none.

        `entry` tells what is decided already: a person's choice of patient, or the one an attempt in doubt was for.

        Raises `RemoteError` where a service does not answer: an empty answer and none are not the same.
        """
        self._charts.decide_anew()
        if entry is not None and entry.pinned and entry.patient_id is not None:
            match = self._check_pinned(session, entry, entry.patient_id)
        else:
            match = self._match(session)
        if entry is not None and entry.bound and isinstance(match, Matched) and entry.patient_id != match.patient_id:
            return Ambiguous(Reason.PATIENT_CHANGED, match.candidates, match.rule)
        return match

    def look(self, session: Session) -> tuple[MatchOutcome, list[Patient]]:
        """The answer of the rules, and the charts themselves, for a person to look at: whatever forbids filing aside.

        What is told to differ between session and profile in Heidi is left to the session. Raises `RemoteError`.
        """
        told = self._completed(session)
        return self._look_wider(session, told if isinstance(told, Hint) else session.hint)

    def search(self, name: str, born: date | None) -> list[Patient]:
        """The charts that a person looks for, best first, by a birth date and the words of a name.

        One more than `MOST_FOUND` where there are more. Raises `RemoteError`.
        """
        words = words_of(name)
        found = self._charts.born(born) if born else []
        if words:
            found = [*found, *(chart for word in words for chart in self._of_family(word))]
        fit = fitting(found, words, born)
        if not fit and len(words) == 1 and words[0].part:
            fit = fitting(self._charts.given_like(words[0].part), words, None)
        return fit[: MOST_FOUND + 1]

    def _of_family(self, word: Word) -> list[Patient]:
        if word.part:
            return self._charts.named_like(word.part)
        plain = anyascii(word.typed)
        ways = dict.fromkeys((word.typed, plain if plain.isalpha() else word.typed))
        return [chart for way in ways for chart in self._charts.of_family(way)]

    def merged_into(self, patient: Patient) -> list[Patient]:
        """The charts that were merged into a patient's, as far as they have the birth date. Raises `RemoteError`.

        Only a chart that lost says so in Cliniko, so that all of the birth date are looked at. One with another birth
        date, mistyped perhaps, is not found.
        """
        alike = self._charts.born(patient.birth_date) if patient.birth_date else []
        survivor, into = patient.patient_id, {one.patient_id: one.merged_into for one in alike if one.merged_into}
        return [one for one in alike if one.patient_id != survivor and survivor in _chain(one.patient_id, into)]

    def compare(self, hint: Hint, charts: list[Patient]) -> MatchOutcome:
        """These charts beside a hint, whoever chose them."""
        return match_patient(hint, charts, today=self._today())

    def booking_for(self, session: Session, patient_id: str) -> str | None:
        """The patient's own booking with the clinician at the session's time, if there is exactly one."""
        return self._diary.word(session_at=session.created_at, patient_id=patient_id).booking_id

    @property
    def fresh_until(self) -> float:
        """Until when, on the monotonic clock, the charts of the last answer need not be read again."""
        return self._charts.fresh_until

    def is_about(self, session: Session, patient_id: str) -> bool:
        """Whether a session is still about the patient of this chart, or of the one it was merged into.

        Not where its name cannot be read, nor where it is linked to another chart.
        """
        hint = self._completed(session)
        charts = self._charts.with_survivors(self._charts.with_id(patient_id))
        if not isinstance(hint, Hint) or not charts or self._leads_elsewhere(hint, patient_id):
            return False
        looked_at = [check_patient(self._usable(hint), one) for one in charts]
        if any(_has_name_and_birth_date(one) for one in looked_at):
            return True
        return isinstance(match_patient(hint, charts, today=self._today()), Matched)

    def _leads_elsewhere(self, hint: Hint, patient_id: str) -> bool:
        """Whether the linked id is another chart's. What is no chart's may be another system's."""
        linked = (hint.linked_patient_id or "").strip()
        return bool(self._charts.with_id(linked)) and not self.is_one_chart(linked, patient_id)

    def is_one_chart(self, one: str, other: str) -> bool:
        """Whether two ids are one patient's: the same, or their charts were merged. Raises `RemoteError`."""
        return one == other or bool(self._trail(one) & self._trail(other))

    def _trail(self, patient_id: str) -> set[str]:
        """A chart, and those that it was merged into."""
        return {patient_id, *(one.patient_id for one in self._charts.with_survivors(self._charts.with_id(patient_id)))}

    def forget(self) -> None:
        """The tick is over, or what was read is too old: it is let go."""
        self._charts.forget()
        self._diary.forget()

    # ------------------------------------------------------------ by the rules

    def _match(self, session: Session) -> MatchOutcome:
        if session.consent is False:
            return NoMatch(Reason.CONSENT_REFUSED)
        hint = self._completed(session)
        if not isinstance(hint, Hint):
            return NoMatch(hint)
        match, charts = self._look_wider(session, hint)
        if not isinstance(match, Matched):
            return match
        chosen = next(chart for chart in charts if chart.patient_id == match.patient_id)
        if chosen.accepted_privacy_policy is False:
            return Ambiguous(Reason.PRIVACY_DECLINED, match.candidates, match.rule)
        objection = self._diary.word(session_at=session.created_at, patient_id=match.patient_id).objection
        return match if objection is None else Ambiguous(objection, match.candidates, match.rule)

    def _look_wider(self, session: Session, hint: Hint) -> tuple[MatchOutcome, list[Patient]]:
        """The answer of the rules, and the charts that it is about."""
        charts = self._charts.with_survivors(self._pointed_to(hint))
        match = self._by_rules(session, hint, charts)
        if match.rule == NO_RULE:  # a person will want to see who is alike
            charts = self._charts.with_survivors([*charts, *self._alike(hint)])
            match = self._by_rules(session, hint, charts)
        if isinstance(match, Matched) and (namesakes := self._namesakes(hint, match, charts)):
            charts = self._charts.with_survivors([*charts, *namesakes])
            match = self._by_rules(session, hint, charts)
        return match, charts

    def _pointed_to(self, hint: Hint) -> list[Patient]:
        """The charts that the hint's link, birth date and e-mail lead to."""
        born = self._usable(hint).birth_date
        found = [*self._charts.with_id((hint.linked_patient_id or "").strip())]
        found += self._charts.born(born) if born else []
        found += self._charts.with_email(hint.email) if hint.email else []
        return found

    def _namesakes(self, hint: Hint, match: Matched, charts: list[Patient]) -> list[Patient]:
        """Whoever may have the very name that was typed, where exact name and birth date do not carry the match.

        Their charts lack the birth date or have it mistyped, so that no other search finds them.
        """
        if match.rule == BY_LINKED_ID:
            return []
        chosen = next(chart for chart in charts if chart.patient_id == match.patient_id)
        agrees = next(one.agrees for one in match.candidates if one.patient_id == match.patient_id)
        if match.rule == BY_EMAIL_ALONE or not {Evidence.NAME_NICKNAME, Evidence.GIVEN_NAME_SLIP}.isdisjoint(agrees):
            return self._charts.of_family(chosen.last_name)
        if Evidence.NAME_EXACT in agrees:
            return []
        found = [chart for part in family_name_parts(hint.name) for chart in self._charts.named_like(part)]
        return [chart for chart in found if Evidence.NAME_EXACT in check_patient(hint, chart).agrees]

    def _by_rules(self, session: Session, hint: Hint, charts: list[Patient]) -> MatchOutcome:
        booked = self._diary.booked(session_at=session.created_at) if self._identifiers > 2 else ()
        return match_patient(hint, charts, today=self._today(), identifiers=self._identifiers, in_diary=booked)

    def _alike(self, hint: Hint) -> list[Patient]:
        """Those of a like family name whom a person would want to see: alike in more than a part of it."""
        part = family_name_part(hint.name)
        found = self._charts.named_like(part) if part else []
        return [chart for chart in found if is_alike(check_patient(self._usable(hint), chart))][:MOST_SUGGESTIONS]

    def _usable(self, hint: Hint) -> Hint:
        return replace(hint, birth_date=usable_birth_date(hint.birth_date, today=self._today()))

    def _completed(self, session: Session) -> Hint | Reason:
        """The session's hint, with what Heidi's patient profile adds; or how the two contradict each other.

        Names come from the session alone.
        """
        profile = session.profile or self._profile_of(session)
        links = (session.hint.linked_patient_id, session.profile_link, profile.linked_patient_id if profile else None)
        if self._lead_apart(*filter(None, links)):
            return Reason.LINK_CONTRADICTED
        if profile is None:
            return session.hint
        hint, told = self._usable(session.hint), usable_birth_date(profile.birth_date, today=self._today())
        if (hint.birth_date and told and hint.birth_date != told) or _is_somebody_elses(profile, hint):
            return Reason.BIRTH_DATES_DIFFER
        return Hint(
            name=hint.name,
            birth_date=hint.birth_date or told,
            linked_patient_id=hint.linked_patient_id or profile.linked_patient_id,
            email=hint.email or profile.email,
        )

    def _profile_of(self, session: Session) -> PatientProfile | None:
        profile_id = session.patient_profile_id
        return self._profile(profile_id) if profile_id else None

    def _lead_apart(self, *links: str) -> bool:
        """Whether patient ids that are linked to one session are not all one patient's."""
        return any(not self.is_one_chart(links[0], other) for other in links[1:])

    def _today(self) -> date:
        """The practice's date: in UTC, a baby born this morning in Hobart would be yet to come."""
        return self._clock.now().astimezone(self._zone()).date()

    # ------------------------------------------------------------ by a person's choice

    def _check_pinned(self, session: Session, entry: Entry, patient_id: str) -> MatchOutcome:
        """A person's choice stands, unless the chart cannot take a note any more, or somebody refused since."""
        patient = next(iter(self._charts.with_id(patient_id)), None)
        if patient is None:
            return NoMatch(Reason.PATIENT_UNAVAILABLE)
        evidence = (check_patient(self._usable(session.hint), patient),)
        if patient.archived or patient.merged_into:
            return Ambiguous(Reason.PATIENT_UNAVAILABLE, evidence)
        if session.consent is False and Reason.CONSENT_REFUSED not in entry.waived:
            return Ambiguous(Reason.CONSENT_REFUSED, evidence)
        if patient.accepted_privacy_policy is False and Reason.PRIVACY_DECLINED not in entry.waived:
            return Ambiguous(Reason.PRIVACY_DECLINED, evidence)
        return Matched(patient_id, 0, evidence)


def _chain(patient_id: str, into: Mapping[str, str]) -> set[str]:
    """The charts that a chart was merged into, one after another; a loop ends."""
    passed: set[str] = set()
    while (following := into.get(patient_id)) is not None and following not in passed:
        passed.add(following)
        patient_id = following
    return passed


def _is_somebody_elses(profile: PatientProfile, hint: Hint) -> bool:
    """Whether a profile clearly has another given name than the session: a parent's, say. Family names change."""
    if f"{profile.first_name} {profile.last_name}".casefold().split() == hint.name.casefold().split():
        return False
    beside = check_patient(hint, Patient("", first_name=profile.first_name, last_name=profile.last_name))
    return Evidence.GIVEN_NAME in beside.against and Evidence.GIVEN_NAME_NEAR not in beside.agrees


def _has_name_and_birth_date(beside: Candidate) -> bool:
    """Whether a chart has the session's birth date and its name, slips aside, and nothing speaks against it."""
    agrees = set(beside.agrees)
    return Evidence.BIRTH_DATE in agrees and bool(NAMED & agrees) and not IDENTITY & set(beside.against)
