"""Looking without a tick: what plans and previews a clinician's documents. Writes nothing, anywhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sync_worker.bootstrap import preparer_of
from sync_worker.charts import Answers
from sync_worker.clients import cliniko_client, heidi_client
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.heidi import HeidiClient
from sync_worker.identity import Identity
from sync_worker.ledger import Ledger
from sync_worker.ledger.views import Views
from sync_worker.patients import Patients
from sync_worker.plan import Planner, PlanScope
from sync_worker.preview import Previewer
from sync_worker.reading import SessionReader
from sync_worker.records import ClinicianState
from sync_worker.settings import ClinicianSettings, Settings


@dataclass(frozen=True, slots=True)
class Workbench:
    """What plans and previews one clinician's documents. `planner` is made for a scope."""

    identity: Identity
    state: ClinicianState | None
    reader: SessionReader
    patients: Patients
    previewer: Previewer
    planner: Callable[[PlanScope], Planner]


@contextmanager
def workbench(
    settings: Settings, clinician: ClinicianSettings, ledger: Ledger | None, clock: Clock
) -> Iterator[Workbench]:
    """One clinician's workbench, and both clients for as long as the block lasts.

    Raises `RemoteError` where the clinician's Heidi account is not linked.
    """
    heidi, cliniko = heidi_client(settings, clinician, clock), cliniko_client(settings, clinician, clock)
    try:
        heidi.require_linked()
        yield workbench_of(settings, clinician, ledger, clock, heidi, cliniko)
    finally:
        heidi.close()
        cliniko.close()


def workbench_of(
    settings: Settings,
    clinician: ClinicianSettings,
    ledger: Ledger | None,
    clock: Clock,
    heidi: HeidiClient,
    cliniko: ClinikoClient,
) -> Workbench:
    """A workbench on clients that are there already. It remembers what it read: make another for another look."""
    identity = Identity(cliniko=cliniko, heidi_user_id=clinician.heidi_user_id, time_zone=settings.timezone)
    state = Views(ledger.engine).clinicians().get(clinician.heidi_user_id) if ledger else None
    reader = SessionReader(heidi, clock)
    preparer = preparer_of(settings, clinician, reader, cliniko, identity, clock, Answers(clock))

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
    return Workbench(identity, state, reader, preparer.patients, previewer, planner)


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
