"""`support-bundle`: one file for whoever helps, about the installation and about nobody in it.

What goes in is built from what is known to be harmless, never by striking names out of more: numbers, switches and
choices of a list; counts, codes and ages. Clinicians are numbers. A setting of any other kind tells only whether it is
set. No service is asked. It refuses to replace a file.
"""

import json
import os
import platform
import sqlite3
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from sync_worker import __version__
from sync_worker.alarms import expected_of, standing
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, say
from sync_worker.errors import LedgerMismatch, LedgerUnavailable, NotPossible
from sync_worker.ledger import migrate
from sync_worker.ledger.bundle import Contents
from sync_worker.ledger.storage import sqlite_path
from sync_worker.ledger.views import Views
from sync_worker.settings import Settings

PRIVATE = 0o600
SET, NOT_SET = "set", "not set"

README = """\
A support bundle of sync-worker {version}, made {at} UTC.

about.json     this program, Python, the system, the kind of database
settings.json  every setting by name: its value where that is a number, a switch or a choice of a list; of every other
               one only whether it is set
ledger.json    schema, rows of each table, the alarms that stand, each clinician's last poll and trouble, the tip of
               their audit trail, and entries by status and reason with their ages; those that wait one by one

Clinicians are numbered in the order of the settings. There is no name, e-mail address, host or key in it, no patient's,
session's, document's or note's id, and no text. An entry's number means something to this installation alone.

`sync-worker check` was not run, as it talks to both services: send what it prints along, if you like; it names the
clinicians. So do the service's log lines, which also hold ids of sessions, documents and notes, but no patient's id,
name or text, as a list of what may be logged sees to. Where systemd runs it, this writes the last two days of them:

    journalctl -u sync-worker --since "2 days ago" > sync-worker.log
"""


def support_bundle(file: Path) -> int:
    """Write the bundle. 1 with a sentence where the file is there already, or cannot be written."""
    settings, clock = setup.load()
    now = clock.now()
    parts = {
        "about.json": _about(settings, now),
        "settings.json": _settings(settings),
        "ledger.json": _ledger(settings, now),
    }
    _write(file, README.format(version=__version__, at=_stamp(now)), parts)
    say(f"{file} holds no names, keys or ids of patients, sessions or documents: README.txt in it says what it holds.")
    return DONE


# ---------------------------------------------------------------- what goes in


def _about(settings: Settings, now: datetime) -> dict[str, Any]:
    return {
        "version": __version__,
        "made_at": _stamp(now),
        "python": platform.python_version(),
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "sqlite": sqlite3.sqlite_version,
        "database": settings.database_url.get_secret_value().partition(":")[0],
        "in_virtual_environment": sys.prefix != sys.base_prefix,
        "check": "not run: it talks to both services",
    }


def _settings(settings: Settings) -> dict[str, Any]:
    fields = type(settings).model_fields
    told = {
        name.upper(): _harmless(getattr(settings, name), is_choice=_is_choice(about.annotation))
        for name, about in fields.items()
    }
    actions = [route.action for route in settings.routes]
    return {
        "settings": told,
        "given": sorted(name.upper() for name in settings.model_fields_set),
        "clinicians": len(settings.clinicians),
        "routes": {action: actions.count(action) for action in sorted(set(actions))},
        "warnings": len(settings.warnings),
    }


def _is_choice(annotation: Any) -> bool:
    """Whether a setting can only be one of the words that this program knows."""
    return get_origin(annotation) is Literal or any(get_origin(one) is Literal for one in get_args(annotation))


def _harmless(value: object, *, is_choice: bool) -> object:
    """A number, a switch, a choice of a list, a time zone or a count; of anything else whether it is set."""
    match value:
        case bool() | int() | float():
            return value
        case str() if is_choice:
            return value
        case Enum():
            return value.value
        case ZoneInfo():
            return value.key
        case tuple():
            return {"count": len(value)}
    return SET if _is_set(value) else NOT_SET


def _is_set(value: Any) -> bool:
    return bool(value.get_secret_value()) if hasattr(value, "get_secret_value") else value is not None


