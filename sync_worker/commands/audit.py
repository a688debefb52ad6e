"""`audit`: do Heidi, the ledger and Cliniko say the same? Writes nothing, anywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from sync_worker import audit as comparing
from sync_worker.audit import Finding, Scope
from sync_worker.audit_reading import Account, Auditor
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
    accounts = [_audit_one(of, clinician) for clinician in settings.clinicians]
    findings = [(account.name, finding) for account in accounts for finding in account.findings]
    findings += _broken_chains(of)
    if as_json:
        print_json(_as_json(oldest, accounts, findings))
    else:
        _show(of, accounts, findings)
    return PARTLY if findings or any(account.error for account in accounts) else DONE


def _audit_one(of: _Audit, clinician: ClinicianSettings) -> Account:
    account, state = Account(clinician.name), of.states.get(clinician.heidi_user_id)
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
        ).run(account)
    finally:
        heidi.close()
        cliniko.close()
    return account


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


def _as_json(since: datetime, accounts: list[Account], findings: list[tuple[str, Finding]]) -> dict[str, Any]:
    return {
        "since": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "clinicians": [_account_json(account) for account in accounts],
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


def _account_json(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "documents": account.documents,
        "entries": account.entries,
        "notes": account.notes,
        "finished_differently": account.finished_differently,
        "archived": account.archived,
        "error": {"code": account.error.code, "hint": account.error.hint} if account.error else None,
    }


def _show(of: _Audit, accounts: list[Account], findings: list[tuple[str, Finding]]) -> None:
    since = f"since {of.since.astimezone(of.zone):%Y-%m-%d %H:%M}"
    if not findings and not any(account.error for account in accounts):
        say(f"Heidi, the ledger and Cliniko agree {since}: {_counted(accounts)}.")
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(_table(accounts, since))
    for account in accounts:
        if account.error:
            console.print(f"{account.name} was not audited wholly: {account.error.hint}", markup=False)
    for name, finding in findings:
        console.print(finding.code.value, style="red", end=" ")
        console.print(f"{name}{_ids(finding)}: {finding.hint}", markup=False)


def _counted(accounts: list[Account]) -> str:
    kinds = ("documents", "entries", "notes")
    counts = ", ".join(f"{kind} {sum(getattr(account, kind) or 0 for account in accounts)}" for kind in kinds)
    finished = sum(account.finished_differently for account in accounts)
    archived = sum(account.archived for account in accounts)
    return f"{counts} (finished with other words {finished}, archived by their clinicians {archived})"


def _table(accounts: list[Account], since: str) -> Table:
    table = Table(title=f"Documents in Heidi, entries in the ledger, notes in Cliniko, {since}")
    table.add_column("Clinician")
    headings = ("Documents", "Entries", "Notes", "Finished differently", "Archived")
    for heading in headings:
        table.add_column(heading, justify="right")
    for account in accounts:
        counts = (account.documents, account.entries, account.notes, account.finished_differently, account.archived)
        table.add_row(account.name, *("-" if count is None else str(count) for count in counts))
    return table


def _ids(finding: Finding) -> str:
    ids = {
        "entry": finding.entry,
        "session": finding.session_id,
        "document": finding.document_id,
        "note": finding.note_id,
    }
    return "".join(f", {name} {value}" for name, value in ids.items() if value is not None)
