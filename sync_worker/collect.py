"""Taking in sessions: walks Heidi's list and records an entry for each document.

Heidi's only list is unfiltered and of unknown order, so the ledger, not the order, decides what is new. A full walk
reads every page; between full walks a poll reads pages only while they bring news. The cursor is a hint for people and
for a server-side filter: it moves with the entries of the walk's last page, in their transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from sync_worker.clock import Clock
from sync_worker.errors import InvalidResponse, NotAuthorised, Rejected, RemoteError, Unavailable
from sync_worker.heidi import PAGE_SIZE, HeidiClient, SessionPage
from sync_worker.ledger import Ledger
from sync_worker.ledger.sessions import IntakeRules
from sync_worker.logs import get_logger
from sync_worker.model import ClinicianState, DocumentSeen, Lease, ListedSession, SessionSeen, Tally, Trouble
from sync_worker.reading import SessionReader

log = get_logger()

FAILURES_IN_A_ROW = 3
"""So many reads in a row without an answer are a service that is down, not a bad session."""
QUIET_HOURS = timedelta(hours=2)
"""The nightly walk, which reads every session's documents again, is the first full walk after two in the morning."""


@dataclass(frozen=True, slots=True)
class CollectSettings:
    """How sessions are taken in."""

    lookback: timedelta
    sweep_interval: timedelta
    overlap: timedelta
    updated_since_param: str | None
    night_zone: tzinfo
    """Where it is night for the nightly walk; where the settings name no zone, any night will do."""


class Collector:
    """Collects one clinician's sessions."""

    def __init__(
        self,
        *,
        heidi: HeidiClient,
        reader: SessionReader,
        ledger: Ledger,
        settings: CollectSettings,
        clock: Clock,
    ) -> None:
        self._heidi = heidi
        self._reader = reader
        self._ledger = ledger
        self._settings = settings
        self._clock = clock

    def collect(
        self, lease: Lease, state: ClinicianState, rules: IntakeRules, *, full: bool
    ) -> tuple[Tally, Trouble | None]:
        """Walk the list and record what is new. The trouble is what kept the walk from being whole, if anything did.

        Raises `RemoteError` when Heidi is down or refuses the clinician; what was read before is recorded.
        """
        walk = _Walk(self, lease, state, rules, full=full)
        walk.run()
        return walk.tally, walk.trouble


