"""What a person must be told of without asking: worked out from the ledger, so that every process tells the same.

An alarm stands as long as its cause does. It names clinicians and counts, never a patient. `notices` tells people when
one begins and when it has ended.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sync_worker.advice import HINTS, PAUSED_ITSELF
from sync_worker.ledger.views import Views, zone_told
from sync_worker.records import AlarmCode, ClinicianState, PauseReason
from sync_worker.settings import Mode, Settings

RETENTION_WARNING, RETENTION_ALARM = 0.5, 0.8
"""Parts of Heidi's retention age that the oldest waiting session has reached."""
LONGEST_DOUBT = timedelta(minutes=15)
LASTING_TROUBLE = timedelta(minutes=30)
"""A trouble that ends sooner is nobody's business: what waits is filed when it is over."""
SURPRISE_STANDS = timedelta(days=1)
"""How long people are told of what a sweep came upon, from the last time that it did."""
LATE_POLLS, LEAST_LATE = 3, timedelta(minutes=10)

_SERVICES = ("heidi", "cliniko")
_KEY = frozenset({"key_refused", "another_key", "not_permitted", "not_a_practitioner"})
_WEEKEND = (5, 6)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong. `level` is "warning" or "alarm"; `clinician` is None where it concerns everybody."""

    code: str
    level: str
    clinician: str | None
    hint: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What the settings say should be. `names` are the clinicians of the settings, by Heidi user id."""

    names: Mapping[str, str]
    poll: timedelta
    retention_days: int | None
    """The age at which Heidi deletes sessions, if it does."""
    zone: tzinfo | None
    """The practice's, where the settings name one."""
    rehearse: bool = False
    """Nothing is filed on purpose, so that what is pending waits for nobody."""


def late_after(poll: timedelta) -> timedelta:
    """How long a clinician may not be polled before that is worth a word; a tick may deliver for some minutes."""
    return max(LATE_POLLS * poll, LEAST_LATE)


def expected_of(settings: Settings) -> Expected:
    """What the settings say should be."""
    return Expected(
        names={one.heidi_user_id: one.name for one in settings.clinicians},
        poll=timedelta(seconds=settings.sync_poll_interval_seconds),
        retention_days=settings.heidi_retention_days,
        zone=settings.timezone,
        rehearse=settings.sync_mode is Mode.REHEARSE,
    )


def standing(views: Views, expected: Expected, now: datetime) -> Iterator[Alarm]:
    """The alarms that stand now, by what the ledger holds. Raises `LedgerUnavailable`."""
    states = {user_id: state for user_id, state in views.clinicians().items() if user_id in expected.names}
    for user_id, state in states.items():
        yield from of_clinician(state, expected.names[user_id], expected, now)
    if count := views.doubts_older_than(now - LONGEST_DOUBT):
        hint = f"{count} in doubt for more than 15 minutes: `sync-worker check` says whether Cliniko can be read."
        yield Alarm(AlarmCode.DOUBT, "alarm", None, hint)
    oldest = views.oldest_waiting(pending=not expected.rehearse)
    if oldest is not None and oldest < a_working_day_before(now, expected.zone or zone_told(states.values())):
        yield Alarm(AlarmCode.WAITING, "warning", None, HINTS[AlarmCode.WAITING])
    if (found := retention(views.oldest_waiting_session(), now, expected.retention_days)) is not None:
        yield found


def of_clinician(state: ClinicianState, name: str, expected: Expected, now: datetime) -> Iterator[Alarm]:
    """What is wrong with one clinician's work."""
    if state.pause_reason:
        yield Alarm(state.pause_reason, "alarm", name, PAUSED_ITSELF[PauseReason(state.pause_reason)])
    if code := _trouble(state, expected, now):
        yield Alarm(code, "alarm", name, HINTS[code])
    for at, surprise in (
        (state.not_listed_at, AlarmCode.NOT_LISTED),
        (state.changed_unseen_at, AlarmCode.CHANGED_UNSEEN),
    ):
        if at is not None and timedelta() <= now - at < SURPRISE_STANDS:  # else our clock was ahead when it was noted
            yield Alarm(surprise, "warning", name, HINTS[surprise])


def _trouble(state: ClinicianState, expected: Expected, now: datetime) -> AlarmCode | None:
    """What the trouble of a clinician's last ticks amounts to; None where there is none worth a message yet.

    Whatever it is, and nobody may have thought of it here: one that lasts is told.
    """
    trouble = state.trouble or ""
    service, _, kind = trouble.partition("_")
    if trouble == "heidi_not_linked":
        return AlarmCode.UNLINKED
    if service in _SERVICES and kind in _KEY:
        return AlarmCode(f"{service}_key_refused")
    if trouble == "heidi_list_repeats":
        return AlarmCode.NOT_LISTED
    does_last = now - (state.trouble_since or now) >= LASTING_TROUBLE
    if service in _SERVICES:
        return AlarmCode(f"{service}_unreachable") if does_last else None
    if trouble and trouble not in PAUSED_ITSELF and does_last:
        return AlarmCode.STALLED
    late = late_after(expected.poll)
    read_at = state.last_poll_at or state.trouble_since  # one may never have been read at all
    if read_at is not None and now - read_at > late:
        return AlarmCode.STALLED
    return None


def retention(oldest: datetime | None, now: datetime, days: int | None) -> Alarm | None:
    """Whether Heidi may delete the oldest waiting session soon. `days` is the age at which it does, if it does."""
    if oldest is None or days is None:
        return None
    age = now - oldest
    if age < days * RETENTION_WARNING * timedelta(days=1):
        return None
    level = "alarm" if age >= days * RETENTION_ALARM * timedelta(days=1) else "warning"
    hint = (
        f"The oldest session with a waiting document is {age.days} days old, and Heidi deletes sessions after {days}: "
        "decide about it (`sync-worker review list`), or let Heidi keep sessions for longer."
    )
    return Alarm(AlarmCode.RETENTION, level, None, hint)


def a_working_day_before(now: datetime, zone: tzinfo) -> datetime:
    """The same time on the working day before; what came at a weekend counts from Monday's beginning.

    Public holidays are not known: they make the alarm come a day early.
    """
    there = now.astimezone(zone)
    day = there - timedelta(days=1)
    while day.weekday() in _WEEKEND:
        day -= timedelta(days=1)
    if there.weekday() in _WEEKEND:  # nobody is asked to work: Friday's late documents wait until Monday
        day = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return day
