"""How things stand, in a few lines twice a day: counts, what waits, what is wrong, and the tip of the audit trail.

Whoever keeps these mails can prove later that nobody wrote the trail anew: each names its length and its last hash.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from sqlalchemy import Engine

from sync_worker.channels import Message
from sync_worker.ledger.alarms import Open
from sync_worker.ledger.pages import Pages
from sync_worker.ledger.views import Tip, Views


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at a time. `filed` counts the notes since `since`."""

    since: datetime
    filed: int
    entries: Mapping[str, int]
    reasons: Mapping[str, int]
    alarms: Sequence[Open]
    tips: Sequence[Tip]


def due_at(last: datetime | None, now: datetime, times: Iterable[time], zone: tzinfo) -> datetime | None:
    """The newest of the day's `times` that has passed and was not told of; None if there is none.

    What was missed by more than a day, or before the first digest, is not told late.
    """
    there = now.astimezone(zone)
    days = (there.date() - timedelta(days=1), there.date())
    passed = [at for day in days for one in times if (at := datetime.combine(day, one, zone)) <= now]
    newest = max(passed, default=None)
    return newest if newest is not None and last is not None and last < newest else None


def gather(
    engine: Engine, alarms: Mapping[str, Open], names: Mapping[str, str], *, since: datetime, now: datetime
) -> Standing:
    """Read how things stand. `names` are the clinicians' by Heidi user id. Raises `LedgerUnavailable`."""
    views = Views(engine)
    return Standing(
        since=since,
        filed=sum(Pages(engine).filed_between([since, now])),
        entries=views.entry_counts(),
        reasons=views.review_reasons(),
        alarms=[one for one in alarms.values() if one.told],
        tips=views.tips(names),
    )


def message_of(standing: Standing, *, practice: str, zone: tzinfo, link: str | None) -> Message:
    """The digest as it is sent."""
    waiting = sum(standing.reasons.values())
    lines = [
        f"Since {_at(standing.since, zone)}: {_count(standing.filed, 'note')} filed.",
        f"Waiting for a person: {waiting}.",
        *(f"  {reason}: {count}" for reason, count in standing.reasons.items()),
        f"Still to be filed: {standing.entries['pending']}; in doubt: {standing.entries['in_doubt']}.",
        *(["Wrong now:"] if standing.alarms else ["Nothing is wrong."]),
        *(f"  {one.code}, since {_at(one.began_at, zone)}" for one in standing.alarms),
        *([f"The page: {link}"] if link else []),
        "",
        "The audit trail's last steps, to compare with `sync-worker log --csv` later:",
        *(f"  {tip.name}: step {tip.number}, {tip.hash.hex() if tip.hash else 'none yet'}" for tip in standing.tips),
    ]
    facts = {
        "kind": "digest",
        "practice": practice,
        "since": standing.since.isoformat(),
        "filed": standing.filed,
        "entries": dict(standing.entries),
        "review": dict(standing.reasons),
        "alarms": [one.code for one in standing.alarms],
        "trail": [
            {"clinician": tip.name, "step": tip.number, "hash": tip.hash.hex() if tip.hash else None}
            for tip in standing.tips
        ],
        "link": link,
    }
    subject = f"{practice}: {_count(standing.filed, 'note')} filed, {waiting} waiting, {len(standing.alarms)} wrong"
    return Message(subject, "\n".join(lines), facts)


def _at(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%a %d %b %H:%M}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
