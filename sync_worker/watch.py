"""What the service does beside filing, every minute: alarms, the digest, the heartbeat.

A thread of its own, since a mail server may let it wait. It asks the services nothing but a day's diaries on an evening
without any document.
"""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import partial

from sync_worker import digest
from sync_worker.advice import HINTS
from sync_worker.alarms import Alarm, late_after
from sync_worker.bootstrap import Worker
from sync_worker.channels import Heartbeat, Message, channels_of, send_everywhere
from sync_worker.clock import Clock
from sync_worker.errors import LedgerMismatch, LedgerUnavailable, Stopping
from sync_worker.ledger.alarms import Alarms
from sync_worker.ledger.storage import sqlite_path
from sync_worker.ledger.views import Views, zone_told
from sync_worker.model import Booking
from sync_worker.notices import Notice, Notices
from sync_worker.quiet_day import QuietDay
from sync_worker.records import AlarmCode
from sync_worker.settings import Settings

CLOCK_OFF = timedelta(minutes=5)
CLOCK_STEP_SECONDS = 60
HELD_UP_SECONDS = 300
"""Who looks every minute and comes so late was held up or asleep, and so were the ticks."""
LEAST_FREE_BYTES = 200 * 1024 * 1024
HEARTBEAT_EVERY = timedelta(minutes=5)


class Watch:
    """Everything that tells people how the service is. Not thread-safe."""

    def __init__(self, settings: Settings, worker: Worker, clock: Clock) -> None:
        self._settings = settings
        self._worker = worker
        self._clock = clock
        self._views = Views(worker.ledger.engine)
        self._store = Alarms(worker.ledger.engine)
        self._channels = channels_of(settings, clock)
        heartbeat = settings.sync_heartbeat_url
        self._heartbeat = Heartbeat(heartbeat.get_secret_value(), clock) if heartbeat is not None else None
        self._beat_at: datetime | None = None
        self._warm_since = self._looked_at = clock.monotonic()
        self._apart = clock.now().timestamp() - clock.monotonic()
        diaries = [partial(_diary, worker, user_id) for user_id in worker.pipelines]
        self._quiet_day = QuietDay(self._views, diaries, self.zone, self._quiet_day_told_at)
        self.notices = Notices(
            ledger=self._by_the_ledger, process=self._by_this_process, store=self._store, tell=self._tell
        )

    def look(self) -> list[Notice]:
        """Tell what there is to tell; what was told. Raises nothing that a failing ledger or channel raises."""
        now = self._clock.now()
        told = self.notices.watch(now)
        try:
            self._send_digest(now)
            self._beat(now)
        except (LedgerUnavailable, LedgerMismatch):
            pass  # it is an alarm already, and without a heartbeat somebody else raises one
        except Stopping:
            pass
        return told

    def close(self) -> None:
        """Let go of the channels' connections."""
        for channel in self._channels:
            channel.close()
        if self._heartbeat is not None:
            self._heartbeat.close()

    def zone(self) -> tzinfo:
        """The practice's time zone: the settings', else what Cliniko told once. Raises `LedgerUnavailable`."""
        return self._settings.timezone or zone_told(self._views.clinicians().values())

    # ------------------------------------------------------------ what stands

    def _by_the_ledger(self) -> Iterator[Alarm]:
        now = self._clock.now()
        may_stall = self._is_warm(now) and not self._is_ledger_failing()
        for alarm in self._worker.alarms():
            if alarm.code != AlarmCode.STALLED or may_stall:
                yield alarm
        if self._quiet_day.stands(now):
            yield Alarm(AlarmCode.NOTHING_FILED, "warning", None, HINTS[AlarmCode.NOTHING_FILED])

    def _quiet_day_told_at(self) -> datetime | None:
        told = self._store.open().get(AlarmCode.NOTHING_FILED)
        return told.began_at if told is not None else None

    def _is_warm(self, now: datetime) -> bool:
        """Whether the service has run for long enough to have polled everybody, since its clock was set or it slept."""
        monotonic = self._clock.monotonic()
        apart = now.timestamp() - monotonic
        if abs(apart - self._apart) > CLOCK_STEP_SECONDS or monotonic - self._looked_at > HELD_UP_SECONDS:
            self._warm_since = monotonic  # the last poll may be hours ago, and is nobody's fault
        self._apart, self._looked_at = apart, monotonic
        return monotonic - self._warm_since >= self._late().total_seconds()

    def _is_ledger_failing(self) -> bool:
        """Whether the newest ticks could not write: then no poll is remembered either."""
        troubles = [pipeline.last_trouble for pipeline in self._worker.pipelines.built()]
        return any(trouble in ("ledger_unavailable", "ledger_version") for trouble in troubles)

    def _by_this_process(self) -> Iterator[Alarm]:
        """What the ledger cannot tell: that it cannot be written itself, and that the clock is wrong."""
        if self._is_ledger_failing():
            yield Alarm(AlarmCode.LEDGER, "alarm", None, HINTS[AlarmCode.LEDGER])
        elif (free := _free_bytes(self._worker)) is not None and free < LEAST_FREE_BYTES:
            hint = f"The ledger's disk has {free // 1024**2} MB left: free some space before nothing can be filed."
            yield Alarm(AlarmCode.LEDGER, "warning", None, hint)
        if any(abs(pipeline.heidi.clock_ahead) > CLOCK_OFF for pipeline in self._worker.pipelines.built()):
            yield Alarm(AlarmCode.CLOCK, "alarm", None, HINTS[AlarmCode.CLOCK])

    # ------------------------------------------------------------ telling

    def _tell(self, notice: Notice) -> bool:
        return send_everywhere(self._channels, message_of(notice, practice=self.practice, link=self.link))

    @property
    def practice(self) -> str:
        """What the practice is called in messages."""
        return self._settings.practice_name or "sync-worker"

    @property
    def link(self) -> str | None:
        """The page's address, where people can reach it."""
        return self._settings.sync_web_base_url

    def _send_digest(self, now: datetime) -> None:
        if not self._channels:
            return
        last, zone = self._store.digest_at(), self.zone()
        if last is None or last > now:  # our clock was ahead: else none would come until then
            self._store.remember_digest(now)  # the first tells of what was done since today
            return
        due = digest.due_at(last, now, self._settings.sync_alert_digest_at, zone)
        if due is None:
            return
        names = {one.heidi_user_id: one.name for one in self._settings.clinicians}
        standing = digest.gather(self._worker.ledger.engine, self._store.open(), names, since=last, now=now)
        message = digest.message_of(standing, practice=self.practice, zone=zone, link=self.link)
        if send_everywhere(self._channels, message):
            self._store.remember_digest(now)

    def _beat(self, now: datetime) -> None:
        """While somebody is polled and the ledger answers."""
        if self._heartbeat is None or (self._beat_at and timedelta() <= now - self._beat_at < HEARTBEAT_EVERY):
            return
        polls = [state.last_poll_at for state in self._views.clinicians().values() if state.last_poll_at]
        if polls and now - max(polls) <= self._late():
            self._beat_at = now
            self._heartbeat.beat()

    def _late(self) -> timedelta:
        return late_after(timedelta(seconds=self._settings.sync_poll_interval_seconds))


