"""`audit`: do Heidi, the ledger and Cliniko say the same? Writes nothing, anywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from sync_worker import audit as comparing
from sync_worker.audit import Finding, Scope
from sync_worker.audit_reading import Audited, Auditor
from sync_worker.charts import Answers, Charts
from sync_worker.clients import cliniko_client, heidi_client
from sync_worker.clock import SystemClock
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, PARTLY, print_json, say
from sync_worker.identity import Identity
from sync_worker.ledger import Ledger
from sync_worker.ledger.views import Views, zone_told
from sync_worker.reading import SessionReader
from sync_worker.records import ClinicianState
from sync_worker.settings import ClinicianSettings, Settings

SWEEPS = 2
"""A document that two walks over the whole list did not take in was missed."""


@dataclass(frozen=True, slots=True)
class _Audit:
    """What is the same for every clinician of one audit."""

    settings: Settings
    ledger: Ledger
    states: dict[str, ClinicianState]
    zone: ZoneInfo
    since: datetime
    clock: SystemClock


def audit(since: str | None, *, as_json: bool) -> int:
    """Print what each clinician's three sides count and where they differ. 1 if anything is off or was not audited."""
    day = setup.day("--since", since) if since is not None else None
    settings, clock = setup.load_to_ask()
    ledger = Ledger(setup.require_ledger(settings), region=settings.heidi_region)
    states = Views(ledger.engine).clinicians()
    zone = settings.timezone or zone_told(states.values())
    oldest = clock.now() - timedelta(days=settings.sync_lookback_days)
    if day is not None:
        oldest = datetime.combine(day, time(), tzinfo=zone)
    of = _Audit(settings, ledger, states, zone, oldest, clock)
    everybody = [_audit_one(of, clinician) for clinician in settings.clinicians]
    findings = [(audited.name, finding) for audited in everybody for finding in audited.findings]
    findings += _broken_chains(of)
    if as_json:
        print_json(_as_json(oldest, everybody, findings))
    else:
        _show(of, everybody, findings)
    return PARTLY if findings or any(audited.error for audited in everybody) else DONE


def _audit_one(of: _Audit, clinician: ClinicianSettings) -> Audited:
    audited, state = Audited(clinician.name), of.states.get(clinician.heidi_user_id)
    heidi = heidi_client(of.settings, clinician, of.clock)
    cliniko = cliniko_client(of.settings, clinician, of.clock)
    # without the ledger's clinicians, as it would remember what it learns
    identity = Identity(cliniko=cliniko, heidi_user_id=clinician.heidi_user_id, time_zone=of.zone)
    try:
        Auditor(
            heidi=heidi,
            cliniko=cliniko,
            charts=Charts(cliniko, Answers(of.clock)),
            identity=identity,
            reader=SessionReader(heidi, of.clock),
            ledger=of.ledger,
            state=state,
            scope=_scope(of, state, identity),
        ).run(audited)
    finally:
        heidi.close()
        cliniko.close()
    return audited


def _scope(of: _Audit, state: ClinicianState | None, identity: Identity) -> Scope:
    settings, now = of.settings, of.clock.now()
    start_at = (state.start_at if state else None) or now  # whoever never ticked has nothing in scope
    if settings.sync_start_at is not None:
        start_at = identity.moment(settings.sync_start_at)
    return Scope(
        now=now,
        since=of.since,
        start_at=start_at,
        backfills=of.ledger.clinicians.backfills(state.clinician_id) if state else (),
        rest=timedelta(seconds=settings.sync_settle_seconds + SWEEPS * settings.sync_sweep_interval_seconds),
        revisions=settings.sync_revisions,
    )


def _broken_chains(of: _Audit) -> list[tuple[str, Finding]]:
    names = {one.heidi_user_id: one.name for one in of.settings.clinicians}
    breaks = of.ledger.trail.breaks()
    return [(names.get(one.heidi_user_id, one.heidi_user_id), comparing.broken_chain(one.number)) for one in breaks]


# ---------------------------------------------------------------- what is printed


def _as_json(since: datetime, everybody: list[Audited], findings: list[tuple[str, Finding]]) -> dict[str, Any]:
    return {
        "since": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "clinicians": [_audited_json(audited) for audited in everybody],
        "findings": [
            {
                "code": finding.code.value,
                "clinician": name,
                "entry": finding.entry,
                "session_id": finding.session_id,
                "document_id": finding.document_id,
                "note_id": finding.note_id,
                "hint": finding.hint,
            }
            for name, finding in findings
        ],
    }


def _audited_json(audited: Audited) -> dict[str, Any]:
    return {
        "name": audited.name,
        "documents": audited.documents,
        "entries": audited.entries,
        "notes": audited.notes,
        "finished_differently": audited.finished_differently,
        "archived": audited.archived,
        "error": {"code": audited.error.code, "hint": audited.error.hint} if audited.error else None,
    }


def _show(of: _Audit, everybody: list[Audited], findings: list[tuple[str, Finding]]) -> None:
    since = f"since {of.since.astimezone(of.zone):%Y-%m-%d %H:%M}"
    if not findings and not any(audited.error for audited in everybody):
        say(f"Heidi, the ledger and Cliniko agree {since}: {_counted(everybody)}.")
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(_table(everybody, since))
    for audited in everybody:
        if audited.error:
            console.print(f"{audited.name} was not audited wholly: {audited.error.hint}", markup=False)
    for name, finding in findings:
        console.print(finding.code.value, style="red", end=" ")
        console.print(f"{name}{_ids(finding)}: {finding.hint}", markup=False)


def _counted(everybody: list[Audited]) -> str:
    kinds = ("documents", "entries", "notes")
    counts = ", ".join(f"{kind} {sum(getattr(audited, kind) or 0 for audited in everybody)}" for kind in kinds)
    finished = sum(audited.finished_differently for audited in everybody)
    archived = sum(audited.archived for audited in everybody)
    return f"{counts} (finished with other words {finished}, archived by their clinicians {archived})"


def _table(everybody: list[Audited], since: str) -> Table:
    table = Table(title=f"Documents in Heidi, entries in the ledger, notes in Cliniko, {since}")
    table.add_column("Clinician")
    headings = ("Documents", "Entries", "Notes", "Finished differently", "Archived")
    for heading in headings:
        table.add_column(heading, justify="right")
    for audited in everybody:
        counts = (audited.documents, audited.entries, audited.notes, audited.finished_differently, audited.archived)
        table.add_row(audited.name, *("-" if count is None else str(count) for count in counts))
    return table


def _ids(finding: Finding) -> str:
    ids = {
        "entry": finding.entry,
        "session": finding.session_id,
        "document": finding.document_id,
        "note": finding.note_id,
    }
    return "".join(f", {name} {value}" for name, value in ids.items() if value is not None)
