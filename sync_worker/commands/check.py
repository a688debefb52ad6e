"""`check`: proves every setting against the real services, a line each: what was proved, or what to do."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from rich.console import Console
from sqlalchemy import Engine, update

from sync_worker.advice import PAUSED_ITSELF
from sync_worker.clients import CHECKS, cliniko_client, heidi_client
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import SystemClock
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, PARTLY, print_json, say
from sync_worker.convert.layout import WRITTEN, sendable
from sync_worker.errors import (
    ConfigurationError,
    LedgerMismatch,
    LedgerUnavailable,
    NotPossible,
    RateLimited,
    RemoteError,
    Unavailable,
)
from sync_worker.heidi import HeidiClient
from sync_worker.ledger import migrate
from sync_worker.ledger.storage import open_engine, sqlite_path, writing
from sync_worker.ledger.tables import Installation
from sync_worker.ledger.trail import Trail
from sync_worker.ledger.views import Views
from sync_worker.model import Practitioner, Route
from sync_worker.records import PauseReason
from sync_worker.settings import ClinicianSettings, Settings
from sync_worker.settings.destinations import destinations, in_words, unused_hosts
from sync_worker.templates import Templates

Answer = TypeVar("Answer")

LARGEST_OFFSET_SECONDS = 60
LEAST_FREE_BYTES = 16 * 1024 * 1024
SAFE_FIRST_LOOK_SECONDS, SAFE_SECOND_LOOK_SECONDS = 30, 120


@dataclass(slots=True)
class _Seen:
    """What the clinicians before have shown: whose key is which practitioner's, and which service gave no answer."""

    practitioners: dict[str, str] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)

    def note(self, error: RemoteError | ConfigurationError) -> None:
        """Remember the service if it is away: who waited in vain once need not wait for each clinician."""
        if isinstance(error, Unavailable) and not isinstance(error, RateLimited):
            self.away.add(error.service)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was proved, or not. `level` is "ok", "warning" or "problem"."""

    name: str
    level: str
    sentence: str


def residency(*, as_json: bool) -> int:
    """Print where data can go, and what lets it. Asks nobody."""
    settings, _ = setup.load()
    found = destinations(settings)
    if as_json:
        override = settings.residency_override
        print_json(
            {
                "residency": settings.sync_data_residency,
                "override": asdict(override) if override is not None else None,
                "unused_hosts": unused_hosts(settings, found),
                "destinations": [asdict(one) for one in found],
            }
        )
    else:
        for line in in_words(settings, found):
            say(line)
    return DONE


def check(*, as_json: bool) -> int:
    """Print every finding. 1 if any is a problem; wrong settings end it before (2)."""
    settings, clock = setup.load()
    findings = []
    for finding in _findings(settings, clock):
        if finding in findings:
            continue  # what holds for the practice is proved with each clinician's key, and told once
        findings.append(finding)
        if not as_json:
            _show(finding)
    sound = all(finding.level != "problem" for finding in findings)
    if as_json:
        checks = [{"name": one.name, "level": one.level, "message": one.sentence} for one in findings]
        print_json({"ok": sound, "checks": checks})
    elif sound:
        Console().print("Everything that files notes is in order.")
    return DONE if sound else PARTLY


def _findings(settings: Settings, clock: SystemClock) -> Iterator[Finding]:
    yield Finding("settings", "ok", f"The settings are complete; mode is {settings.sync_mode.value}.")
    yield from (Finding("settings", "warning", warning) for warning in settings.warnings)
    yield from _looks(settings)
    yield from _start(settings, clock)
    yield _ledger(settings)
    yield from _retention(settings)
    yield _told(settings)
    yield from _trail(settings)
    yield from _paused(settings)
    yield from _unmet_templates(settings)
    seen = _Seen()
    try:
        setup.require_told_residency(settings)
    except NotPossible as error:
        yield Finding("residency", "problem", str(error))
        return
    for clinician in settings.clinicians:
        yield from _clinician(settings, clinician, seen, clock)


def _looks(settings: Settings) -> Iterator[Finding]:
    first, second = settings.sync_doubt_first_look_seconds, settings.sync_doubt_second_look_seconds
    if first < SAFE_FIRST_LOOK_SECONDS or second < SAFE_SECOND_LOOK_SECONDS or second < first:
        yield Finding(
            "doubt",
            "warning",
            f"SYNC_DOUBT_FIRST_LOOK_SECONDS={first} and SYNC_DOUBT_SECOND_LOOK_SECONDS={second} are too short to be "
            f"safe: a late note could be missed and filed twice. Leave them at {SAFE_FIRST_LOOK_SECONDS} and "
            f"{SAFE_SECOND_LOOK_SECONDS} or more.",
        )


def _start(settings: Settings, clock: SystemClock) -> Iterator[Finding]:
    start = settings.sync_start_at
    day = start.date() if isinstance(start, datetime) else start
    if day is not None and setup.is_to_come(day, clock):
        sentence = "SYNC_START_AT is to come: sessions that begin before it are never filed by themselves."
        yield Finding("start", "problem", f"{sentence} Correct it; until filing is to begin, set SYNC_MODE=rehearse.")


def _ledger(settings: Settings) -> Finding:
    try:
        version = setup.ledger_version(settings)
        if version is None:
            return _place_for_ledger(settings)
        if version != migrate.head():
            return Finding("ledger", "problem", "The ledger is of an older version: run `sync-worker db upgrade`.")
        engine = open_engine(settings.database_url.get_secret_value())
        with writing(engine) as db:  # what is there is written once more: an empty transaction proves nothing
            db.execute(update(Installation).values(decisions=Installation.decisions))
    except (LedgerUnavailable, LedgerMismatch) as error:
        return Finding("ledger", "problem", str(error))
    path = sqlite_path(engine)
    if path is not None and shutil.disk_usage(path.parent).free < LEAST_FREE_BYTES:
        return Finding("ledger", "problem", "The disk of the ledger is full: free some space; nothing was lost.")
    return Finding("ledger", "ok", f"The ledger answers and is of this program's version, {version}.")


def _retention(settings: Settings) -> Iterator[Finding]:
    days = settings.heidi_retention_days
    if days is None:
        yield Finding(
            "retention",
            "warning",
            "HEIDI_RETENTION_DAYS is not set: if the practice lets Heidi delete sessions, say after how many days, so "
            "that you are told before a waiting document is lost.",
        )
    elif days <= settings.sync_lookback_days:
        sentence = f"Heidi deletes sessions after {days} days, within SYNC_LOOKBACK_DAYS={settings.sync_lookback_days}."
        yield Finding(
            "retention", "warning", f"{sentence} Let Heidi keep them for longer, or look at the review list daily."
        )


def _told(settings: Settings) -> Finding:
    """Whether anybody would hear of it if something went wrong."""
    if settings.sync_alert_email_to or settings.sync_alert_webhook_url:
        return Finding("alarms", "ok", "Alarms are sent: `sync-worker alarms test` tries every way.")
    return Finding(
        "alarms",
        "warning",
        "Nobody is told when something is wrong: set SYNC_ALERT_EMAIL_TO or SYNC_ALERT_WEBHOOK_URL, and for the case "
        "that this machine itself is down SYNC_HEARTBEAT_URL.",
    )


def _of_ledger(settings: Settings, ask: Callable[[Engine], Answer]) -> Answer | None:
    """What the ledger answers; None where there is none to read, which `_ledger` has told."""
    try:
        engine = setup.existing_ledger(settings, read_only=True)
        return ask(engine) if engine is not None else None
    except (LedgerUnavailable, LedgerMismatch):
        return None


def _trail(settings: Settings) -> Iterator[Finding]:
    """Whether every trail holds; nothing where there is no ledger to read, which `_ledger` has told."""
    breaks = _of_ledger(settings, lambda engine: Trail(engine).breaks())
    if breaks is None:
        return
    names = {one.heidi_user_id: one.name for one in settings.clinicians}
    for one in breaks:
        name = names.get(one.heidi_user_id, one.heidi_user_id)
        sentence = (
            f"{name}: the audit trail does not hold from step {one.number} on. Somebody changed the ledger past this "
            "program: find out who may write to it, and compare it with a backup."
        )
        yield Finding("trail", "problem", sentence)
    if not breaks:
        yield Finding("trail", "ok", "The audit trail holds: no step was changed or removed.")


def _paused(settings: Settings) -> Iterator[Finding]:
    """For whom nothing is filed, though all else is well; a pause that nobody asked for waits for a decision."""
    found = _of_ledger(settings, lambda engine: (Views(engine).clinicians(), Views(engine).paused_at()))
    if found is None:
        return
    states, everybody = found
    if everybody is not None:
        yield Finding("paused", "warning", "Posting is paused for everybody: `sync-worker resume` ends that.")
    for one in settings.clinicians:
        state = states.get(one.heidi_user_id)
        if state is not None and state.pause_reason:
            yield Finding("paused", "problem", f"{one.name}: {PAUSED_ITSELF[PauseReason(state.pause_reason)]}")
        elif state is not None and state.paused_at and everybody is None:  # which `resume` would have to end first
            sentence = f'Posting is paused for {one.name}: `sync-worker resume "{one.name}"` ends that.'
            yield Finding("paused", "warning", sentence)


def _place_for_ledger(settings: Settings) -> Finding:
    path = sqlite_path(open_engine(settings.database_url.get_secret_value(), read_only=True))
    folder = next((one for one in path.parents if one.exists()), None) if path else None
    if path is not None and (folder is None or not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK)):
        return Finding("ledger", "problem", "The ledger cannot be made where DATABASE_URL says: choose another folder.")
    if folder is not None and shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
        return Finding("ledger", "problem", "The disk that DATABASE_URL names is full: free some space.")
    return Finding("ledger", "ok", "There is no ledger yet: the first run makes it.")


def _clinician(settings: Settings, clinician: ClinicianSettings, seen: _Seen, clock: SystemClock) -> Iterator[Finding]:
    heidi = heidi_client(settings, clinician, clock, CHECKS)
    cliniko = cliniko_client(settings, clinician, clock, manners=CHECKS)
    try:
        yield from _unless_away("heidi", clinician.name, seen, _heidi(clinician.name, heidi, clock, seen))
        yield from _unless_away(
            "cliniko", clinician.name, seen, _cliniko(clinician.name, settings, cliniko, clock, seen)
        )
    finally:
        heidi.close()
        cliniko.close()


def _unless_away(service: str, name: str, seen: _Seen, findings: Iterator[Finding]) -> Iterator[Finding]:
    """What a service's own proofs find; without asking it where it was away already."""
    if service in seen.away:
        yield Finding(service, "problem", f"{name}: not asked, since {service.capitalize()} did not answer just now.")
        return
    yield from findings


