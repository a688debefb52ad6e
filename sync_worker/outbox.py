"""The outbox: the entries that are pending. One run over it per tick, in which no bad entry stops the others.

Decides who goes first, what a failure costs, and when going on makes no sense. What delivering one entry means is the
pipeline's.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from enum import Enum, auto
from functools import partial
from typing import Protocol

from sync_worker import lifecycle
from sync_worker.ahead import ReadAhead
from sync_worker.clock import Clock
from sync_worker.errors import (
    ConfigurationError,
    EntryMoved,
    LeaseLost,
    LedgerUnavailable,
    NotAuthorised,
    RateLimited,
    Stopping,
    Unavailable,
)
from sync_worker.ledger import Ledger
from sync_worker.logs import get_logger
from sync_worker.records import Entry, Lease, Reason, Status

log = get_logger()

RATE_LIMITS_PER_TICK = 3


class Delivers(Protocol):
    """What the outbox needs of the pipeline."""

    ledger: Ledger
    clock: Clock
    ahead: ReadAhead

    def deliver(self, lease: Lease, entry: Entry) -> "Delivery":
        """Carry one document to Cliniko, or say why not."""
        ...

    def hold(self, lease: Lease, entry: Entry, reason: Reason) -> None:
        """Put an entry before a person."""
        ...

    def note_pause(self, lease: Lease) -> None:
        """Tell that posting is paused, where a person must learn of it."""
        ...

    def note_error(self, error: Exception) -> None:
        """Keep the first trouble of the tick."""
        ...


class Delivery(Enum):
    """How the delivery of one entry ended, as far as the run over the entries cares."""

    DONE = auto()
    """Cliniko answered, and the entry moved on."""
    ASIDE = auto()
    """Nothing was asked of Cliniko: it waits, or there is nothing to file."""
    IN_DOUBT = auto()
    RATE_LIMITED = auto()
    STALE = auto()
    """Nothing was sent: the patient's chart was read too long ago, and must be read again first."""
    PAUSED = auto()
    FAILED = auto()


class Outbox:
    """One run over a clinician's pending entries: what failed, and whether it makes sense to go on."""

    def __init__(
        self,
        pipeline: Delivers,
        lease: Lease,
        *,
        settle: timedelta,
        surely_listed: timedelta,
        longest: timedelta | None,
    ) -> None:
        """`settle` is how long a text must have rested, `longest` how long a run may take (None: as it does).

        What was sent `surely_listed` ago is in Cliniko's lists, or never will be: nothing of which a request ended in
        doubt later than that is filed, whoever wants it.
        """
        self._pipeline = pipeline
        self._settle = settle
        self._surely_listed = surely_listed
        self._longest = longest.total_seconds() if longest is not None else float("inf")
        self._ledger = pipeline.ledger
        self._clock = pipeline.clock
        self._lease = lease
        self._failed: list[Entry] = []
        self._answered = 0
        self._failures_in_a_row = 0
        self._doubts_in_a_row = 0
        self._is_over = False

    def run(self) -> bool:
        """Deliver every entry that is due, each at most once; let those that failed go behind the others.

        True if the time was over before the entries were.

        Raises what is the clinician's trouble and not an entry's: a refused key, a service that is down.
        """
        if self._ledger.clinicians.is_paused(self._lease.clinician_id):
            self._pipeline.note_pause(self._lease)
            return False
        try:
            with closing(self._pipeline.ahead.along(self._due())) as line:
                return self._deliver_each(line)
        finally:
            self._postpone_failed()

    def _deliver_each(self, line: Iterator[Entry]) -> bool:
        started_at = self._clock.monotonic()
        for entry in line:
            self._clock.check_stop()
            if self._clock.monotonic() - started_at > self._longest:
                return True
            if entry.bound and self._doubts_in_a_row:
                continue  # its one more request is not to be spent while others get no answer
            self._note(self._deliver_safely(entry))
            if self._is_over:
                break
        return False

    def _due(self) -> Iterator[Entry]:
        """What is pending; then the questions of identity that it is time to ask again."""
        now = self._clock.now()
        due = partial(
            self._ledger.entries.due,
            self._lease.clinician_id,
            now=now,
            rested_since=now - self._settle,
            doubted_since=now - self._surely_listed,
        )
        yield from due(Status.PENDING)
        yield from due(Status.REVIEW, unfiled_for=lifecycle.ASKED_AGAIN)

    def _deliver_safely(self, entry: Entry) -> Delivery:
        """Deliver one entry; its own failure is noted and stays its own. The clinician's trouble is raised."""
        try:
            return self._deliver_patiently(entry)
        except (NotAuthorised, LedgerUnavailable, LeaseLost, Stopping, RateLimited):
            raise
        except EntryMoved:
            return Delivery.ASIDE  # a person was faster
        except ConfigurationError as error:
            self._pipeline.note_error(error)
            return Delivery.ASIDE  # the settings' fault and not the document's: it waits until they are mended
        except Unavailable as error:
            self._failed.append(entry)
            self._pipeline.note_error(error)
            if self._failures_in_a_row + 1 >= lifecycle.FAILURES_IN_A_ROW:
                raise
        except Exception as error:
            self._failed.append(entry)
            self._pipeline.note_error(error)
            log.exception("entry.failed", entry=entry.entry_id)
        return Delivery.FAILED

    def _deliver_patiently(self, entry: Entry) -> Delivery:
        """Deliver; after a 429 the budget waits for the reset, and the same entry goes first, its chart read again."""
        for _ in range(RATE_LIMITS_PER_TICK):
            result = self._pipeline.deliver(self._lease, entry)
            if result not in (Delivery.RATE_LIMITED, Delivery.STALE):
                return result
            entry = self._ledger.entries.get(entry.entry_id) or entry  # one that was held is pending by now
        raise RateLimited("cliniko", "create_note", status=429, hint="Cliniko asks for patience: it is tried again.")

    def _note(self, ended: Delivery) -> None:
        """Count how a delivery ended. A pause ends the run, and so do two doubts in a row: Cliniko cannot write now."""
        self._answered += ended is Delivery.DONE
        if ended is not Delivery.ASIDE:
            self._failures_in_a_row = self._failures_in_a_row + 1 if ended is Delivery.FAILED else 0
            self._doubts_in_a_row = self._doubts_in_a_row + 1 if ended is Delivery.IN_DOUBT else 0
        if ended is Delivery.PAUSED:
            self._pipeline.note_pause(self._lease)
        self._is_over = ended is Delivery.PAUSED or self._doubts_in_a_row >= lifecycle.DOUBTS_IN_A_ROW

    def _postpone_failed(self) -> None:
        """Let failed entries go behind the others. Failing counts against an entry only where others got an answer."""
        now = self._clock.now()
        for entry in self._failed:
            fresh = self._ledger.entries.get(entry.entry_id)
            if fresh is not None and fresh.status is Status.REVIEW and fresh.status is entry.status:
                due_at = now + lifecycle.ASK_AGAIN_AFTER
                self._ledger.entries.postpone(self._lease, fresh, due_at=due_at, failures=fresh.failures)
            if fresh is None or fresh.status is not Status.PENDING:
                continue
            failures = fresh.failures + (self._answered > 0)
            if failures >= lifecycle.FAILURES_BEFORE_REVIEW:
                self._pipeline.hold(self._lease, fresh, Reason.FAILING)
                continue
            due_at = now + lifecycle.postponement(failures) if self._answered else now
            self._ledger.entries.postpone(self._lease, fresh, due_at=due_at, failures=failures)