class _Walk:
    """One walk along the list."""

    def __init__(
        self,
        collector: Collector,
        lease: Lease,
        state: ClinicianState,
        rules: IntakeRules,
        *,
        full: bool,
    ) -> None:
        self.heidi = collector._heidi
        self.reader = collector._reader
        self.ledger = collector._ledger
        self.settings = collector._settings
        self.clock = collector._clock
        self.lease = lease
        self.state = state
        self.rules = rules
        self.now = self.clock.now()
        self.full = full or self._is_sweep_due()
        self.deep = self.full and self._is_first_walk_of_the_night()
        self.tally = Tally()
        self.trouble: Trouble | None = None
        self.listed: set[str] = set()
        self.read: set[str] = set()
        self.newest: datetime | None = None
        self.came_to_the_end = False
        self.failures = 0

    def run(self) -> None:
        number = 1
        while True:
            page = self.heidi.list_sessions(number, since=self._since())
            fresh = self._fresh(page)
            news = self._news(self._in_lookback(fresh))
            seen = self._read_all(news)
            if self._is_last(page, fresh, news):
                break
            self._record(seen)
            number += 1
        seen += self._read_again()
        self._record(seen, self._stamps())

    # ------------------------------------------------------------ along the list

    def _is_sweep_due(self) -> bool:
        last = self.state.last_sweep_at
        return last is None or self.now - last >= self.settings.sweep_interval

    def _is_first_walk_of_the_night(self) -> bool:
        last, zone = self.state.last_deep_at, self.settings.night_zone
        return last is None or _night(self.now, zone) > _night(last, zone)

    def _since(self) -> tuple[str, datetime] | None:
        """A server-side filter, where Heidi has confirmed one; never in a full walk, which must miss nothing."""
        if self.full or not self.settings.updated_since_param or self.state.cursor_at is None:
            return None
        return self.settings.updated_since_param, self.state.cursor_at - self.settings.overlap

    def _fresh(self, page: SessionPage) -> list[ListedSession]:
        """The page's rows that this walk has not seen yet: pages shift while they are read."""
        fresh = {row.session_id: row for row in page.rows if row.session_id not in self.listed}
        self.listed |= fresh.keys()
        stamps = [row.updated_at for row in fresh.values() if row.updated_at is not None]
        self.newest = max([*stamps, *([self.newest] if self.newest else [])], default=None)
        self._check_filter(stamps)
        return list(fresh.values())

    def _check_filter(self, stamps: Sequence[datetime]) -> None:
        since = self._since()
        if since is not None and any(stamp < since[1] for stamp in stamps):
            log.warning("heidi.filter_ignored", clinician=self.state.heidi_user_id)

    def _in_lookback(self, rows: Sequence[ListedSession]) -> list[ListedSession]:
        oldest = self.now - self.settings.lookback
        kept = [row for row in rows if (latest := _latest(row)) is None or latest >= oldest]
        self.tally.sessions_seen += len(kept)
        return kept

    def _news(self, rows: Sequence[ListedSession]) -> list[ListedSession]:
        known = self.ledger.sessions.known(self.state.clinician_id, [row.session_id for row in rows])

        def is_news(row: ListedSession) -> bool:
            before = known.get(row.session_id)
            return before is None or before.unread or row.updated_at not in (None, before.updated_at)

        return [row for row in rows if self.deep or is_news(row)]

    def _is_last(self, page: SessionPage, fresh: Sequence[ListedSession], news: Sequence[ListedSession]) -> bool:
        if page.has_more is False or not page.rows:
            self.came_to_the_end = not page.has_more
            return True
        if not fresh:
            self._note_repetition(page)
            return True
        return not self.full and not news

    def _note_repetition(self, page: SessionPage) -> None:
        """A page brought nothing new though it was not the end: the server does not turn pages.

        A bare list shorter than a page that comes back unchanged was simply the whole list.
        """
        if page.has_more is None and len(self.listed) < PAGE_SIZE:
            self.came_to_the_end = True
            return
        hint = "Heidi's session list repeats itself instead of turning pages: older sessions may be missed. Ask Heidi."
        self._note(Trouble("heidi_list_repeats", hint))

    # ------------------------------------------------------------ reading sessions

    def _read_all(self, rows: Sequence[ListedSession]) -> list[SessionSeen]:
        return [self._read_one(row) for row in rows]

    def _read_again(self) -> list[SessionSeen]:
        """Sessions of which the list brought no news, but which changed lately or could not be read."""
        due = self.ledger.sessions.to_reread(self.state.clinician_id, self.now)
        return self._read_all([ListedSession(id_, None, None) for id_ in due if id_ not in self.read])

    def _read_one(self, row: ListedSession) -> SessionSeen:
        self.clock.check_stop()
        self.read.add(row.session_id)
        try:
            documents = self.reader.documents(row.session_id)
            row = self._with_age(row)
        except NotAuthorised:
            raise
        except Unavailable as error:
            self.failures += 1
            if self.failures >= FAILURES_IN_A_ROW:
                raise
            return self._unread(row, error)
        except (Rejected, InvalidResponse) as error:
            return self._unread(row, error)
        self.failures = 0
        if documents is None:
            return SessionSeen(row.session_id, row.created_at, row.updated_at, gone=True)
        self.tally.documents_seen += len(documents)
        seen = [DocumentSeen(found.document_id, self.ledger.keyed_hash(found.content.strip())) for found in documents]
        return SessionSeen(row.session_id, row.created_at, row.updated_at, tuple(seen))

    def _with_age(self, row: ListedSession) -> ListedSession:
        """A list row may lack its stamps: then the session says whether it is older than our start."""
        if row.created_at is not None or row.session_id not in self.listed:
            return row
        session = self.reader.session(row.session_id)
        return row if session is None else ListedSession(row.session_id, session.created_at, row.updated_at)

    def _unread(self, row: ListedSession, error: RemoteError) -> SessionSeen:
        """Remembered as unread, so that the cursor may move on and the next tick reads it."""
        log.warning("session.unread", session_id=row.session_id, code=error.code, operation=error.operation)
        self._note(Trouble(f"{error.service}_{error.code}", error.hint or f"{error.service} does not answer."))
        return SessionSeen(row.session_id, row.created_at, row.updated_at)

    # ------------------------------------------------------------ recording

    def _record(self, seen: Sequence[SessionSeen], stamps: dict[str, datetime] | None = None) -> None:
        done = self.ledger.sessions.record(self.lease, seen, rules=self.rules, now=self.now, walk_ended=stamps)
        self.tally.skipped += done.skipped
        self.tally.review += done.review

    def _stamps(self) -> dict[str, datetime]:
        stamps = {"last_poll_at": self.now}
        if self.full:
            stamps |= {"last_sweep_at": self.now, "first_sweep_at": self.now}
        if self.deep:
            stamps["last_deep_at"] = self.now
        if self.came_to_the_end and self.newest is not None:
            # never past Heidi's own clock: a stamp from the future would hide what comes before it
            stamps["cursor_at"] = min(self.newest, self.heidi.server_date or self.now)
        return stamps

    def _note(self, trouble: Trouble) -> None:
        self.trouble = self.trouble or trouble


def _latest(row: ListedSession) -> datetime | None:
    return max((stamp for stamp in (row.created_at, row.updated_at) if stamp is not None), default=None)


def _night(at: datetime, zone: tzinfo) -> date:
    return (at.astimezone(zone) - QUIET_HOURS).date()