def _heidi(name: str, heidi: HeidiClient, clock: SystemClock, seen: _Seen) -> Iterator[Finding]:
    try:
        heidi.sign_in()
    except (RemoteError, ConfigurationError) as error:
        seen.note(error)
        yield Finding("heidi", "problem", f"{name}: {error.sentence}")
        return
    yield Finding("heidi", "ok", f"{name}: Heidi answers and takes the practice's key.")
    try:
        heidi.require_linked()
        yield Finding("heidi_link", "ok", f"{name}: the clinician's Heidi account is linked.")
    except RemoteError as error:
        yield Finding("heidi_link", "problem", f"{name}: {error.sentence}")
    yield from _clock("heidi", heidi.server_date, clock)


def _cliniko(
    name: str, settings: Settings, cliniko: ClinikoClient, clock: SystemClock, seen: _Seen
) -> Iterator[Finding]:
    try:
        who = cliniko.identify()
    except RemoteError as error:
        seen.note(error)
        yield Finding("cliniko", "problem", f"{name}: {error.sentence}")
        return
    sentence = f"{name}: Cliniko takes the key; its notes will be those of {who.name or 'its user'}."
    yield Finding("cliniko", "ok", sentence)
    if (other := seen.practitioners.setdefault(who.practitioner_id, name)) != name:
        sentence = f"{name}: this key and {other}'s stand for one practitioner: each clinician needs their own key."
        yield Finding("cliniko", "problem", sentence)
    if who.time_zone is None and settings.timezone is None:
        yield Finding(
            "time_zone", "problem", "Cliniko does not tell its time zone: set SYNC_TIMEZONE=Australia/Hobart."
        )
    else:
        yield Finding("time_zone", "ok", f"Dates are written in {settings.timezone or who.time_zone}.")
    yield _diary(name, settings, cliniko, who, clock)
    yield from _routes(settings, cliniko, clock)
    yield from _clock("cliniko", cliniko.server_date, clock)


