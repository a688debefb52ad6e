"""What a person must be told of without asking: read from the ledger, so that every process tells the same.

An alarm stands as long as its cause does. It names clinicians and counts, never a patient.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync_worker.advice import PAUSED_ITSELF
from sync_worker.ledger.views import Views
from sync_worker.model import PauseReason

RETENTION_WARNING, RETENTION_ALARM = 0.5, 0.8
"""Parts of Heidi's retention age that the oldest waiting session has reached."""
LONGEST_DOUBT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong. `level` is "warning" or "alarm"; `clinician` is None where it concerns everybody."""

    code: str
    level: str
    clinician: str | None
    hint: str


def standing(views: Views, *, names: Mapping[str, str], now: datetime, retention_days: int | None) -> Iterator[Alarm]:
    """The alarms that stand now. `names` are the clinicians of the settings, by Heidi user id."""
    for user_id, state in views.clinicians().items():
        if user_id in names and state.pause_reason:
            yield Alarm(state.pause_reason, "alarm", names[user_id], PAUSED_ITSELF[PauseReason(state.pause_reason)])
    if count := views.doubts_older_than(now - LONGEST_DOUBT):
        hint = f"{count} in doubt for more than 15 minutes: `sync-worker check` says whether Cliniko can be read."
        yield Alarm("doubt", "alarm", None, hint)
    if (found := retention(views.oldest_waiting_session(), now, retention_days)) is not None:
        yield found


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
    return Alarm("retention", level, None, hint)
