"""`once`: one tick of every clinician."""

import sys
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sync_worker.bootstrap import Worker
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, HELD_ELSEWHERE, ONE_AT_A_TIME, PARTLY, print_json, report
from sync_worker.records import Tally, TickReport

COUNTS = ("sessions_seen", "documents_seen", "posted", "review", "pending", "in_doubt", "skipped")


def once(*, as_json: bool) -> int:
    """One tick of every clinician. 1 if any of them met trouble, 3 if all are held elsewhere."""
    settings, clock = setup.load_for_work()
    worker = Worker(settings, setup.open_ledger(settings, clock), clock)
    try:
        reports = worker.tick_all(full=True)
    finally:
        worker.close()
    held = [f"{one.clinician}: {one.trouble.hint}" for one in reports if one.trouble and one.trouble.code == "held"]
    if len(held) == len(reports):
        return report("held", [*held, ONE_AT_A_TIME], HELD_ELSEWHERE, as_json=as_json)
    if as_json:
        print_json(_as_json(reports))
    else:
        _show(reports)
    return PARTLY if clock.stop.is_set() or any(one.trouble for one in reports) else DONE


def _as_json(reports: list[TickReport]) -> dict[str, object]:
    clinicians = [
        {
            "name": one.clinician,
            **asdict(one.tally),
            "error": {"code": one.trouble.code, "hint": one.trouble.hint} if one.trouble else None,
        }
        for one in reports
    ]
    return {"totals": _totals(reports), "clinicians": clinicians}


def _totals(reports: list[TickReport]) -> dict[str, int]:
    return {name: sum(getattr(one.tally, name) for one in reports) for name in COUNTS}


def _show(reports: list[TickReport]) -> None:
    # narrow, so that eight columns have room on a terminal of 80
    table = Table(title="This tick", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("Clinician", overflow="fold")
    for name in COUNTS:
        table.add_column(name.removesuffix("_seen").replace("_", " "), justify="right", no_wrap=True)
    for one in reports:
        table.add_row(one.clinician, *_cells(one.tally))
    if len(reports) > 1:
        table.add_section()
        table.add_row("Together", *(str(count) for count in _totals(reports).values()))
    Console().print(table)
    for one in reports:
        if one.trouble:
            print(f"sync-worker: {one.clinician}: {one.trouble.hint}", file=sys.stderr)  # noqa: T201 - advice


def _cells(tally: Tally) -> list[str]:
    return [str(getattr(tally, name)) for name in COUNTS]
