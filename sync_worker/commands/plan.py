"""`plan`: what a tick would do, for every clinician, without writing anything anywhere."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, PARTLY, print_json, report, say
from sync_worker.commands.preview import preview_json, show_previews
from sync_worker.errors import ConfigurationError, NotAuthorised, RemoteError
from sync_worker.ledger import Ledger
from sync_worker.model import PlannedEntry
from sync_worker.plan import PlanScope
from sync_worker.preview import Preview
from sync_worker.workbench import Workbench, scope_of, workbench


def plan(since: str | None, *, preview: bool, as_json: bool) -> int:
    """Print each document that the next tick would touch, what it would do, and why; with `preview` its note too."""
    day = setup.day("--since", since) if since is not None else None
    settings, clock = setup.load_to_ask()
    engine = setup.existing_ledger(settings, read_only=True)
    ledger = Ledger(engine, region=settings.heidi_region) if engine is not None else None
    found: list[Preview] = []
    troubles: list[str] = []
    for clinician in settings.clinicians:
        try:
            with workbench(settings, clinician, ledger, clock) as one:
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
        entries = [_as_json(one.planned) | (preview_json(one) if preview else {}) for one in found]
        print_json({"entries": entries, "errors": list(dict.fromkeys(troubles))})
    else:
        _show([one.planned for one in found], is_all=not troubles)
        show_previews(found if preview else [])
    return report("plan", list(dict.fromkeys(troubles)), PARTLY, as_json=False) if troubles else DONE


def _look(one: Workbench, scope: PlanScope, *, preview: bool) -> Iterator[Preview | RemoteError | ConfigurationError]:
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


def _as_json(entry: PlannedEntry) -> dict[str, Any]:
    return {
        "session_id": entry.session_id,
        "document_id": entry.document_id,
        "action": entry.action,
        "reason": entry.reason,
        "patient_id": entry.patient_id,
    }


def _show(planned: list[PlannedEntry], *, is_all: bool) -> None:
    if not planned:
        say("The next tick would find nothing to do." if is_all else "Nothing was found, but not all could be read.")
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
