"""The story: what one tick of one clinician does.

    session -> document -> note content -> patient match -> claim -> POST -> settle -> treatment note

A tick ends old doubts, takes in sessions, amends what is wished, then delivers what is pending and settled. Everything
left of the claim is reading and arithmetic and may be thrown away; the request stands between two commits, in no
transaction, and is never repeated here. One bad entry never stops the others, and one clinician's trouble never
another's.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial

from sync_worker import lifecycle
from sync_worker.advice import PAUSED_ITSELF, trouble_of
from sync_worker.ahead import ReadAhead
from sync_worker.amend import Amender
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.collect import Collector
from sync_worker.doubts import DoubtResolver
from sync_worker.errors import (
    ConfigurationError,
    EntryMoved,
    LeaseLost,
    LedgerMismatch,
    LedgerUnavailable,
    NotAuthorised,
    RemoteError,
    Stopping,
)
from sync_worker.first_look import FirstLook
from sync_worker.heidi import HeidiClient
from sync_worker.identity import Identity
from sync_worker.ledger import Ledger
from sync_worker.ledger.leases import Leases
from sync_worker.ledger.sessions import IntakeRules
from sync_worker.logs import get_logger
from sync_worker.model import Document, Revisions, Session, StoredNote
from sync_worker.one_patient import OnePatient
from sync_worker.outbox import Delivery, Outbox
from sync_worker.posting import Poster
from sync_worker.prepare import NeedsReview, Preparation, Prepared, Preparer, Skipped
from sync_worker.reading import SessionReader, hint_seen
from sync_worker.records import ClinicianState, Entry, Lease, Reason, Status, Tally, TickReport, Trouble
from sync_worker.settings.keys import Key
from sync_worker.siblings import Siblings

log = get_logger()


LONGEST_DELIVERY = timedelta(minutes=5)
"""How long a tick of the service delivers. A backlog of hours must not keep polls, doubts and withdrawals waiting."""


@dataclass(frozen=True, slots=True)
class TickSettings:
    """What a tick needs to know of the settings."""

    name: str
    heidi_user_id: str
    rehearse: bool
    settle: timedelta
    start_at: datetime | date | None
    revisions: Revisions
    surely_listed: timedelta
    """After so long whatever was sent is in Cliniko's lists, or never will be."""


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
        poster: Poster,
        ahead: ReadAhead,
        identity: Identity,
        keys: Mapping[str, Key],
        clock: Clock,
    ) -> None:
        """`keys` are the services' keys by the services' names."""
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
        self.poster = poster
        self.ahead = ahead
        self.siblings = Siblings(ledger, cliniko)
        self.one_patient = OnePatient(ledger, preparer.patients)
        self.identity = identity
        self.keys = keys
        self.clock = clock
        self._state: ClinicianState | None = None
        self._waited_for: datetime | None = None
        self._tally = Tally()
        self._trouble: Trouble | None = None
        self.last_trouble: str | None = None
        """The code of what stopped the last tick that ended: the ledger cannot keep it where it is the trouble."""

    # ------------------------------------------------------------ the tick

    def tick(self, *, full: bool = False) -> TickReport:
        """Settle old doubts, take in new sessions, then deliver what is pending.

        `full` walks Heidi's whole list, whatever the sweep's interval says, and delivers all that is due; else a tick
        delivers for a while only, so that the next one looks again at what has come meanwhile. Raises nothing: what
        stopped the tick is in the report.
        """
        self._tally, self._trouble = Tally(), None
        lease: Lease | None = None
        is_cut_short = False
        keys = self._keys_now()
        try:
            self._state = state = self.ledger.clinicians.enter(self.settings.heidi_user_id)
            lease = self.leases.acquire(state.clinician_id, self.clock.now())
            if lease is None:
                self.last_trouble = None
                return self._held_elsewhere(state)
            self._put_right(lease, state)
            is_cut_short = self._work(lease, full=full)
        except NotAuthorised as error:
            is_cut_short = self._has_another_key(error, keys)
            if not is_cut_short:
                self.note_error(error)
        except (RemoteError, LedgerUnavailable, LedgerMismatch, LeaseLost, ConfigurationError) as error:
            self.note_error(error)
        except Stopping:
            pass
        except Exception as error:
            self.note_error(error)
            log.exception("tick.failed", clinician=self.settings.name)
        finally:
            self.reader.forget()
            self.first_look.forget()
            self.preparer.patients.forget()
            self.poster.forget()
        if lease is not None:
            self._close_tick(lease)
        self.last_trouble = self._trouble.code if self._trouble else None
        return TickReport(self.settings.name, self._tally, self._trouble, is_cut_short=is_cut_short)

    def _put_right(self, lease: Lease, state: ClinicianState) -> None:
        """What a clock that was ahead, or a copy put back, left in the ledger."""
        was_restored = self.ledger.was_restored_since(state.last_poll_at)
        if was_restored or self.ledger.clinicians.was_clock_ahead(state, now=self.clock.now()):
            self.ledger.clinicians.forget_the_future(lease, now=self.clock.now())
        if was_restored:
            self._wait_for_the_lists()
            self._adopt_what_is_there(lease)

    def _work(self, lease: Lease, *, full: bool) -> bool:
        """The flow, from Heidi to Cliniko; whether it was cut short."""
        has_another = partial(self._stands_another_key, refused=self._keys_now())
        self._unless_refused(lambda: self.doubts.resolve(lease, self._tally, has_another_key=has_another))
        self._unless_refused(lambda: self.collect_sessions(lease, full=full))
        self.identity.prove()
        if not self.settings.rehearse:
            self.amender.run(lease, self._tally, self.note_error)
        longest = None if full else LONGEST_DELIVERY
        settle, surely_listed = self.settings.settle, self.settings.surely_listed
        return Outbox(self, lease, settle=settle, surely_listed=surely_listed, longest=longest).run()

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
        if not self._is_settled(lease, entry, text_hash) or self.poster.was_rehearsed(entry, text_hash):
            return Delivery.ASIDE
        entry = replace(entry, text_hash=text_hash)  # the text that goes on from here
        session = self.reader.session(entry.session_id)
        if session is None:
            self.hold(lease, entry, Reason.SOURCE_GONE)
            return Delivery.ASIDE
        self.identity.practitioner()
        if entry.status is Status.REVIEW and self._is_still_a_question(lease, entry, session, document):
            return Delivery.DONE
        there = self.first_look.notes(lease, since=session.created_at)
        if found := there.marked(entry.reference):
            return self._adopt(lease, entry, found, session)
        if not entry.pinned and self.siblings.is_regenerated(entry, document, documents):
            self.hold(lease, entry, Reason.REGENERATED, session=session)
            return Delivery.DONE
        match self._prepare(session, document, entry):
            case NeedsReview() as why:
                self.hold(lease, entry, why.reason, why, session=session)
                return Delivery.DONE
            case Skipped(reason):
                self._skip(lease, entry, reason)
                return Delivery.ASIDE
            case Prepared(note) if not entry.pinned and there.has_by_hand(note.patient_id, document):
                self.hold(lease, entry, Reason.ALREADY_THERE, session=session)
                return Delivery.DONE
            case Prepared() as prepared:
                if entry.status is Status.REVIEW:
                    entry = self.ledger.entries.reopen(lease, entry, now=self.clock.now())
                    log.info("entry.reopened", entry=entry.entry_id)
                done = self.poster.post(lease, entry, prepared, hint_seen(self.ledger, session), self._tally)
                if done is Delivery.STALE:
                    self.preparer.patients.forget()  # all of it: what is younger would be too old by the next turn
                return done

    def _is_still_a_question(self, lease: Lease, entry: Entry, session: Session, document: Document) -> bool:
        """Ask again whose a document is, before anything else is asked about it; what has no answer goes on waiting."""
        why = self._prepare(session, document, entry)
        if isinstance(why, NeedsReview):
            self.hold(lease, entry, why.reason, why, session=session)
        return isinstance(why, NeedsReview)

    def _prepare(self, session: Session, document: Document, entry: Entry) -> Preparation:
        return self.one_patient.check(self.preparer.prepare(session, document, entry), session, entry)

    # ------------------------------------------------------------ keys that are replaced

    def _keys_now(self) -> dict[str, str]:
        return {service: key.get_secret_value() for service, key in self.keys.items()}

    def _has_another_key(self, error: NotAuthorised, refused: Mapping[str, str]) -> bool:
        """Whether another key stands in the place of the one that was refused: then a tick begins anew with it.

        Only here, between two ticks, does a key change: nothing is written by one that was not proved to be of the
        same practitioner.
        """
        if not self._stands_another_key(error, refused):
            return False
        self.identity.forget()
        log.warning("key.replaced", clinician=self.settings.name, service=error.service)
        return True

    def _stands_another_key(self, error: NotAuthorised, refused: Mapping[str, str]) -> bool:
        """Take up what stands in the refused key's place; whether it is another one."""
        self.keys[error.service].look_again()
        return self._keys_now() != refused

    # ------------------------------------------------------------ before the request

    def _wait_for_the_lists(self) -> None:
        """What was sent just before a copy was put back may not be listed yet, and then no look would find it."""
        restored_at, longest = self.ledger.restored_at(), self.settings.surely_listed
        if restored_at is None or restored_at == self._waited_for:
            return
        left = min(restored_at + longest - self.clock.now(), longest)  # more is left where the clock was set back
        if left > timedelta():
            log.warning("ledger.restored", clinician=self.settings.name, seconds=round(left.total_seconds()))
            self.clock.sleep(left.total_seconds())
        self._waited_for = restored_at

    def _adopt_what_is_there(self, lease: Lease) -> None:
        """The ledger is a copy put back: what it thinks is still to be filed may be in Cliniko, and gone from Heidi."""
        unfiled = list(self.ledger.entries.unfiled(lease.clinician_id))
        for entry in unfiled:
            there = self.first_look.notes(lease, since=min(one.found_at for one in unfiled))
            if found := there.marked(entry.reference):
                with suppress(EntryMoved):  # a person was faster
                    self._adopt(lease, entry, found, None)

    def _adopt(self, lease: Lease, entry: Entry, found: list[StoredNote], session: Session | None) -> Delivery:
        """The document is in Cliniko already: a worker filed it whose ledger is not this one, or is lost."""
        taken = self.ledger.attempts.notes_of_others([note.note_id for note in found], entry)
        ours = [note for note in found if note.note_id not in taken]
        live = [note for note in ours if not note.archived]
        if len(live) > 1 or len(ours) != len(found):
            self.hold(lease, entry, Reason.TWO_NOTES)
            return Delivery.DONE
        note = (live or ours)[0]
        if entry.pinned and note.patient_id != entry.patient_id:
            self.hold(lease, entry, Reason.TWO_NOTES)  # a person chose another chart: they must see this one
            return Delivery.DONE
        named = hint_seen(self.ledger, session) if session is not None else None
        self.ledger.entries.adopt(lease, entry, note, named, now=self.clock.now())
        self._tally.posted += 1
        log.info("note.adopted", entry=entry.entry_id, note_id=note.note_id, reference=entry.reference)
        return Delivery.DONE

    # ------------------------------------------------------------ entries

    def _is_settled(self, lease: Lease, entry: Entry, text_hash: bytes) -> bool:
        """Whether the text stayed the same long enough between two reads; if it changed, it settles anew."""
        read_at, settle = self.reader.read_at(entry.session_id), self.settings.settle
        if text_hash != entry.text_hash:
            self.ledger.entries.restart_settling(lease, entry, text_hash, read_at=read_at)
            return not settle
        return lifecycle.is_finished(text_since=entry.text_since, read_at=read_at, settle=settle)

    def note_pause(self, lease: Lease) -> None:
        """Posting is paused. Where it paused itself, a person must learn of it at each tick."""
        if reason := self.ledger.clinicians.paused_itself(lease.clinician_id):
            self._trouble = self._trouble or Trouble(reason.value, PAUSED_ITSELF[reason])

    def hold(
        self,
        lease: Lease,
        entry: Entry,
        reason: Reason,
        why: NeedsReview | None = None,
        *,
        session: Session | None = None,
    ) -> None:
        """Put an entry before a person, with the evidence. `session` names whom they are asked about."""
        candidates, now = why.candidates if why else (), self.clock.now()
        about = hint_seen(self.ledger, session) if session is not None else None
        if entry.status is Status.REVIEW and entry.reason is reason:
            self.ledger.entries.ask_again(lease, entry, candidates, now=now, about=about)
            return
        self.ledger.entries.hold_for_review(lease, entry, reason, candidates, now=now, about=about)
        self._tally.review += 1
        code, rule = (why.code, why.rule) if why else (None, None)
        log.info("entry.held", entry=entry.entry_id, reason=reason, rule=rule, code=code, candidates=len(candidates))

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

    def _remember_trouble(self, code: str | None) -> None:
        state, now = self._require_state(), self.clock.now()
        goes_on = code and state.trouble and _service(code) == _service(state.trouble)
        since = min((state.trouble_since if goes_on else None) or now, now) if code else None  # our clock may go back
        if (code, since) != (state.trouble, state.trouble_since):  # an idle tick writes as little as it can
            self.ledger.clinicians.remember_trouble(state.clinician_id, code, since)

    def _require_state(self) -> ClinicianState:
        assert self._state is not None  # noqa: S101 - set by `tick` before anything else
        return self._state

    # ------------------------------------------------------------ the report

    def _held_elsewhere(self, state: ClinicianState) -> TickReport:
        holder = self.leases.holder_of(state.clinician_id)
        return TickReport(self.settings.name, self._tally, Trouble("held", f"Held by {holder}."))

    def _close_tick(self, lease: Lease) -> None:
        try:
            counts = self.ledger.entries.open_counts(lease.clinician_id)
            self._tally.pending = counts.get(Status.PENDING, 0)
            self._tally.in_doubt = counts.get(Status.IN_DOUBT, 0)
            self._remember_trouble(self._trouble.code if self._trouble else None)
        except (LedgerUnavailable, LedgerMismatch) as error:
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


def _service(code: str) -> str:
    """Whose trouble a code tells: a service that is down may be so in several ways, one after another."""
    return code.partition("_")[0]
