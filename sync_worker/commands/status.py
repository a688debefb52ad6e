"""`status`: what the ledger says, without asking any service."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from sync_worker import __version__
from sync_worker.alarms import expected_of, standing
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, print_json, say
from sync_worker.ledger import migrate, queue
from sync_worker.ledger.views import Views
from sync_worker.records import ClinicianState, Status
from sync_worker.settings import ClinicianSettings, Mode, Settings, TickEngine

TOLD_BY_REASON = (Status.REVIEW, Status.SKIPPED)
TROUBLE_HINT = "`sync-worker check` says what to do."


def status(*, as_json: bool) -> int:
    """Print counts, ages, cursors, last polls and pauses."""
    settings, clock = setup.load()
    engine = setup.require_ledger(settings)
    found = _gather(engine, settings, clock.now())
    if as_json:
        print_json(found)
    else:
        _show(found, Views(engine), settings, clock.now())
    return DONE


def _gather(engine: Engine, settings: Settings, now: datetime) -> dict[str, Any]:
    views = Views(engine)
    clinicians = settings.clinicians
    alarms = standing(views, expected_of(settings), now)
    states = views.clinicians()
    oldest = views.oldest_waiting()
    everybody = views.paused_at() is not None
    return {
        "version": __version__,
        "schema": migrate.head(),
        "mode": settings.sync_mode.value,
        "entries": views.entry_counts(),
        "reasons": [
            {"status": status.value, "reason": reason, "entries": count}
            for status in TOLD_BY_REASON
            for reason, count in views.reasons(status).items()
        ],
        "oldest_waiting_seconds": int((now - oldest).total_seconds()) if oldest else None,
        "alarms": [asdict(alarm) for alarm in alarms],
        "heidi_templates_without_route": _unrouted(views.heidi_templates(), settings),
        "queue": _queue(engine, settings),
        "clinicians": [_clinician(one, states.get(one.heidi_user_id), everybody=everybody) for one in clinicians],
    }


def _clinician(clinician: ClinicianSettings, state: ClinicianState | None, *, everybody: bool) -> dict[str, Any]:
    return {
        "name": clinician.name,
        "last_poll_at": _stamp(state.last_poll_at if state else None),
        "cursor": _stamp(state.cursor_at if state else None),
        "linked": state.linked if state else None,
        "paused": everybody or bool(state and state.paused_at),
        "error": {"code": state.trouble, "hint": TROUBLE_HINT} if state and state.trouble else None,
    }


def _queue(engine: Engine, settings: Settings) -> dict[str, Any] | None:
    """The ticks that several workers share; None where one works alone, or none was ever started."""
    seen = queue.look(engine) if settings.sync_engine is TickEngine.PROCRASTINATE else None
    return asdict(seen) if seen is not None else None


def _unrouted(met: dict[str, datetime], settings: Settings) -> list[dict[str, Any]]:
    """The Heidi templates that no route names, oldest first: a new one may need a route of its own."""
    named = {route.heidi_template for route in settings.routes}
    return [{"template_id": one, "first_met_at": _stamp(at)} for one, at in met.items() if one not in named]


def _stamp(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _show(found: dict[str, Any], views: Views, settings: Settings, now: datetime) -> None:
    console = Console(highlight=False)
    console.print(f"sync-worker {found['version']}, ledger {found['schema']}")
    if settings.sync_mode is Mode.REHEARSE:
        say("This is a rehearsal: nothing is filed.")
    console.print(_entries(found["entries"], found["reasons"]))
    if found["oldest_waiting_seconds"] is not None:
        say(f"The oldest waiting document was found {_age(found['oldest_waiting_seconds'])} ago.")
    if (ticks := found["queue"]) is not None:
        say(_told_of_queue(ticks))
    if unread := views.unread_sessions():
        say(f"{unread} sessions could not be read when last tried: they are tried again at least hourly.")
    known = {one.heidi_user_id for one in settings.clinicians}
    for user_id, count in views.waiting_by_clinician().items():
        if user_id not in known:
            say(f"{count} entries wait for {user_id}, who is not in the settings any more: nobody files them.")
    console.print(_clinicians(found["clinicians"], now))
    unrouted = found["heidi_templates_without_route"] if settings.routes else []  # without routes all are as one
    if unrouted:
        say("No route in clinic.toml names these Heidi templates; their documents go as the other routes say:")
    for one in unrouted:
        say(f"  {one['template_id']}, first met {_since(one['first_met_at'], now)}")
    if (override := settings.residency_override) is not None:
        say(override.warning)
    for alarm in found["alarms"]:
        who = f"{alarm['clinician']}: " if alarm["clinician"] else ""
        say(f"{alarm['level'].upper()}: {who}{alarm['hint']}")


def _entries(by_status: Mapping[str, int], by_reason: Sequence[Mapping[str, Any]]) -> Table:
    counts = Table()
    counts.add_column("Entries")
    counts.add_column("", justify="right")
    for name, count in by_status.items():
        counts.add_row(name.replace("_", " "), str(count))
        for of_them in by_reason:
            if of_them["status"] == name:
                counts.add_row(f"  {of_them['reason']}", str(of_them["entries"]))
    return counts


def _clinicians(found: Sequence[Mapping[str, Any]], now: datetime) -> Table:
    people = Table()
    for heading in ("Clinician", "Last poll", "Read up to", "Linked", "Paused"):
        people.add_column(heading)
    people.add_column("Trouble", no_wrap=True)  # whole on a terminal of 80 columns: the runbook goes by it
    for one in found:
        people.add_row(
            one["name"],
            _since(one["last_poll_at"], now),
            _since(one["cursor"], now),
            {True: "yes", False: "NO", None: "unknown"}[one["linked"]],
            "PAUSED" if one["paused"] else "no",
            one["error"]["code"] if one["error"] else "-",
        )
    return people


def _told_of_queue(ticks: dict[str, Any]) -> str:
    """The queue in a sentence."""
    due = f"{ticks['due']} due, the oldest for {_age(ticks['oldest_due_seconds'])}" if ticks["due"] else "none due"
    return f"{ticks['workers']} workers live; ticks: {ticks['running']} running, {ticks['waiting']} planned, {due}."


def _since(stamp: str | None, now: datetime) -> str:
    if stamp is None:
        return "never"
    return f"{_age((now - datetime.fromisoformat(stamp)).total_seconds())} ago"


def _age(seconds: float) -> str:
    """As a person says it: in the largest unit of which there are two."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"