def _ledger(settings: Settings, now: datetime) -> dict[str, Any]:
    """What the ledger says; where it cannot be read, why."""
    try:
        engine = setup.require_ledger(settings)
        return {"schema": migrate.head()} | _contents(engine, settings, now)
    except (LedgerUnavailable, LedgerMismatch) as error:
        return {"error": str(error)}


def _contents(engine: Engine, settings: Settings, now: datetime) -> dict[str, Any]:
    contents, views = Contents(engine), Views(engine)
    numbers = {one.heidi_user_id: number for number, one in enumerate(settings.clinicians, 1)}
    for user_id in views.clinicians():
        numbers.setdefault(user_id, len(numbers) + 1)  # those who left the settings
    path = sqlite_path(engine)
    return {
        "bytes": path.stat().st_size if path is not None else None,
        "rows": contents.rows(),
        "paused_for_everybody": views.paused_at() is not None,
        "unread_sessions": views.unread_sessions(),
        "alarms": list(_alarms(views, settings, numbers, now)),
        "clinicians": list(_clinicians(contents, views, numbers, now)),
        "entries": [
            {"clinician": numbers[one.heidi_user_id], "status": one.status, "reason": one.reason, "count": one.count}
            | {"oldest_seconds": _age(one.oldest, now), "newest_seconds": _age(one.newest, now)}
            for one in contents.entries()
        ],
        "waiting": [
            {"entry": one.entry, "clinician": numbers[one.heidi_user_id], "status": one.status, "reason": one.reason}
            | {"seconds": _age(one.since, now), "failures": one.failures, "wish": one.wish, "outcomes": one.outcomes}
            for one in contents.waiting()
        ],
    }


def _alarms(views: Views, settings: Settings, numbers: Mapping[str, int], now: datetime) -> Iterator[dict[str, Any]]:
    """The alarms by code: their sentences may name somebody."""
    by_name = {one.name: numbers[one.heidi_user_id] for one in settings.clinicians}
    for alarm in standing(views, expected_of(settings), now):
        who = by_name.get(alarm.clinician) if alarm.clinician is not None else None
        yield {"code": str(alarm.code), "level": alarm.level, "clinician": who}


def _clinicians(
    contents: Contents, views: Views, numbers: Mapping[str, int], now: datetime
) -> Iterator[dict[str, Any]]:
    broken = contents.broken_trails()
    tips = {tip.name: tip for tip in views.tips({})}
    for user_id, state in views.clinicians().items():
        tip = tips[user_id]
        yield {
            "clinician": numbers[user_id],
            "linked": state.linked,
            "paused": state.paused_at is not None,
            "pause_reason": state.pause_reason,
            "trouble": state.trouble,
            "last_poll_seconds": _age(state.last_poll_at, now),
            "last_sweep_seconds": _age(state.last_sweep_at, now),
            "cursor_seconds": _age(state.cursor_at, now),
            "trail_steps": tip.number,
            "trail_hash": tip.hash.hex() if tip.hash else None,
            "trail_broken_at": broken.get(user_id),
        }


def _age(at: datetime | None, now: datetime) -> int | None:
    return int((now - at).total_seconds()) if at is not None else None


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


# ---------------------------------------------------------------- the file


def _write(file: Path, readme: str, parts: Mapping[str, Any]) -> None:
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE)
    except FileExistsError:
        raise NotPossible(f"{file} is there already: name another file.") from None
    except OSError as error:
        raise _unwritten(file, error) from None
    try:
        with os.fdopen(handle, "wb") as opened, zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("README.txt", readme)
            for name, content in parts.items():
                bundle.writestr(name, json.dumps(content, indent=1))
    except OSError as error:
        with suppress(OSError):
            file.unlink()
        raise _unwritten(file, error) from None


def _unwritten(file: Path, error: OSError) -> NotPossible:
    why = error.strerror or type(error).__name__
    return NotPossible(f"{file} cannot be written ({why}): choose another folder, or free some space.")
