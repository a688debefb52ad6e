"""From a document to a note ready to be sent: reads and pure functions only, so it may be done again at will.

session -> document -> note content -> patient match. Says why not, where it cannot; never writes anywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from fnmatch import fnmatchcase

from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.convert import note_title, render_note_content, source_line
from sync_worker.errors import ConversionError
from sync_worker.model import DEFAULT_ROUTE, Candidate, Document, Matched, Note, NoteContent, Route, Session, Template
from sync_worker.patients import Patients
from sync_worker.records import Entry, Reason
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
    fresh_until: float = float("inf")
    """Until when, on the monotonic clock, the charts that decided need not be read again."""


@dataclass(frozen=True, slots=True)
class NeedsReview:
    """A person must decide first."""

    reason: Reason
    candidates: Sequence[Candidate] = ()
    code: str | None = None
    """Why a document cannot be carried (`ConversionError`)."""
    rule: int | None = None
    """The rule of matching that decided, where one did."""


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


class Preparer:
    """Makes notes of documents for one clinician. `zone` gives the practice's time zone, which may need asking."""

    def __init__(
        self,
        *,
        cliniko: ClinikoClient,
        patients: Patients,
        settings: NoteSettings,
        zone: Callable[[], tzinfo],
        clock: Clock,
    ) -> None:
        self.patients = patients
        self._settings = settings
        self._zone = zone
        self._templates = Templates(cliniko, clock)

    def prepare(self, session: Session, document: Document, entry: Entry | None) -> Preparation:
        """A note for a document, or why there is none. `entry` tells what is decided already.

        Raises `RemoteError` where a service does not answer: an empty answer and none are not the same. Raises
        `ConfigurationError` where Cliniko has not the one template that the route names.
        """
        route = self.route_for(document)
        if route.action == "skip":
            return Skipped(Reason.ROUTE)
        if _asks(route, entry):
            return NeedsReview(Reason.ROUTE)
        template = self._template(route)  # first: where it is not there, every other request is in vain
        match = self.patients.patient_for(session, entry)
        if not isinstance(match, Matched):
            return NeedsReview(match.reason, match.candidates, rule=match.rule)
        try:
            note = self._note(session, document, route, template, match.patient_id)
        except ConversionError as error:
            return NeedsReview(Reason.NOT_CARRIED, match.candidates, error.code)
        note = replace(note, booking_id=self.patients.booking_for(session, match.patient_id))
        reference, fresh_until = self._reference(session, document), self.patients.fresh_until
        return Prepared(note, reference, match.rule or None, match.candidates, fresh_until)

    def may_be_filed(self, document: Document, entry: Entry) -> bool:
        """Whether a document's route lets it be filed, as far as is known without asking."""
        route = self.route_for(document)
        if route.action == "skip" or _asks(route, entry):
            return False
        return route.cliniko_template is None or self._templates.is_at_hand(route.cliniko_template)

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

    def route_for(self, document: Document) -> Route:
        """The first route that fits a document."""
        return next((route for route in self._settings.routes if _fits(route, document)), DEFAULT_ROUTE)

    def template_for(self, document: Document) -> Template | None:
        """The practice's template that a document's note is laid into, if its route names one."""
        return self._template(self.route_for(document))

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


def _asks(route: Route, entry: Entry | None) -> bool:
    """Whether a route puts its documents before a person, who has not chosen the patient yet."""
    return route.action == "review" and not (entry is not None and entry.pinned)


def _fits(route: Route, document: Document) -> bool:
    if route.heidi_template is not None and route.heidi_template != document.template_id:
        return False
    if route.document_name is None:
        return True
    return fnmatchcase(document.name.casefold(), route.document_name.casefold())
