"""The story: what one tick of one clinician does.

    session -> document -> note content -> patient match -> claim -> POST -> settle -> treatment note

A tick ends old doubts, takes in sessions, amends what is wished, then delivers what is pending and settled. Everything
left of the claim is reading and arithmetic and may be thrown away; the request stands between two commits, in no
transaction, and is never repeated here. One bad entry never stops the others, and one clinician's trouble never
another's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sync_worker import __version__, lifecycle
from sync_worker.advice import PAUSED_ITSELF
from sync_worker.amend import Amender
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.collect import Collector
from sync_worker.convert import canonical_text
from sync_worker.doubts import DoubtResolver
from sync_worker.errors import (
    ConfigurationError,
    LeaseLost,
    LedgerUnavailable,
    NotAuthorised,
    RemoteError,
    Stopping,
    Unavailable,
)
from sync_worker.first_look import FirstLook
from sync_worker.heidi import HeidiClient
from sync_worker.identity import Identity
from sync_worker.ledger import Ledger
from sync_worker.ledger.attempts import Claim
from sync_worker.ledger.leases import Leases
from sync_worker.ledger.sessions import IntakeRules
from sync_worker.lifecycle import LookTimes
from sync_worker.logs import get_logger
from sync_worker.model import (
    Accepted,
    Attempt,
    ClinicianState,
    Entry,
    Hint,
    InDoubt,
    KeyTrouble,
    Lease,
    NotSent,
    PostOutcome,
    Reason,
    Revisions,
    Status,
    StoredNote,
    Tally,
    TickReport,
    Trouble,
)
from sync_worker.outbox import Delivery, Outbox
from sync_worker.prepare import NeedsReview, Prepared, Preparer, Skipped
from sync_worker.reading import SessionReader, hint_seen
from sync_worker.siblings import Siblings

log = get_logger()

REHEARSED_FOR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class TickSettings:
    """What a tick needs to know of the settings."""

    name: str
    heidi_user_id: str
    rehearse: bool
    settle: timedelta
    looks: LookTimes
    start_at: datetime | date | None
    revisions: Revisions
    brake: int
    """The most notes within an hour before posting pauses itself; 0 = no brake."""
    fingerprint: str
    """Tells one set of settings from another, for the audit trail."""


class Pipeline:
    """One clinician's ticks. Built once by `bootstrap`, used from one thread at a time."""

    def __init__(
        self,
        *,
        settings: TickSettings,
        heidi: HeidiClient,
        cliniko: ClinikoClient,
        ledger: Ledger,
        leases: Leases,
        collector: Collector,
        reader: SessionReader,
        preparer: Preparer,
        doubts: DoubtResolver,
        first_look: FirstLook,
        amender: Amender,
        identity: Identity,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.heidi = heidi
        self.cliniko = cliniko
        self.ledger = ledger
        self.leases = leases
        self.collector = collector
        self.reader = reader
        self.preparer = preparer
        self.doubts = doubts
        self.first_look = first_look
        self.amender = amender
        self.siblings = Siblings(ledger, cliniko)
        self.identity = identity
        self.clock = clock
        self._state: ClinicianState | None = None
        self._tally = Tally()
        self._trouble: Trouble | None = None
        self._rehearsed: dict[int, tuple[bytes, float]] = {}

    # ------------------------------------------------------------ the tick

    def tick(self, *, full: bool = False) -> TickReport:
        """Settle old doubts, take in new sessions, then deliver what is pending.

        `full` walks Heidi's whole list, whatever the sweep's interval says. Raises nothing: what stopped the tick is in
        the report.
        """
        self._tally, self._trouble = Tally(), None
        lease: Lease | None = None
        try:
            self._state = state = self.ledger.clinicians.enter(self.settings.heidi_user_id)
            lease = self.leases.acquire(state.clinician_id, self.clock.now())
            if lease is None:
                return self._held_elsewhere(state)
            self._unless_refused(lambda: self.doubts.resolve(lease, self._tally))
            self._unless_refused(lambda: self.collect_sessions(lease, full=full))
            if not self.settings.rehearse:
                self._unless_refused(lambda: self.amender.run(lease, self._tally))
            Outbox(self, lease, settle=self.settings.settle).run()
        except (RemoteError, LedgerUnavailable, LeaseLost, ConfigurationError) as error:
            self.note_error(error)
        except Stopping:
            pass
        except Exception as error:
            self.note_error(error)
            log.exception("tick.failed", clinician=self.settings.name)
        finally:
            self.reader.forget()
            self.first_look.forget()
        if lease is not None:
            self._close_tick(lease)
        return TickReport(self.settings.name, self._tally, self._trouble)

    def collect_sessions(self, lease: Lease, *, full: bool) -> None:
        """Take in what is new in Heidi."""
        state = self._require_state()
        self.heidi.sign_in()
        self._require_linked(state)
        rules = IntakeRules(
            start_at=self._start_at(state),
            revisions=self.settings.revisions,
            backfills=self.ledger.clinicians.backfills(state.clinician_id),
        )
        trouble = self.collector.collect(lease, state, rules, self._tally, full=full)
        self._trouble = self._trouble or trouble

    def deliver(self, lease: Lease, entry: Entry) -> Delivery:
        """Carry one document to Cliniko, or say why not."""
        documents = self.reader.documents(entry.session_id)
        if documents is None:
            self.hold(lease, entry, Reason.SOURCE_GONE)
            return Delivery.ASIDE
        document = next((found for found in documents if found.document_id == entry.document_id), None)
        if document is None:
            self._skip(lease, entry, Reason.GONE)
            return Delivery.ASIDE
        text_hash = self.ledger.keyed_hash(document.content.strip())
        if not self._is_settled(lease, entry, text_hash) or self._was_rehearsed(entry, text_hash):
            return Delivery.ASIDE
        session = self.reader.session(entry.session_id)
        if session is None:
            self.hold(lease, entry, Reason.SOURCE_GONE)
            return Delivery.ASIDE
        self.identity.practitioner()
        there = self.first_look.notes(lease)
        if found := there.marked(entry.reference):
            return self._adopt(lease, entry, found)
        if not entry.pinned and self.siblings.is_regenerated(entry, document, documents):
            self.hold(lease, entry, Reason.REGENERATED)
            return Delivery.DONE
        match self.preparer.prepare(
            session,
            document,
            pinned_patient_id=entry.patient_id if entry.pinned else None,
            bound_patient_id=entry.patient_id if entry.bound else None,
        ):
            case NeedsReview() as why:
                self.hold(lease, entry, why.reason, why)
                return Delivery.DONE
            case Skipped(reason):
                self._skip(lease, entry, reason)
                return Delivery.ASIDE
            case Prepared() as prepared if not entry.pinned and there.has_by_hand(prepared.note):
                self.hold(lease, entry, Reason.ALREADY_THERE)
                return Delivery.DONE
            case Prepared() as prepared:
                return self.post(lease, entry, prepared, session.hint)

    def post(self, lease: Lease, entry: Entry, prepared: Prepared, hint: Hint) -> Delivery:
        """Claim, send once, settle. No retry in here, by design."""
        if self.settings.rehearse:
            log.info("note.rehearsed", entry=entry.entry_id, reference=prepared.reference, rule=prepared.rule)
            self._rehearsed[entry.entry_id] = (entry.text_hash, self.clock.monotonic())
            return Delivery.DONE
        note = prepared.note
        meant = canonical_text(note.content)
        claim = Claim(
            patient_id=note.patient_id,
            fingerprint=self.ledger.keyed_hash(meant),
            hint=hint_seen(self.ledger, hint),
            evidence=self._evidence(entry, prepared),
            brake=self.settings.brake,
        )
        self.cliniko.wait_for_turn()
        self.clock.check_stop()
        attempt = self.ledger.attempts.claim(lease, entry, claim, now=self.clock.now())  # commit 1
        if attempt is None:
            return self._not_claimed(lease)
        try:
            outcome = self.cliniko.create_treatment_note(note, self.leases.guard(lease, self.clock))
        except Exception:
            log.exception("attempt.failed", entry=entry.entry_id, attempt=attempt.number)
            outcome = InDoubt("unexpected")
        return self._settle(lease, entry, attempt, outcome, prepared, meant)  # commit 2

    # ------------------------------------------------------------ after the request

    def _settle(
        self, lease: Lease, entry: Entry, attempt: Attempt, outcome: PostOutcome, prepared: Prepared, meant: str
    ) -> Delivery:
        stored = self._read_back(entry, outcome.note) if isinstance(outcome, Accepted) else None
        whole = stored is None or stored.content is None or canonical_text(stored.content) == meant
        settlement = lifecycle.after_post(outcome, arrived_whole=whole)
        now = self.clock.now()
        due_at = self.settings.looks.next_look(ended_at=now, looks=0) if settlement.to is Status.IN_DOUBT else now
        as_left = stored.updated_at if stored is not None and whole else None
        self.ledger.attempts.settle(lease, attempt, settlement, now=now, due_at=due_at, note_updated_at=as_left)
        self._tally.posted += settlement.to is Status.POSTED
        self._tally.review += settlement.to is Status.REVIEW
        log.info(
            f"note.{settlement.outcome}",
            clinician=self.settings.name,
            entry=entry.entry_id,
            attempt=attempt.number,
            status=settlement.to,
            reason=settlement.reason,
            code=settlement.code or None,
            note_id=settlement.note_id,
            reference=prepared.reference,
            rule=prepared.rule,
        )
        return self._after_settling(outcome)

    def _after_settling(self, outcome: PostOutcome) -> Delivery:
        match outcome:
            case KeyTrouble(status):
                raise self.cliniko.refusal(status, "create_note")
            case InDoubt():
                return Delivery.IN_DOUBT
            case NotSent("rate_limited"):
                return Delivery.RATE_LIMITED
            case NotSent("stopping"):
                raise Stopping
            case NotSent("lease_lost"):
                raise LeaseLost
            case NotSent():
                raise Unavailable("cliniko", "create_note", hint="Cliniko cannot be reached: it is tried again.")
        return Delivery.DONE

    def _read_back(self, entry: Entry, stored: StoredNote) -> StoredNote:
        """The note as Cliniko holds it: the answer's echo, else read back. Without content if that cannot be had."""
        if stored.content is not None:
            return stored
        try:
            return self.cliniko.find_note(stored.note_id) or replace(stored, content={})  # gone: surely not whole
        except (RemoteError, Stopping) as error:
            log.warning("note.unverified", entry=entry.entry_id, note_id=stored.note_id, error=type(error).__name__)
            return stored  # it is there for sure; only its text could not be compared

    # ------------------------------------------------------------ before the request

    def _adopt(self, lease: Lease, entry: Entry, found: list[StoredNote]) -> Delivery:
        """The document is in Cliniko already: a worker filed it whose ledger is not this one, or is lost."""
        taken = self.ledger.attempts.notes_of_others([note.note_id for note in found], entry)
        ours = [note for note in found if note.note_id not in taken]
        live = [note for note in ours if not note.archived]
        if len(live) > 1 or len(ours) != len(found):
            self.hold(lease, entry, Reason.TWO_NOTES)
            return Delivery.DONE
        note = (live or ours)[0]
        self.ledger.entries.adopt(lease, entry, note, now=self.clock.now())
        self._tally.posted += 1
        log.info("note.adopted", entry=entry.entry_id, note_id=note.note_id, reference=entry.reference)
        return Delivery.DONE

    def _evidence(self, entry: Entry, prepared: Prepared) -> dict[str, object]:
        """Why this note goes to this patient, for the trail: ids, names of fields, hashes, versions; no values."""
        chosen = [one for one in prepared.candidates if one.patient_id == prepared.note.patient_id]
        agrees = {word for one in chosen for word in one.agrees}
        against = {word for one in chosen for word in one.against}
        return {
            "rule": prepared.rule,
            "version": __version__,
            "settings": self.settings.fingerprint,
            "agrees": sorted(agrees),
            "missing": sorted({"birth_date", "email", "linked_id"} - agrees - against),
            "against": sorted(against),
            "candidates": [one.patient_id for one in prepared.candidates],
            "booking_id": prepared.note.booking_id,
            "document": entry.text_hash.hex(),
            "pinned": entry.pinned,
        }

    def _not_claimed(self, lease: Lease) -> Delivery:
        """Posting is paused, by a person or by itself; or a person was faster with the entry."""
        if reason := self.ledger.clinicians.paused_itself(lease.clinician_id):
            self._trouble = self._trouble or Trouble(reason.value, PAUSED_ITSELF[reason])
        return Delivery.PAUSED if self.ledger.clinicians.is_paused(lease.clinician_id) else Delivery.ASIDE

    # ------------------------------------------------------------ entries

    def _is_settled(self, lease: Lease, entry: Entry, text_hash: bytes) -> bool:
        """Whether the text stayed the same long enough between two reads; if it changed, it settles anew."""
        read_at, settle = self.reader.read_at(entry.session_id), self.settings.settle
        if text_hash != entry.text_hash:
            self.ledger.entries.restart_settling(lease, entry, text_hash, read_at=read_at)
            return not settle
        return lifecycle.is_finished(text_since=entry.text_since, read_at=read_at, settle=settle)

    def _was_rehearsed(self, entry: Entry, text_hash: bytes) -> bool:
        """Whether this very text was rehearsed within the hour: waiting to go live should not eat the rate budget."""
        known, at = self._rehearsed.get(entry.entry_id, (b"", 0.0))
        return self.settings.rehearse and known == text_hash and self.clock.monotonic() - at < REHEARSED_FOR_SECONDS

    def hold(self, lease: Lease, entry: Entry, reason: Reason, why: NeedsReview | None = None) -> None:
        """Put an entry before a person, with the evidence."""
        candidates = why.candidates if why else ()
        self.ledger.entries.hold_for_review(lease, entry, reason, candidates, now=self.clock.now())
        self._tally.review += 1
        log.info("entry.held", entry=entry.entry_id, reason=reason, candidates=len(candidates))

    def _skip(self, lease: Lease, entry: Entry, reason: Reason) -> None:
        self.ledger.entries.skip(lease, entry, reason, now=self.clock.now())
        self._tally.skipped += 1
        log.info("entry.skipped", entry=entry.entry_id, reason=reason)

    def _unless_refused(self, step: Callable[[], None]) -> None:
        """Take a step of the tick; if a service fails it, note that and go on. A refused key ends the tick."""
        try:
            step()
        except NotAuthorised:
            raise
        except RemoteError as error:
            self.note_error(error)

    # ------------------------------------------------------------ who and when

    def _start_at(self, state: ClinicianState) -> datetime:
        """From when on sessions are ours: the setting, else the clinician's first tick."""
        if self.settings.start_at is not None:
            return self.identity.moment(self.settings.start_at)
        if state.start_at is not None:
            return state.start_at
        now = self.clock.now()
        self.ledger.clinicians.remember_start(state.clinician_id, now)
        return now

    def _require_linked(self, state: ClinicianState) -> None:
        """Each new token is followed by a look whether it is linked: a mistyped e-mail is an empty world."""
        if not self.heidi.is_known_linked():
            try:
                self.heidi.require_linked()
            except NotAuthorised:
                self.ledger.clinicians.remember_link(state.clinician_id, linked=False)
                raise
            self.ledger.clinicians.remember_link(state.clinician_id, linked=True)

    def _require_state(self) -> ClinicianState:
        assert self._state is not None  # noqa: S101 - set by `tick` before anything else
        return self._state

    # ------------------------------------------------------------ the report

    def _held_elsewhere(self, state: ClinicianState) -> TickReport:
        holder = self.ledger.clinicians.lease_holder(state.clinician_id)
        return TickReport(self.settings.name, self._tally, Trouble("held", f"Held by {holder}."))

    def _close_tick(self, lease: Lease) -> None:
        try:
            counts = self.ledger.entries.open_counts(lease.clinician_id)
            self._tally.pending = counts.get(Status.PENDING, 0)
            self._tally.in_doubt = counts.get(Status.IN_DOUBT, 0)
            self.ledger.clinicians.remember_trouble(lease.clinician_id, self._trouble.code if self._trouble else None)
        except LedgerUnavailable as error:
            self.note_error(error)
        log.info(
            "tick.done",
            clinician=self.settings.name,
            code=self._trouble.code if self._trouble else None,
            sessions_seen=self._tally.sessions_seen,
            documents_seen=self._tally.documents_seen,
            posted=self._tally.posted,
            review=self._tally.review,
            pending=self._tally.pending,
            in_doubt=self._tally.in_doubt,
            skipped=self._tally.skipped,
        )

    def note_error(self, error: Exception) -> None:
        """Keep the first trouble of the tick; a lost lease means another epoch next time."""
        if isinstance(error, LeaseLost) and self._state is not None:
            self.leases.forget(self._state.clinician_id)
        trouble = trouble_of(error)
        self._trouble = self._trouble or trouble
        log.error("tick.trouble", clinician=self.settings.name, code=trouble.code)


def trouble_of(error: Exception) -> Trouble:
    """What stopped a tick, for `once --json`, `status` and the log: never the error's own text."""
    match error:
        case RemoteError():
            return Trouble(f"{error.service}_{error.code}", error.sentence)
        case LedgerUnavailable():
            return Trouble("ledger_unavailable", str(error))
        case ConfigurationError():
            return Trouble("settings", " ".join(error.problems))
        case LeaseLost():
            return Trouble("lease_lost", "Another worker took this clinician over.")
    return Trouble("unexpected", "An unexpected error, which is ours: the log names its place. The entry is kept.")
