"""What all pages share: the ledger, the accounts, each clinician's live services, the practice's names and time zone.

The page's composition root: settings in, an `Office` out.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from functools import partial
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry

from sync_worker.alarms import Expected, expected_of
from sync_worker.bootstrap import Worker, look_times
from sync_worker.clients import PAGES, cliniko_client, heidi_client
from sync_worker.clock import Clock
from sync_worker.ledger import Ledger, queue
from sync_worker.ledger.accounts import Accounts, Logins
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.pages import Pages
from sync_worker.ledger.views import Views, zone_told
from sync_worker.metrics import WorkerCollector, registry_of
from sync_worker.rate import SpareBudget
from sync_worker.records import Account, ClinicianState
from sync_worker.settings import ClinicianSettings, Mode, Settings, TickEngine
from sync_worker.web.live import Live
from sync_worker.web.throttle import Throttle
from sync_worker.workbench import workbench_of

TOLD_FRESH_SECONDS = 60.0


class Told:
    """What Cliniko told of each clinician's account once, as the ledger keeps it: asked for at most every minute.

    A page names many charts, and each chart's address needs it.
    """

    def __init__(self, views: Views, clock: Clock) -> None:
        self._views = views
        self._clock = clock
        self._known: tuple[dict[str, ClinicianState], float] | None = None

    def clinicians(self) -> dict[str, ClinicianState]:
        """By Heidi user id. Good for what does not change: whether somebody is paused is to be asked anew."""
        now = self._clock.monotonic()
        known = self._known
        if known is None or now >= known[1]:
            known = self._known = (self._views.clinicians(), now + TOLD_FRESH_SECONDS)
        return known[0]


@dataclass(frozen=True, slots=True)
class Office:
    """What pages are made from."""

    ledger: Ledger
    pages: Pages
    views: Views
    told: Told
    accounts: Accounts
    logins: Logins
    throttle: Throttle
    clock: Clock
    names: Mapping[str, str]
    """Each clinician's name, by Heidi user id."""
    live: Mapping[str, Live]
    shards: Mapping[str, str]
    practice: str
    fixed_zone: ZoneInfo | None
    settle: timedelta
    surely_listed: timedelta
    rehearse: bool
    expected: Expected
    poll_seconds: int
    base_url: str | None
    """The address under which people reach the page, where it is set; ends in a slash."""
    metrics: CollectorRegistry
    metrics_from: tuple[str, ...]
    """Networks of programs that may read the metrics, besides this machine's."""
    ending: threading.Event = field(default_factory=threading.Event)
    """Set once the service ends: pages that are not made by then are given up."""

    def decisions(self, account: Account, seen: int | None = None) -> Decisions:
        """What this account decides, as the trail tells it."""
        return Decisions(self.ledger.engine, f"{account.role} {account.name}"[:64], seen=seen)

    def states(self) -> dict[str, ClinicianState]:
        """The clinicians of the settings as the ledger knows them, in the settings' order."""
        known = self.views.clinicians()
        return {user_id: known.get(user_id) or self.ledger.clinicians.enter(user_id) for user_id in self.names}

    def zone(self) -> tzinfo:
        """The practice's time zone: the settings', else the one that Cliniko told once, else UTC."""
        if self.fixed_zone is not None:
            return self.fixed_zone
        return zone_told(state for user_id, state in self.told.clinicians().items() if user_id in self.names)

    def name_of(self, heidi_user_id: str) -> str:
        """A clinician's name; their id where they left the settings."""
        return self.names.get(heidi_user_id, heidi_user_id)

    def patient_address(self, heidi_user_id: str, patient_id: str) -> str | None:
        """A chart's address in Cliniko, as far as the practice's subdomain is known."""
        state = self.told.clinicians().get(heidi_user_id)
        if state is None or not state.cliniko_account or heidi_user_id not in self.shards:
            return None
        return f"https://{state.cliniko_account}.{self.shards[heidi_user_id]}.cliniko.com/patients/{patient_id}"

    def note_address(self, heidi_user_id: str, patient_id: str, note_id: str) -> str | None:
        """A note's address in Cliniko."""
        chart = self.patient_address(heidi_user_id, patient_id)
        return f"{chart}/treatment_notes/{note_id}/edit" if chart else None

    def close(self) -> None:
        """Give up what is being made, and let go of the live services' connections."""
        self.ending.set()
        for live in self.live.values():
            live.close()


def office_of(settings: Settings, worker: Worker, clock: Clock) -> Office:
    """The office of a running worker: it shares the worker's ledger, and of each key's rate budget what is to spare."""
    ledger = worker.ledger
    clinicians = settings.clinicians
    views = Views(ledger.engine)
    return Office(
        ledger=ledger,
        pages=Pages(ledger.engine),
        views=views,
        told=Told(views, clock),
        accounts=Accounts(ledger.engine),
        logins=Logins(ledger.engine),
        throttle=Throttle(clock),
        clock=clock,
        names={one.heidi_user_id: one.name for one in clinicians},
        live={one.heidi_user_id: _live(settings, one, worker, clock) for one in clinicians},
        shards={one.heidi_user_id: one.cliniko_shard for one in clinicians},
        practice=settings.practice_name or "This practice",
        fixed_zone=settings.timezone,
        settle=timedelta(seconds=settings.sync_settle_seconds),
        surely_listed=look_times(settings).second,
        rehearse=settings.sync_mode is Mode.REHEARSE,
        expected=expected_of(settings),
        poll_seconds=settings.sync_poll_interval_seconds,
        base_url=settings.sync_web_base_url,
        metrics=_metrics(settings, worker, views, clock),
        metrics_from=settings.sync_web_metrics_from,
    )


def _metrics(settings: Settings, worker: Worker, views: Views, clock: Clock) -> CollectorRegistry:
    budgets = {one.heidi_user_id: worker.budget(settings, one) for one in settings.clinicians}
    has_queue = settings.sync_engine is TickEngine.PROCRASTINATE
    return registry_of(
        WorkerCollector(
            counts=worker.counts,
            budgets=budgets,
            views=views,
            alarms=worker.alarms,
            clock=clock,
            queue=lambda: queue.look(worker.ledger.engine) if has_queue else None,
        )
    )


def _live(settings: Settings, clinician: ClinicianSettings, worker: Worker, clock: Clock) -> Live:
    heard = worker.counts.request
    heidi = heidi_client(settings, clinician, clock, PAGES, observe=heard)
    spare = SpareBudget(worker.budget(settings, clinician), "cliniko")
    cliniko = cliniko_client(settings, clinician, clock, spare, PAGES, observe=heard)
    workbench = partial(workbench_of, settings, clinician, worker.ledger, clock, heidi, cliniko)
    return Live(heidi=heidi, cliniko=cliniko, workbench=workbench, ledger=worker.ledger, settings=settings, clock=clock)
