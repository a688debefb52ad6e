"""Taking in sessions: walks Heidi's list and records an entry for each document.

Heidi's only list is unfiltered and of unknown order, so the ledger, not the order, decides what is new. A full walk
reads every page; between full walks a poll reads pages only while they bring news. The cursor is a hint for people and
for a server-side filter: it moves with the entries of the walk's last page, in their transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import count

from sync_worker import lifecycle
from sync_worker.clock import Clock
from sync_worker.errors import NotAuthorised, RemoteError, Stopping, Unavailable
from sync_worker.heidi import PAGE_SIZE, HeidiClient, SessionPage
from sync_worker.ledger import Ledger
from sync_worker.ledger.purge import BEYOND_LOOKBACK
from sync_worker.ledger.sessions import IntakeRules
from sync_worker.logs import get_logger
from sync_worker.model import Document, ListedSession
from sync_worker.reading import SessionReader, hint_seen
from sync_worker.records import ClinicianState, DocumentSeen, HintSeen, KnownSession, Lease, SessionSeen, Tally, Trouble

log = get_logger()

LIKELY_PAGE_SIZES = (10, 20, 25, 50)
"""A list of just so many rows, without a word on whether it goes on, may be cut."""
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


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects one clinician's sessions."""

    heidi: HeidiClient
    reader: SessionReader
    ledger: Ledger
    settings: CollectSettings
    clock: Clock

    def collect(
        self, lease: Lease, state: ClinicianState, rules: IntakeRules, tally: Tally, *, full: bool
    ) -> Trouble | None:
        """Walk the list and record what is new, counting it. The trouble is what kept the walk from being whole.

        Raises `RemoteError` when Heidi is down or refuses the clinician; what was read before is recorded and counted.
        """
        walk = _Walk(self, lease, state, rules, tally, full=full)
        walk.run()
        return walk.trouble


