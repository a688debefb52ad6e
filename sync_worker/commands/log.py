"""`log`: the audit trail, for a person to read or, with `--csv`, for another program to prove.

How to prove the file of `log --csv`: of the rows of one clinician, in the order of `number`, each `hash` is the SHA-256
over the 32 bytes of the hash before it (32 zero bytes before the first) followed by the row as JSON, which is

    json.dumps([clinician, number, at, entry, event, from, to, reason, actor, details])

in Python; elsewhere one array with ", " between its items and every character outside ASCII as \\uXXXX. `clinician`,
`number` and `entry` are numbers in it, an empty cell is null, and all else is text just as it stands in the file.
Numbers begin with 1 and leave none out. Rows that fit together were not changed one by one; whether the newest were cut
off, or all of them written anew, shows only beside an older file or a backup. One entry's steps alone prove nothing.
"""

import csv
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from string import hexdigits
from typing import Any

from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, say
from sync_worker.errors import NotPossible
from sync_worker.ledger import Ledger
from sync_worker.ledger.trail import Event, Step, told
from sync_worker.ledger.views import EntryLife, Views
from sync_worker.records import Wish

COLUMNS = ("number", "clinician", "at", "entry", "event", "from", "to", "reason", "actor", "details", "hash")
HASH_LENGTH = 64
"""Hexadecimal digits of a hash. It is shown by its beginning: enough to compare by eye."""

WORDS: dict[str, str] = {
    Event.ENTERED: "the document was found",
    Event.MOVED: "moved",
    Event.CLAIMED: "a request to create its note was about to leave",
    Event.ADOPTED: "its note was in Cliniko already",
    Event.LOOKED: "looked for its note and did not find it",
    Event.WISHED: "its note is to be changed",
    Event.AMENDING: "a request to change its note was about to leave",
    Event.AMENDED: "that request ended",
    Event.DECIDED: "a person decided",
    Event.PAUSED: "posting was paused",
    Event.RESUMED: "posting was resumed",
    Event.BACKFILL: "older sessions were brought into scope",
    Event.RESTORED: "the ledger was put back from a copy",
    Event.VIEWED: "a patient's page was looked at",
    Event.RESIDENCY_OVERRIDDEN: "clinical data was let out of Australia",
    Event.RESIDENCY_RESTORED: "clinical data stays in Australia again",
}
"""Each event as a person says it."""
WISHES: dict[str | None, str] = {
    Wish.RECHECK: "its patient is to be looked at again",
    None: "nothing more is to be done to its note",
}
"""Wishes that are not to change the note."""


def log(entry: int | None, *, as_csv: bool) -> int:
    """Print the trail, or one entry's whole life. Raises `NotPossible` if there is no such entry."""
    settings, _ = setup.load()
    engine = setup.require_ledger(settings)
    ledger, views = Ledger(engine, region=settings.heidi_region), Views(engine)
    life = views.entry_life(entry) if entry is not None else None
    if entry is not None and life is None:
        raise NotPossible(f"There is no entry {entry}: `sync-worker log` shows every step with its entry's number.")
    if as_csv:
        _write_csv(ledger.trail.steps(entry))
        return DONE
    zone = setup.zone(settings, engine)
    if life is not None:
        _show_life(life, zone)
    names = {one.heidi_user_id: one.name for one in settings.clinicians}
    people = {state.clinician_id: names.get(user_id, user_id) for user_id, state in views.clinicians().items()}
    for step, _hash in ledger.trail.steps(entry):
        say(_sentence(step, zone, None if life is not None else people.get(step.clinician_id)))
    return DONE


# ---------------------------------------------------------------- for a program


def _write_csv(steps: Iterator[tuple[Step, bytes]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for step, hashed in steps:
        writer.writerow(
            [
                step.number,
                step.clinician_id,
                step.at.astimezone(UTC).isoformat(timespec="microseconds"),
                step.entry_id,
                step.event,
                step.from_status,
                step.to_status,
                step.reason,
                step.actor,
                step.details,
                hashed.hex(),
            ]
        )


# ---------------------------------------------------------------- for a person


def _show_life(life: EntryLife, zone: tzinfo) -> None:
    reason = f", {life.reason}" if life.reason else ""
    say(f"Entry {life.entry} is {life.status.replace('_', ' ')}{reason}.")
    say(f"  session {life.session_id}, document {life.document_id}")
    if life.note_id:
        say(f"  note {life.note_id} on patient {life.patient_id}")
    for attempt in life.attempts:
        say(f"  {_attempt(attempt, zone)}")


def _attempt(attempt: dict[str, Any], zone: tzinfo) -> str:
    ended = f"ended {_at(attempt['ended_at'], zone)}" if attempt["ended_at"] else "not ended"
    outcome = " ".join(word for word in (attempt["outcome"], attempt["code"]) if word) or "open"
    note = f", note {attempt['note_id']}" if attempt["note_id"] else ""
    looks = f", looked for {attempt['looks']} times" if attempt["looks"] else ""
    begun = f"attempt {attempt['number']} to {attempt['kind']}: begun {_at(attempt['started_at'], zone)}, {ended}"
    return f"{begun}: {outcome}{note}{looks}"


def _sentence(step: Step, zone: tzinfo, clinician: str | None) -> str:
    whose = [clinician] if clinician else []
    if clinician and step.entry_id is not None:
        whose.append(f"entry {step.entry_id}")
    parts = [_at(step.at, zone), *whose, _what(step)]
    if step.to_status is not None:
        parts.append(f"{step.from_status or 'new'} -> {step.to_status}")
    if step.reason is not None:
        parts.append(f"because {step.reason}")
    parts.append(f"by {step.actor}")
    if short := _short(step):
        parts.append(short)
    return ", ".join(parts)


def _what(step: Step) -> str:
    what = WORDS.get(step.event, step.event)
    details = told(step) or {}
    return WISHES.get(details["wish"], what) if step.event == Event.WISHED and "wish" in details else what


def _at(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _short(step: Step) -> str:
    """The details in short: what is there, with hashes by their beginning."""
    details = told(step)
    if details is None:
        return "details that cannot be read"  # somebody changed them: `check` says where
    return "; ".join(f"{name} {_word(value)}" for name, value in details.items() if value not in (None, "", [], False))


def _word(value: Any) -> str:
    match value:
        case True:
            return "yes"
        case list():
            return " ".join(_word(one) for one in value)
        case dict():
            return _word(value.get("patient_id", ""))  # a chart that was looked at: which one is enough here
        case str() if len(value) == HASH_LENGTH and set(value) <= set(hexdigits):
            return f"{value[:8]}…"
    return str(value)
