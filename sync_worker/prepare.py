"""From a document to a note ready to be sent: reads and pure functions only, so it may be done again at will.

session -> document -> note content -> patient match. Says why not, where it cannot; never writes anywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo
from fnmatch import fnmatchcase

from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.convert import note_title, render_note_content, source_line
from sync_worker.errors import ConversionError
from sync_worker.heidi import HeidiClient
from sync_worker.matching import IDENTITY, Evidence, check_patient, match_patient, usable_birth_date
from sync_worker.model import (
    DEFAULT_ROUTE,
    Ambiguous,
    Candidate,
    Document,
    Hint,
    Matched,
    MatchOutcome,
    NoMatch,
    Note,
    NoteContent,
    Patient,
    Reason,
    Route,
    Session,
    Template,
)
from sync_worker.reference import reference_of
from sync_worker.templates import Templates


@dataclass(frozen=True, slots=True)
class Prepared:
    """A note that may be sent."""

    note: Note
    reference: str
    rule: int | None
    """Which rule matched the patient; None where a person did."""
    candidates: Sequence[Candidate] = ()
    """Every chart that was looked at, and what spoke for it and against it."""


@dataclass(frozen=True, slots=True)
class NeedsReview:
    """A person must decide first."""

    reason: Reason
    candidates: Sequence[Candidate] = ()
    code: str | None = None
    """Why a document cannot be carried (`ConversionError`)."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not to be filed, by a rule."""

    reason: Reason


Preparation = Prepared | NeedsReview | Skipped


@dataclass(frozen=True, slots=True)
class NoteSettings:
    """How notes are made."""

    region: str
    routes: Sequence[Route]
    html: str
    draft: bool
    identifiers: int