def message_of(notice: Notice, *, practice: str, link: str | None) -> Message:
    """A notice as it is sent."""
    what = notice.code.replace("_", " ")
    whom = f" ({', '.join(notice.clinicians)})" if notice.clinicians else ""
    since = f"{notice.since:%Y-%m-%d %H:%M} UTC"
    if notice.begins:
        subject = f"{practice}: {notice.level}: {what}{whom}"
        lines = [notice.hint, f"Since {since}. A message follows when it is over."]
    else:
        subject = f"{practice}: over: {what}"
        lines = [f"What began {since} is over: {what}."]
    lines += [f"What to do: docs/runbook.md, under {notice.code}."] if notice.begins else []
    lines += [f"The page: {link}"] if link else []
    facts = {
        "kind": "alarm",
        "practice": practice,
        "code": notice.code,
        "level": notice.level,
        "state": "begins" if notice.begins else "ends",
        "since": notice.since.isoformat(),
        "clinicians": list(notice.clinicians),
        "link": link,
    }
    return Message(subject, "\n".join(lines), facts)


def _diary(worker: Worker, user_id: str, since: datetime, until: datetime) -> list[Booking]:
    pipeline = worker.pipelines[user_id]
    practitioner = pipeline.identity.practitioner()
    return list(pipeline.cliniko.find_bookings(practitioner.practitioner_id, since=since, until=until))


def _free_bytes(worker: Worker) -> int | None:
    """What is left on the disk of an SQLite ledger; None for Postgres, whose disk is another machine's matter."""
    path = sqlite_path(worker.ledger.engine)
    try:
        return shutil.disk_usage(path.parent).free if path is not None else None
    except OSError:
        return None
