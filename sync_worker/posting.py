"""The claim, the one unsafe request, and its settling: two commits, and between them a request that is sent once.

What the answer means is `cliniko`'s, what follows from it `lifecycle`'s; nothing here tries again.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sync_worker import __version__, lifecycle
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.convert import canonical_text
from sync_worker.counts import Counts
from sync_worker.errors import LeaseLost, LedgerUnavailable, RemoteError, Stopping, Unavailable
from sync_worker.ledger import Ledger
from sync_worker.ledger.attempts import Claim
from sync_worker.ledger.leases import Leases
from sync_worker.lifecycle import LookTimes
from sync_worker.logs import get_logger
from sync_worker.model import Accepted, InDoubt, KeyTrouble, NotSent, PostOutcome, StoredNote
from sync_worker.outbox import Delivery
from sync_worker.prepare import Prepared
from sync_worker.records import Attempt, Entry, HintSeen, Lease, Status, Tally

log = get_logger()

REHEARSED_FOR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class PostSettings:
    """What posting needs to know of the settings."""

    name: str
    rehearse: bool
    looks: LookTimes
    brake: int
    """The most notes within an hour before posting pauses itself; 0 = no brake."""
    fingerprint: str
    """Tells one set of settings from another, for the audit trail."""


class Poster:
    """Creates one clinician's notes, each once."""

    def __init__(
        self,
        *,
        settings: PostSettings,
        cliniko: ClinikoClient,
        ledger: Ledger,
        leases: Leases,
        clock: Clock,
        counts: Counts,
    ) -> None:
        self._settings = settings
        self._cliniko = cliniko
        self._ledger = ledger
        self._leases = leases
        self._clock = clock
        self._counts = counts
        self._rehearsed: dict[int, tuple[bytes, float]] = {}
        self._read_again: int | None = None

    def post(self, lease: Lease, entry: Entry, prepared: Prepared, hint: HintSeen, tally: Tally) -> Delivery:
        """Claim, send once, settle. No retry in here, by design.

        Raises `RemoteError` for what is the clinician's trouble and not the entry's, and `LeaseLost`.
        """
        if self._settings.rehearse:
            log.info("note.rehearsed", entry=entry.entry_id, reference=prepared.reference, rule=prepared.rule)
            self._rehearsed[entry.entry_id] = (entry.text_hash, self._clock.monotonic())
            return Delivery.DONE
        note = prepared.note
        meant = canonical_text(note.content)
        claim = Claim(
            patient_id=note.patient_id,
            fingerprint=self._ledger.keyed_hash(meant),
            hint=hint,
            evidence=self._evidence(entry, prepared),
            brake=self._settings.brake,
        )
        self._cliniko.wait_for_turn()
        self._clock.check_stop()
        if self._must_be_read_again(entry, prepared):
            return Delivery.STALE
        attempt = self._ledger.attempts.claim(lease, entry, claim, now=self._no_later_than_cliniko())  # commit 1
        if attempt is None:
            return Delivery.PAUSED if self._ledger.clinicians.is_paused(lease.clinician_id) else Delivery.ASIDE
        try:
            outcome = self._cliniko.create_treatment_note(note, self._leases.guard(lease, self._clock))
        except Exception:
            log.exception("attempt.failed", entry=entry.entry_id, attempt=attempt.number)
            outcome = InDoubt("unexpected")
        return self._settle(lease, entry, attempt, outcome, prepared, meant, tally)  # commit 2

    def forget(self) -> None:
        """The tick is over: what it read counts no more."""
        self._read_again = None

    def _must_be_read_again(self, entry: Entry, prepared: Prepared) -> bool:
        """Whether the chart was read so long before its turn came that it may have changed: once an entry and turn.

        Where the rate is so low that the turn takes longer than that again, there is no better reading to be had.
        """
        is_old = self._clock.monotonic() > prepared.fresh_until and self._read_again != entry.entry_id
        self._read_again = entry.entry_id if is_old else None
        return is_old

    def _no_later_than_cliniko(self) -> datetime:
        """When the attempt begins, by whichever clock is behind: a look begins a day before it, on Cliniko's clock."""
        now = self._clock.now()
        return min(now, self._cliniko.server_date or now)

    # ------------------------------------------------------------ after the request

    def _settle(
        self,
        lease: Lease,
        entry: Entry,
        attempt: Attempt,
        outcome: PostOutcome,
        prepared: Prepared,
        meant: str,
        tally: Tally,
    ) -> Delivery:
        stored = self._read_back(entry, outcome.note) if isinstance(outcome, Accepted) else None
        whole = stored is None or stored.content is None or canonical_text(stored.content) == meant
        settlement = lifecycle.after_post(outcome, arrived_whole=whole)
        self._counts.posts.add(settlement.outcome)
        now = self._clock.now()
        due_at = self._settings.looks.next_look(ended_at=now, looks=0) if settlement.to is Status.IN_DOUBT else now
        as_left = stored.updated_at if stored is not None and whole else None
        self._ledger.attempts.settle(lease, attempt, settlement, now=now, due_at=due_at, note_updated_at=as_left)
        tally.posted += settlement.to is Status.POSTED
        tally.review += settlement.to is Status.REVIEW
        log.info(
            f"note.{settlement.outcome}",
            clinician=self._settings.name,
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
                raise self._cliniko.refusal(status, "create_note")
            case InDoubt():
                return Delivery.IN_DOUBT
            case NotSent("rate_limited"):
                return Delivery.RATE_LIMITED
            case NotSent("stopping"):
                raise Stopping
            case NotSent("lease_lost"):
                raise LeaseLost
            case NotSent("ledger_unavailable"):
                raise LedgerUnavailable("The ledger did not answer just before a request: it is tried again.")
            case NotSent():
                raise Unavailable("cliniko", "create_note", hint="Cliniko cannot be reached: it is tried again.")
        return Delivery.DONE

    def _read_back(self, entry: Entry, stored: StoredNote) -> StoredNote:
        """The note as Cliniko holds it: the answer's echo, else read back. Without content if that cannot be had."""
        if stored.content is not None:
            return stored
        try:
            return self._cliniko.find_note(stored.note_id) or replace(stored, content={})  # gone: surely not whole
        except (RemoteError, Stopping) as error:
            log.warning("note.unverified", entry=entry.entry_id, note_id=stored.note_id, error=type(error).__name__)
            return stored  # it is there for sure; only its text could not be compared

    def _evidence(self, entry: Entry, prepared: Prepared) -> dict[str, object]:
        """Why this note goes to this patient, for the trail: ids, names of fields, hashes, versions; no values."""
        chosen = [one for one in prepared.candidates if one.patient_id == prepared.note.patient_id]
        agrees = {word for one in chosen for word in one.agrees}
        against = {word for one in chosen for word in one.against}
        return {
            "rule": prepared.rule,
            "version": __version__,
            "settings": self._settings.fingerprint,
            "agrees": sorted(agrees),
            "missing": sorted({"birth_date", "email", "linked_id"} - agrees - against),
            "against": sorted(against),
            "candidates": [one.patient_id for one in prepared.candidates],
            "booking_id": prepared.note.booking_id,
            "document": entry.text_hash.hex(),
            "pinned": entry.pinned,
        }

    def was_rehearsed(self, entry: Entry, text_hash: bytes) -> bool:
        """Whether this very text was rehearsed within the hour: waiting to go live should not eat the rate budget."""
        known, at = self._rehearsed.get(entry.entry_id, (b"", 0.0))
        return self._settings.rehearse and known == text_hash and self._clock.monotonic() - at < REHEARSED_FOR_SECONDS
