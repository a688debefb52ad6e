"""A day on which patients came and Heidi brought nothing: the one trouble that no error tells of."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, tzinfo

from sync_worker.errors import ConfigurationError, LedgerUnavailable, RemoteError, Stopping
from sync_worker.ledger.views import Views
from sync_worker.model import Booking

EVENING = 18
"""The hour after which the day's diary is looked at: by then the day's documents are written."""
FEW = 3
"""So few attended appointments say nothing: somebody had a quiet day."""
AGAIN_AFTER = timedelta(minutes=15)

Diary = Callable[[datetime, datetime], Iterable[Booking]]
"""A clinician's bookings that begin between two times. Raises `RemoteError` and `ConfigurationError`."""


class QuietDay:
    """Looks once an evening, and only where no document came that day: it costs a request for each clinician."""

    def __init__(
        self,
        views: Views,
        diaries: Iterable[Diary],
        zone: Callable[[], tzinfo],
        told_at: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """`told_at` says when people were told, where it is not over: a worker that starts anew must not end it."""
        self._views = views
        self._diaries = list(diaries)
        self._zone = zone
        self._told_at = told_at
        self._is_taken_up = False
        self._looked_on: date | None = None
        self._tried_at: datetime | None = None
        self._since: datetime | None = None

    def stands(self, now: datetime) -> bool:
        """Whether the last evening's look found attended appointments, and no document came since that day's morning.

        Raises `LedgerUnavailable`.
        """
        there = now.astimezone(self._zone())
        if not self._is_taken_up:
            told_at = self._told_at()
            self._since = _morning(told_at.astimezone(there.tzinfo)) if told_at is not None else None
            self._is_taken_up = True
        if there.hour >= EVENING and self._looked_on != there.date() and self._may_try(now):
            self._look(_morning(there), now, there.date())
        return self._since is not None and not self._views.documents_since(self._since)

    def _may_try(self, now: datetime) -> bool:
        return self._tried_at is None or not timedelta() <= now - self._tried_at < AGAIN_AFTER

    def _look(self, morning: datetime, now: datetime, today: date) -> None:
        self._tried_at = now
        if self._views.documents_since(morning):
            self._looked_on, self._since = today, None
            return
        try:
            bookings = [booking for diary in self._diaries for booking in diary(morning, now)]
        except (RemoteError, ConfigurationError, LedgerUnavailable, Stopping):
            return  # tried again; that a service is down is another alarm's matter
        attended = sum(booking.attended and booking.ends_at <= now for booking in bookings)
        self._looked_on, self._since = today, morning if attended >= FEW else None


def _morning(there: datetime) -> datetime:
    return datetime.combine(there.date(), time(), there.tzinfo)