def _diary(name: str, settings: Settings, cliniko: ClinikoClient, who: Practitioner, clock: SystemClock) -> Finding:
    """Whether the key may read the clinician's bookings; without that the worker files as if the diary were empty."""
    try:
        cliniko.find_bookings(who.practitioner_id, since=clock.now() - timedelta(days=1), until=clock.now())
    except RemoteError as error:
        if error.code == "not_permitted":
            return Finding("diary", "warning", f"{name}: {_without_diary(settings)}")
        return Finding("diary", "problem", f"{name}: {error.sentence}")
    return Finding("diary", "ok", f"{name}: Cliniko lets the key read the clinician's diary.")


def _without_diary(settings: Settings) -> str:
    lost = ["notes are not linked to bookings"]
    if settings.sync_diary_veto:
        lost.append("the diary never objects to a patient (SYNC_DIARY_VETO)")
    if settings.sync_match_identifiers == 3:
        lost.append("an appointment cannot be the third identifier of SYNC_MATCH_IDENTIFIERS=3")
    sentence = f"Cliniko does not let this key's user read bookings, so {'; '.join(lost)}."
    return f"{sentence} Give the user a role in Cliniko that sees the clinician's appointments."


def _unmet_templates(settings: Settings) -> Iterator[Finding]:
    """Routes for Heidi templates that no document came from: perhaps misspelt. Heidi lists only its own templates."""
    met = _of_ledger(settings, lambda engine: Views(engine).heidi_templates())
    for number, route in enumerate(settings.routes, 1):
        if met and route.heidi_template is not None and route.heidi_template not in met:
            sentence = f"Route {number}: no document of its heidi_template was met so far."
            yield Finding("routes", "warning", f"{sentence} `sync-worker status` lists templates without a route.")


