"""One simulated installation: services, network, a host with its clocks, workers that come and go, and their ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.purge import Purge
from sync_worker.ledger.tables import ClinicianRow
from sync_worker.records import TickReport
from sync_worker.settings import Settings, load_settings
from tests.engines import kept_open
from tests.simulation.clocks import HostClock, TrueTime
from tests.simulation.fate import Calm
from tests.simulation.ledgers import FileLedger, PostgresLedger
from tests.simulation.network import CLINIKO_URL, HEIDI_URL, Call, Network
from tests.simulation.process import Died, Process, let_go
from tests.simulation.world import CLINICIANS, KEYS, START_AT, World


@dataclass(frozen=True, slots=True)
class Shape:
    """What an installation is like."""

    clinicians: int = 1
    settle_seconds: int = 0
    list_lag_seconds: float = 0.0
    revisions: str = "review"
    skew_seconds: float = 0.0
    """How wrong the host's clock is from the beginning."""


class Installation:
    """A practice whose worker is simulated. Every promise is judged by the oracle at any time."""

    def __init__(
        self, seed: int, ledger: FileLedger | PostgresLedger, folder: Path, shape: Shape, *, tells: bool = False
    ) -> None:
        """`folder` takes the worker's clinic.toml. `tells`: whether the story is kept."""
        self.shape = shape
        self.time = TrueTime()
        self.host = HostClock(self.time)
        self.host.step(shape.skew_seconds)
        self.fate: Calm = Calm()
        self.story: list[str] | None = [] if tells else None
        self.world = World(seed, self.time, clinicians=shape.clinicians)
        self.world.cliniko.list_lag_seconds = shape.list_lag_seconds
        self.network = Network(
            self.time, self.world.heidi, self.world.cliniko, self, meanwhile=self._meanwhile, tell=self.tell
        )
        self.ledger = ledger
        self.settings = _settings(ledger.url, folder, shape.clinicians, shape.settle_seconds, shape.revisions)
        self.processes: dict[str, Process] = {}
        self.reports: list[TickReport] = []
        self.ledger_changes: list[int] = []
        """After how many calls the ledger was lost or an older one put back."""
        self.cursors: dict[str, datetime] = {}
        self.deaths = 0
        self.starts = 0
        self.purged_rows = 0
        self.cursor_went_back = 0
        self.unexpected: list[str] = []
        """Errors of the worker's that nobody expected."""
        self.decided: dict[str, list[int]] = {}
        """By reference: after how many calls a person said that its note is not there."""
        self._busy: list[str] = []
        self._has_ledger = False
        self._watching = _watching(ledger.url)

    def close(self) -> None:
        self.stop_all()
        self._close_connections()

    def _close_connections(self) -> None:
        let_go(self.ledger.url)
        self._watching.dispose()

    # ------------------------------------------------------------ the story, and fate

    def tell(self, line: str) -> None:
        """Add a line to the story."""
        if self.story is not None:
            self.story.append(f"{self.time.passed:10.2f}  {line}")

    def latency(self) -> float:
        return self.fate.latency()

    def fault_of(self, call: Call) -> str | None:
        return self.fate.fault_of(call)

    def _meanwhile(self, process: Process, call: Call, under_way: bool) -> None:
        self.fate.meanwhile(process, call, under_way)

    # ------------------------------------------------------------ workers

    def tick(self, name: str = "A") -> bool:
        """Let a worker tick for every clinician, starting it where it is not running. False if it died of that."""
        if name in self._busy:
            return True
        self._busy.append(name)
        try:
            return self._tick(name)
        finally:
            self._busy.remove(name)

    def _tick(self, name: str) -> bool:
        try:
            process = self._running(name)
            for report in process.tick():
                self.reports.append(report)
                self.tell(f"{name}: ticked, {report.tally}, {report.trouble.code if report.trouble else 'well'}")
            if process.clock.stopping:
                self.tell(f"{name}: stopped as asked")
                self.stop(name)
        except Died:
            self.tell(f"{name}: is dead")
            self.deaths += 1
            self.processes.pop(name).end()
            return False
        finally:
            self._watch_cursors()
        return True

    def _running(self, name: str) -> Process:
        process = self.processes.get(name)
        if process is None:
            process = Process(name, self.host, dies=self._dies, carry=self.network.carry)
            self.processes[name] = process
            self.starts += 1
            process.start(self.settings)
            self._has_ledger = True
            self.tell(f"{name}: started")
        return process

    def _dies(self, process: Process, point: object) -> bool:
        if not self.fate.dies(process, point):  # type: ignore[arg-type]
            return False
        self.tell(f"{process.name}: dies {point}")
        return True

    def stop(self, name: str) -> None:
        """The worker ends; whatever it was about to do is not done."""
        process = self.processes.pop(name, None)
        if process is not None:
            process.end()

    def stop_all(self) -> None:
        for name in list(self.processes):
            self.stop(name)

    # ------------------------------------------------------------ the ledger's fortunes

    def lose_ledger(self) -> None:
        """The disk dies; the worker is installed afresh."""
        self._change_ledger(self.ledger.make)
        self.tell("the ledger is lost")

    def restore_copy(self) -> None:
        """Somebody restores an older copy of the ledger, if there is one."""
        assert isinstance(self.ledger, FileLedger)
        ledger = self.ledger
        if ledger.has_copy():
            self._change_ledger(lambda: ledger.restore(self.host.now()))
            self.tell("an old copy of the ledger is restored")

    def put_copy_back(self) -> None:
        """Somebody copies an older copy of the ledger over it by hand, if there is one."""
        assert isinstance(self.ledger, FileLedger)
        if self.ledger.has_copy():
            self._change_ledger(self.ledger.put_copy_back)
            self.tell("an old copy of the ledger is put back by hand")

    def _change_ledger(self, change: Callable[[], object]) -> None:
        self.stop_all()
        self._close_connections()
        change()
        self.cursors.clear()
        self.ledger_changes.append(self.network.journal.calls)

    def purge(self) -> None:
        """Everything that the nightly purge may take is taken, as if weeks had passed since a few minutes ago."""
        if self._has_ledger:
            soon = timedelta(minutes=5)
            done = Purge(self._watching, lookback=soon, settled_for=timedelta(), beyond_lookback=soon).run(self.now())
            self.purged_rows += done.evidence + done.hashes + done.sessions
            self.tell(f"the ledger is purged: {done}")

    @property
    def engine(self) -> sa.Engine:
        """The ledger as other programs see it: no fate befalls them."""
        return self._watching

    def has_ledger(self) -> bool:
        """Whether any worker ever made or opened one."""
        return self._has_ledger

    def reading(self) -> sa.Connection:
        """A connection to the ledger that no fate befalls."""
        return self._watching.connect()

    def decisions(self) -> Decisions:
        """What people decide about the ledger's entries, by any clock."""
        return Decisions(self._watching, "person")

    def now(self) -> datetime:
        """What the host's wall clock shows."""
        return self.host.now()

    def _watch_cursors(self) -> None:
        if not self._has_ledger:
            return  # it died while it made one
        with self.reading() as db:
            for user_id, cursor in db.execute(sa.select(ClinicianRow.heidi_user_id, ClinicianRow.cursor_at)):
                before = self.cursors.get(user_id)
                if cursor is None:
                    self.cursor_went_back += before is not None
                    continue
                self.cursor_went_back += before is not None and cursor < before
                self.cursors[user_id] = cursor