class Preparer:
    """Makes notes of documents for one clinician. `zone` gives the practice's time zone, which may need asking."""

    def __init__(
        self,
        *,
        heidi: HeidiClient,
        cliniko: ClinikoClient,
        settings: NoteSettings,
        zone: Callable[[], tzinfo],
        clock: Clock,
    ) -> None:
        self._heidi = heidi
        self._cliniko = cliniko
        self._settings = settings
        self._zone = zone
        self._clock = clock
        self._templates = Templates(cliniko, clock)

    def prepare(
        self,
        session: Session,
        document: Document,
        *,
        pinned_patient_id: str | None = None,
        bound_patient_id: str | None = None,
    ) -> Preparation:
        """A note for a document, or why there is none. `pinned_patient_id` is a person's choice of patient.

        `bound_patient_id`: an attempt for this patient was in doubt, so the note may go to them or to nobody.

        Raises `RemoteError` where a service does not answer: an empty answer and none are not the same. Raises
        `ConfigurationError` where Cliniko has not the one template that the route names.
        """
        route = self.route_for(document)
        if route.action == "skip":
            return Skipped(Reason.ROUTE)
        if route.action == "review" and pinned_patient_id is None:
            return NeedsReview(Reason.ROUTE)
        template = self._template(route)  # first: where it is not there, every other request is in vain
        match = self.patient_for(session, pinned_patient_id=pinned_patient_id, bound_patient_id=bound_patient_id)
        if not isinstance(match, Matched):
            return NeedsReview(match.reason, match.candidates)
        try:
            note = self._note(session, document, route, template, match.patient_id)
        except ConversionError as error:
            return NeedsReview(Reason.NOT_CARRIED, match.candidates, error.code)
        return Prepared(note, self._reference(session, document), match.rule or None, match.candidates)

    def patient_for(
        self, session: Session, *, pinned_patient_id: str | None, bound_patient_id: str | None
    ) -> MatchOutcome:
        """The chart that a session's notes go to, or why there is none."""
        if pinned_patient_id is not None:
            match = self._check_pinned(session.hint, pinned_patient_id)
        else:
            match = self._match(session)
        if isinstance(match, Matched) and bound_patient_id not in (None, match.patient_id):
            return Ambiguous(Reason.PATIENT_CHANGED, match.candidates)
        return match

    def note(self, session: Session, document: Document, patient_id: str) -> Note:
        """What would be sent for a document, were it this patient's. Raises `ConversionError`."""
        route = self.route_for(document)
        return self._note(session, document, route, self._template(route), patient_id)

    def title(self, session: Session, document: Document) -> str:
        """The title of a document's note."""
        return note_title(
            template=self.route_for(document).title,
            document_name=document.name,
            session_date=session.created_at.astimezone(self._zone()).date(),
            reference=self._reference(session, document),
        )

    def render(self, session: Session, document: Document) -> NoteContent:
        """What the note of a document says now.

        Raises `ConversionError`, and what asking for the route's template raises (`Templates.find`).
        """
        route = self.route_for(document)
        return self._content(session, document, route, self._template(route))

    def is_about(self, session: Session, patient_id: str) -> bool:
        """Whether a session is still about the patient of this chart, or of the one it was merged into."""
        hint = self._completed(session)
        chart = self._cliniko.find_patient(patient_id)
        if hint is None or chart is None:
            return False
        born = usable_birth_date(hint.birth_date, today=self._today())
        looked_at = [
            check_patient(replace(hint, birth_date=born), one) for one in self._cliniko.with_survivors([chart])
        ]
        return any(Evidence.BIRTH_DATE in one.agrees and not IDENTITY & set(one.against) for one in looked_at)

    def route_for(self, document: Document) -> Route:
        """The first route that fits a document."""
        return next((route for route in self._settings.routes if _fits(route, document)), DEFAULT_ROUTE)

    def template_for(self, document: Document) -> Template | None:
        """The practice's template that a document's note is laid into, if its route names one."""
        return self._template(self.route_for(document))

    # ------------------------------------------------------------ the patient

    def _match(self, session: Session) -> MatchOutcome:
        if session.consent is False:
            return NoMatch(Reason.CONSENT_REFUSED)
        hint = self._completed(session)
        if hint is None:
            return NoMatch(Reason.BIRTH_DATES_DIFFER)
        candidates = self._candidates(hint)
        match = match_patient(hint, candidates, today=self._today(), identifiers=self._settings.identifiers)
        if isinstance(match, Matched):
            chosen = next(patient for patient in candidates if patient.patient_id == match.patient_id)
            if chosen.accepted_privacy_policy is False:
                return Ambiguous(Reason.PRIVACY_DECLINED, match.candidates)
        return match

    def _completed(self, session: Session) -> Hint | None:
        """The session's hint, with what Heidi's patient profile adds; None if the two tell different birth dates.

        Names come from the session alone.
        """
        profile_id = session.patient_profile_id
        profile = self._heidi.find_patient_profile(profile_id) if profile_id else None
        if profile is None:
            return session.hint
        hint = session.hint
        if hint.birth_date and profile.birth_date and hint.birth_date != profile.birth_date:
            return None
        return Hint(
            name=hint.name,
            birth_date=hint.birth_date or profile.birth_date,
            linked_patient_id=hint.linked_patient_id or profile.linked_patient_id,
            email=hint.email or profile.email,
        )

    def _candidates(self, hint: Hint) -> list[Patient]:
        born = usable_birth_date(hint.birth_date, today=self._today())
        found = self._cliniko.find_patients_born(born) if born else []
        linked = hint.linked_patient_id
        if linked and linked.isascii() and linked.isdigit() and linked not in {one.patient_id for one in found}:
            chart = self._cliniko.find_patient(linked)
            found = [*found, *([chart] if chart else [])]
        return self._cliniko.with_survivors(found)

    def _today(self) -> date:
        """The practice's date: in UTC, a baby born this morning in Hobart would be yet to come."""
        return self._clock.now().astimezone(self._zone()).date()

    def _check_pinned(self, hint: Hint, patient_id: str) -> MatchOutcome:
        """A person's choice stands, unless the chart cannot take a note any more."""
        patient = self._cliniko.find_patient(patient_id)
        if patient is None:
            return NoMatch(Reason.PATIENT_UNAVAILABLE)
        born = usable_birth_date(hint.birth_date, today=self._today())
        evidence = (check_patient(replace(hint, birth_date=born), patient),)
        if patient.archived or patient.merged_into:
            return Ambiguous(Reason.PATIENT_UNAVAILABLE, evidence)
        return Matched(patient_id, 0, evidence)

    # ------------------------------------------------------------ the note

    def _note(
        self, session: Session, document: Document, route: Route, template: Template | None, patient_id: str
    ) -> Note:
        return Note(
            patient_id=patient_id,
            title=self.title(session, document),
            content=self._content(session, document, route, template),
            draft=self._settings.draft,
            template_id=template.template_id if template is not None else None,
        )

    def _content(self, session: Session, document: Document, route: Route, template: Template | None) -> NoteContent:
        session_at = session.created_at.astimezone(self._zone())
        return render_note_content(
            document,
            source=source_line(session_at=session_at, reference=self._reference(session, document)),
            layout=route.layout,
            html=self._settings.html,
            template=template,
        )

    def _reference(self, session: Session, document: Document) -> str:
        return reference_of(
            region=self._settings.region, session_id=session.session_id, document_id=document.document_id
        )

    def _template(self, route: Route) -> Template | None:
        return self._templates.find(route.cliniko_template) if route.cliniko_template is not None else None


def _fits(route: Route, document: Document) -> bool:
    if route.heidi_template is not None and route.heidi_template != document.template_id:
        return False
    if route.document_name is None:
        return True
    return fnmatchcase(document.name.casefold(), route.document_name.casefold())