def _routes(settings: Settings, cliniko: ClinikoClient, clock: SystemClock) -> Iterator[Finding]:
    """Whether each route can be followed, and ever is."""
    templates = Templates(cliniko, clock)
    for number, route in enumerate(settings.routes, 1):
        before = next((n for n, one in enumerate(settings.routes[: number - 1], 1) if _takes_all_of(one, route)), None)
        if before is None:
            yield _route(number, route, templates)
        else:
            sentence = f"Route {number} is never reached: route {before} before it takes all its documents."
            yield Finding("routes", "problem", f"{sentence} Change their order in clinic.toml.")


def _takes_all_of(one: Route, other: Route) -> bool:
    """Whether a route takes every document that another one fits."""
    names = (one.document_name or "*").casefold(), (other.document_name or "*").casefold()
    return one.heidi_template in (None, other.heidi_template) and (names[0].strip("*") == "" or names[0] == names[1])


def _route(number: int, route: Route, templates: Templates) -> Finding:
    if route.action == "skip" or route.cliniko_template is None:
        return Finding("routes", "ok", f"Route {number} needs nothing of Cliniko.")
    try:
        template = templates.find(route.cliniko_template)
    except (RemoteError, ConfigurationError) as error:
        return Finding("routes", "problem", f"Route {number}: {error.sentence}")
    asked = [question for section in template.sections for question in section.questions]
    sent = [question for section in template.sections for question in sendable(section)]
    written = [question for question in sent if question.kind in WRITTEN]
    sentence = f'Route {number}: Cliniko has the template "{template.name}"; {len(written)} of its questions take text'
    if len(sent) < len(asked):
        sentence += f", and {len(asked) - len(sent)} cannot be sent to Cliniko (body charts and the like)"
    level = "ok" if written or route.layout == "single" else "warning"
    return Finding("routes", level, f"{sentence}.")


def _clock(service: str, there: datetime | None, clock: SystemClock) -> Iterator[Finding]:
    if there is None:
        return
    offset = round((clock.now() - there).total_seconds())
    if abs(offset) > LARGEST_OFFSET_SECONDS:
        sentence = f"This machine's clock differs from {service.capitalize()}'s by {offset} seconds: set it by NTP."
        yield Finding("clock", "problem", sentence)
    else:
        yield Finding("clock", "ok", f"This machine's clock agrees with {service.capitalize()}'s.")


def _show(finding: Finding) -> None:
    sign, style = {"ok": ("ok  ", "green"), "warning": ("note", "yellow"), "problem": ("DO  ", "red")}[finding.level]
    console = Console(soft_wrap=True, highlight=False)
    console.print(sign, style=style, end=" ")
    console.print(finding.sentence, markup=False)
