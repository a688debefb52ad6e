"""`plan`: what a tick would do, for every clinician, without writing anything anywhere."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from sync_worker.bootstrap import cliniko_client, heidi_client, preparer_of
from sync_worker.clock import SystemClock
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, PARTLY, print_json, report, say
from sync_worker.commands.preview import preview_json, show_previews
from sync_worker.errors import ConfigurationError, NotAuthorised, RemoteError
from sync_worker.identity import Identity
from sync_worker.ledger import Ledger
from sync_worker.ledger.views import Views
from sync_worker.model import ClinicianState, PlannedEntry
from sync_worker.plan import Planner, PlanScope
from sync_worker.preview import Preview, Previewer
from sync_worker.reading import SessionReader
from sync_worker.settings import ClinicianSettings, Settings


@dataclass(frozen=True, slots=True)
class Bench:
    """What plans and previews one clinician's documents. `planner` is made for a scope."""

    identity: Identity
    state: ClinicianState | None
    reader: SessionReader
    previewer: Previewer
    planner: Callable[[PlanScope], Planner]


def plan(since: str | None, *, preview: bool, as_json: bool) -> int:
    """Print each document that the next tick would touch, what it would do, and why; with `preview` its note too."""
    day = setup.day("--since", since) if since is not None else None
    settings, clock = setup.load()
    engine = setup.existing_ledger(settings, read_only=True)
    ledger = Ledger(engine, region=settings.heidi_region) if engine is not None else None
    found: list[Preview] = []
    troubles: list[str] = []
    for clinician in settings.clinicians:
        try:
            with bench(settings, clinician, ledger, clock) as one:
                scope = scope_of(settings, one.state, one.identity, day, clock.now())
                for seen in _look(one, scope, preview=preview):
                    if isinstance(seen, ConfigurationError):
                        troubles.append(seen.sentence)
                    elif isinstance(seen, RemoteError):
                        troubles.append(f"{clinician.name}: a session cannot be read: {seen.sentence}")
                    else:
                        found.append(seen)
        except RemoteError as error:  # one clinician's trouble does not hide the others' documents
            troubles.append(f"{clinician.name}: {error.sentence}")
    if as_json:
        print_json({"entries": [_as_json(one.planned) | (preview_json(one) if preview else {}) for one in found]})
    else:
        _show([one.planned for one in found])
        show_previews(found if preview else [])
    return report("plan", list(dict.fromkeys(troubles)), PARTLY, as_json=False) if troubles else DONE


@contextmanager
def bench(
    settings: Settings, clinician: ClinicianSettings, ledger: Ledger | None, clock: SystemClock
) -> Iterator[Bench]:
    """One clinician's planner and previewer, and both clients for as long as the block lasts.

    Raises `RemoteError` where the clinician's Heidi account is not linked.
    """
    heidi, cliniko = heidi_client(settings, clinician, clock), cliniko_client(settings, clinician, clock)
    identity = Identity(cliniko=cliniko, heidi_user_id=clinician.heidi_user_id, time_zone=settings.timezone)
    state = Views(ledger.engine).clinicians().get(clinician.heidi_user_id) if ledger else None
    reader = SessionReader(heidi, clock)
    preparer = preparer_of(settings, clinician, heidi, cliniko, identity, clock)

    def planner(scope: PlanScope) -> Planner:
        return Planner(
            heidi=heidi,
            reader=reader,
            preparer=preparer,
            ledger=ledger,
            state=state,
            scope=scope,
            notes_since=lambda since: cliniko.notes_of(identity.practitioner().practitioner_id, since),
            clock=clock,
        )

    previewer = Previewer(reader=reader, preparer=preparer, cliniko=cliniko, ledger=ledger)
    try:
        heidi.require_linked()
        yield Bench(identity, state, reader, previewer, planner)
    finally:
        heidi.close()
        cliniko.close()


def _look(one: Bench, scope: PlanScope, *, preview: bool) -> Iterator[Preview | RemoteError | ConfigurationError]:
    for planned in one.planner(scope).plan():
        if isinstance(planned, RemoteError | ConfigurationError):
            yield planned
            continue
        try:
            yield one.previewer.preview(planned) if preview else Preview(replace(planned, note=None))
        except NotAuthorised:
            raise
        except (RemoteError, ConfigurationError) as error:
            yield error


def scope_of(
    settings: Settings, state: ClinicianState | None, identity: Identity, day: date | None, now: datetime
) -> PlanScope:
    """With `--since` its day is both the oldest and the start; else what a tick would go by."""
    settle = timedelta(seconds=settings.sync_settle_seconds)
    if day is not None:
        return PlanScope(identity.moment(day), identity.moment(day), settle)
    oldest = now - timedelta(days=settings.sync_lookback_days)
    if settings.sync_start_at is not None:
        return PlanScope(oldest, identity.moment(settings.sync_start_at), settle)
    return PlanScope(oldest, (state.start_at if state else None) or now, settle)


def _as_json(entry: PlannedEntry) -> dict[str, Any]:
    return {
        "session_id": entry.session_id,
        "document_id": entry.document_id,
        "action": entry.action,
        "reason": entry.reason,
        "patient_id": entry.patient_id,
    }


def _show(planned: list[PlannedEntry]) -> None:
    if not planned:
        say("The next tick would find nothing to do.")
        return
    table = Table(title="What the next tick would do")
    for heading in ("Session", "Document", "Action", "Why", "Patient"):
        table.add_column(heading, overflow="fold")
    for entry in planned:
        table.add_row(
            f"…{entry.session_id[-8:]}",
            f"…{entry.document_id[-8:]}",
            entry.action,
            entry.reason or "",
            entry.patient_id or "",
        )
    Console().print(table)
    counts = Counter(entry.action for entry in planned)
    say(", ".join(f"{count} to {action}" for action, count in sorted(counts.items())) + ". Nothing was written.")