class _Walk:
    """One walk along the list."""

    def __init__(
        self, of: Collector, lease: Lease, state: ClinicianState, rules: IntakeRules, tally: Tally, *, full: bool
    ) -> None:
        self.of = of
        self.lease = lease
        self.state = state
        self.rules = rules
        self.tally = tally
        self.now = of.clock.now()
        self.backfills = [one for one in rules.backfills if one.walked_at is None]
        self.full = full or bool(self.backfills) or self._is_sweep_due()
        self.deep = self.full and self._is_first_walk_of_the_night()
        self.trouble: Trouble | None = None
        self.listed: set[str] = set()
        self.read: set[str] = set()
        self.seen: list[SessionSeen] = []
        """What was read and is not recorded yet."""
        self.newest: datetime | None = None
        self.surprises: set[str] = set()
        self.came_to_the_end = False
        self.failures = 0

    def run(self) -> None:
        try:
            self._walk()
        except (RemoteError, Stopping):
            self._record()
            raise
        self._record(self._stamps())

    def _walk(self) -> None:
        for number in count(1):
            page = self.of.heidi.list_sessions(number, since=self._since())
            fresh = self._fresh(page)
            news = self._news(self._in_lookback(fresh))
            for row, known in news:
                self._read(self._with_stamps(row, known), known)
            if self._is_last(page, fresh, news):
                break
            self._record()
        ledger = self.of.ledger.sessions
        to_reread = ledger.to_reread(self.state.clinician_id, self.now)
        again = [row for row in to_reread if row.session_id not in self.read]
        before = ledger.known(self.state.clinician_id, [row.session_id for row in again])
        for row in again:
            known = before.get(row.session_id)
            self._read(self._with_stamps(row, known), known)

    # ------------------------------------------------------------ along the list

    def _is_sweep_due(self) -> bool:
        last = self.state.last_sweep_at
        return last is None or self.now - last >= self.of.settings.sweep_interval

    def _is_first_walk_of_the_night(self) -> bool:
        last, zone = self.state.last_deep_at, self.of.settings.night_zone
        return last is None or night_of(self.now, zone) > night_of(last, zone)

    def _since(self) -> tuple[str, datetime] | None:
        """A server-side filter, where Heidi has confirmed one; never in a full walk, which must miss nothing."""
        settings = self.of.settings
        if self.full or not settings.updated_since_param or self.state.cursor_at is None:
            return None
        return settings.updated_since_param, self.state.cursor_at - settings.overlap

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
        # the stamps are Heidi's: a clock of ours that is far ahead must not make them all too old
        oldest = min(self.now, self.of.heidi.server_date or self.now) - self.of.settings.lookback
        kept = [row for row in rows if row.latest is None or row.latest >= oldest or self._is_wanted(row)]
        self.tally.sessions_seen += len(kept)
        return kept

    def _news(self, rows: Sequence[ListedSession]) -> list[tuple[ListedSession, KnownSession | None]]:
        """The sessions to read: new or changed, and those that could not be read when their time has come again."""
        ledger = self.of.ledger.sessions
        known = ledger.known(self.state.clinician_id, [row.session_id for row in rows])
        paired = [(row, known.get(row.session_id)) for row in rows]
        news = [(row, before) for row, before in paired if self._is_news(row, before)]
        for row, before in news:
            self._wonder(row, before)
        return news

    def _wonder(self, row: ListedSession, before: KnownSession | None) -> None:
        """Note what only a walk through the whole list found although a poll since then should have shown it.

        It is taken in like all else; but where polls do not show what is new, people must know that it comes late.
        """
        polled = self._polled_until()
        is_old = polled is not None and row.latest is not None and row.latest < polled
        if not (self.full and is_old) or self._is_wanted(row, before):
            return
        if before is None:
            first = self.state.first_sweep_at
            # an older one may have been listed and then purged: a look-back that was widened shows it again
            known_of = self.now - BEYOND_LOOKBACK
            if first is not None and row.latest is not None and row.latest > max(first, known_of):
                self.surprises.add("not_listed_at")
        elif not before.unread and before.updated_at is not None and row.updated_at != before.updated_at:
            self.surprises.add("changed_unseen_at")

    def _polled_until(self) -> datetime | None:
        """Up to when, by Heidi's clock, polls have surely shown everything."""
        last, there = self.state.last_poll_at, self.of.heidi.server_date or self.now
        if last is None or last > self.now:  # our clock was set back since
            return None
        return last - max(self.now - there, timedelta()) - self.of.settings.overlap

    def _is_wanted(self, row: ListedSession, before: KnownSession | None = None) -> bool:
        """Whether a backfill that is under way asks for the session, and has not read it yet.

        A row that does not tell when the session began may be one.
        """
        at, read_at = row.created_at, before.read_at if before else None
        return any(
            (at is None or one.covers(at)) and (read_at is None or read_at < one.asked_at) for one in self.backfills
        )

    def _is_news(self, row: ListedSession, before: KnownSession | None) -> bool:
        if before is None:
            return True
        if before.unread:
            return self.full or before.retry_at is None or before.retry_at <= self.now
        if row.updated_at is None:
            return self.full  # the list does not tell: what changed is found by reading
        return self.deep or row.updated_at != before.updated_at or self._is_wanted(row, before)

    def _is_last(self, page: SessionPage, fresh: Sequence[ListedSession], news: Sequence[object]) -> bool:
        if page.has_more is False or (not page.rows and not page.has_more):
            self.came_to_the_end = True
            return True
        if not fresh:
            self._note_repetition(page)
            return True
        return not self.full and not news

    def _note_repetition(self, page: SessionPage) -> None:
        """A page brought nothing new though it was not the end: the server does not turn pages.

        A bare list that comes back unchanged was simply the whole list, unless its length looks like a page's.
        """
        if page.has_more is None and len(self.listed) not in LIKELY_PAGE_SIZES and len(self.listed) < PAGE_SIZE:
            self.came_to_the_end = True
            return
        hint = "Heidi's session list repeats itself instead of turning pages: older sessions may be missed. Ask Heidi."
        self._note(Trouble("heidi_list_repeats", hint))

    # ------------------------------------------------------------ reading sessions

    def _with_stamps(self, row: ListedSession, known: KnownSession | None) -> ListedSession:
        """A list row may lack its stamps: then the session itself says whether it is older than our start."""
        if row.created_at is not None or (known is not None and known.read_at is not None):
            return row
        try:
            session = self.of.reader.session(row.session_id)
        except NotAuthorised:
            raise
        except RemoteError:
            return row  # its documents will not be readable either, and it stays unread
        return row if session is None else ListedSession(row.session_id, session.created_at, session.updated_at)

    def _read(self, row: ListedSession, known: KnownSession | None) -> None:
        """Read a session's documents. Sessions that failed before say nothing of whether Heidi is up."""
        self.of.clock.check_stop()
        self.read.add(row.session_id)
        try:
            seen = self._seen(row, known, self.of.reader.documents(row.session_id))
        except NotAuthorised:
            raise
        except RemoteError as error:
            self._leave_unread(row, error)
            was_unread = known is not None and known.unread
            self.failures += isinstance(error, Unavailable) and not was_unread
            if self.failures >= lifecycle.FAILURES_IN_A_ROW:
                raise
            return
        self.failures = 0
        self.tally.documents_seen += len(seen.documents or ())
        self.seen.append(seen)

    def _seen(self, row: ListedSession, known: KnownSession | None, documents: list[Document] | None) -> SessionSeen:
        read_at = self.of.reader.read_at(row.session_id)
        if documents is None:
            return SessionSeen(row.session_id, row.created_at, row.updated_at, read_at, gone=True)
        hashed = self.of.ledger.keyed_hash
        seen = tuple(DocumentSeen(one.document_id, hashed(one.content.strip()), one.template_id) for one in documents)
        patient = self._patient(row.session_id) if known is not None and known.has_filed else None
        return SessionSeen(row.session_id, row.created_at, row.updated_at, read_at, seen, patient=patient)

    def _patient(self, session_id: str) -> HintSeen | None:
        """Whom the session is about now, if that can be told; asked only where a document is filed, as it costs."""
        session = self.of.reader.session(session_id)
        if session is None or session.is_profile_unread:
            return None
        return hint_seen(self.of.ledger, session)

    def _leave_unread(self, row: ListedSession, error: RemoteError) -> None:
        """Remembered as unread, so that the cursor may move on; it is read again after a while that grows."""
        log.warning("session.unread", session_id=row.session_id, code=error.code, operation=error.operation)
        self._note(Trouble(f"{error.service}_{error.code}", error.sentence))
        self.seen.append(SessionSeen(row.session_id, row.created_at, row.updated_at, self.now))

    # ------------------------------------------------------------ recording

    def _record(self, stamps: dict[str, datetime] | None = None) -> None:
        ledger = self.of.ledger.sessions
        walked = self.backfills if stamps is not None and self.came_to_the_end else []
        done = ledger.record(self.lease, self.seen, rules=self.rules, now=self.now, walk_ended=stamps, walked=walked)
        self.seen = []
        self.tally.skipped += done.skipped
        self.tally.review += done.review

    def _stamps(self) -> dict[str, datetime]:
        stamps = {"last_poll_at": self.now}
        if self.full:
            stamps |= {"last_sweep_at": self.now, "first_sweep_at": self.now}
        if self.deep:
            stamps["last_deep_at"] = self.now
        stamps |= dict.fromkeys(self.surprises, self.now)
        if self.came_to_the_end and self.newest is not None:
            # never past Heidi's own clock: a stamp from the future would hide what comes before it
            stamps["cursor_at"] = min(self.newest, self.of.heidi.server_date or self.now)
        return stamps

    def _note(self, trouble: Trouble) -> None:
        self.trouble = self.trouble or trouble


def night_of(at: datetime, zone: tzinfo) -> date:
    """The night that a moment belongs to: each begins when the quiet hours do."""
    return (at.astimezone(zone) - QUIET_HOURS).date()