@cache
def _watching(url: str) -> sa.Engine:
    return kept_open(url)


@cache
def _settings(url: str, folder: Path, clinicians: int, settle_seconds: int, revisions: str) -> Settings:
    lines = []
    for user_id in CLINICIANS[:clinicians]:
        variable = f"KEY_{user_id.upper().replace('-', '_')}"
        lines += [
            "[[clinicians]]",
            f'name = "{user_id}"',
            f'heidi_email = "{user_id}@example.com"',
            f'heidi_user_id = "{user_id}"',
            f'cliniko_api_key = {{ env = "{variable}" }}',
        ]
    file = folder / f"clinic-{clinicians}.toml"
    file.write_text("\n".join(lines))
    keys = {f"KEY_{user_id.upper().replace('-', '_')}": key for user_id, key in KEYS.items()}
    environment = {
        "HEIDI_BASE_URL": HEIDI_URL,
        "HEIDI_API_KEY": "sandbox-heidi-key",
        "CLINIKO_BASE_URL": CLINIKO_URL,
        "CLINIKO_CONTACT_EMAIL": "simulated@example.com",
        "DATABASE_URL": url,
        "SYNC_CONFIG_FILE": str(file),
        "SYNC_START_AT": START_AT,
        "SYNC_SETTLE_SECONDS": str(settle_seconds),
        "SYNC_REVISIONS": revisions,
        "SYNC_TIMEZONE": "Australia/Hobart",
    }
    return load_settings(environment | keys, env_file=None)
