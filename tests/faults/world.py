"""A clinic without sockets: the real worker, both stand-ins called directly, and a host whose clock may be wrong.

What a wire can do to an answer ends here as the exception that httpx raises for it; `tests/faults/error_table.py`
proves the same over real sockets.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch
from urllib.parse import parse_qsl

import httpx
import stamina
from sqlalchemy import Engine

from sync_worker import ahead, transport
from sync_worker.bootstrap import Worker
from sync_worker.ledger import Ledger
from sync_worker.ledger.storage import open_engine, sqlite_path
from sync_worker.logs import configure_logging
from sync_worker.records import ClinicianState, TickReport
from sync_worker.sandbox import CONTACT_EMAIL, Sandbox
from sync_worker.sandbox.cliniko import BASE_PATH as CLINIKO_PATH
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.heidi import BASE_PATH as HEIDI_PATH
from sync_worker.sandbox.heidi import HeidiSandbox
from sync_worker.sandbox.wire import Reply, Request, Wire
from sync_worker.settings import load_settings
from tests.conftest import MORNING, Clinic, TestClock
from tests.engines import new_file
from tests.in_turn import InTurn

HEIDI_PORT, CLINIKO_PORT = 1, 2
Hook = Callable[[Request], None]


class Died(BaseException):
    """The process ends here; nothing may catch it on the way."""


class HostClock(TestClock):
    """The clock of the worker's host. Both services know the true time; stepping this one changes nothing there."""

    __test__ = False

    def __init__(self, now: datetime = MORNING) -> None:
        super().__init__(now)
        self.start = now
        self.error = timedelta()

    def now(self) -> datetime:
        return self._now + self.error

    def true(self) -> datetime:
        return self._now

    def step(self, by: timedelta) -> None:
        """The wall clock jumps; the monotonic one does not."""
        self.error += by


def nothing(_: Request) -> None:
    """A hook that lets every request pass."""


@dataclass
class World(Clinic):
    """A clinic whose requests are function calls. `before` and `after` see each one on either side of its answer."""

    clock: HostClock
    before: Hook = nothing
    after: Hook = nothing
    seconds_per_request: float = 0.0
    cliniko_url: str | None = None
    """Where Cliniko is met over real sockets, if it is."""
    engine: Engine | None = None
    """The ledger's engine, where it is kept from world to world."""

    def environment(self) -> dict[str, str]:
        here = {
            "HEIDI_BASE_URL": f"http://127.0.0.1:{HEIDI_PORT}{HEIDI_PATH}",
            "CLINIKO_BASE_URL": self.cliniko_url or f"http://127.0.0.1:{CLINIKO_PORT}{CLINIKO_PATH}",
            "HEIDI_API_KEY": self.heidi.api_key,
            "HEIDI_REGION": "au",
            "CLINIKO_CONTACT_EMAIL": CONTACT_EMAIL,
            "SYNC_BRAKE_POSTS_PER_HOUR": "0",
        }
        with patch.object(Sandbox, "environment", lambda _: here):
            return super().environment()

    @property
    def worker(self) -> Worker:
        if self._worker is None:
            settings = load_settings(self.environment(), env_file=None)
            ledger = Ledger(self.engine or open_engine(self.ledger_url), region="au")
            ledger.prepare_installation(self.clock.now())
            real = transport.to_network
            with (
                patch.object(transport, "to_network", lambda *how: _Direct(self, real(*how))),
                patch.object(ahead, "readers", InTurn),
            ):
                self._worker = Worker(settings, ledger, self.clock)
                list(self._worker.pipelines.values())  # built here, with what is ours in place
        return self._worker

    def tick(self, *, full: bool = True) -> TickReport:
        """One tick in this very thread, so that a death on the way arrives here."""
        return self.worker.pipelines["physio-1"].tick(full=full)

    def a_session(self, name: str = "Mary Jones", born: str | None = "1980-02-03", **more: object) -> str:
        more.setdefault("created_at", self.clock.true() - timedelta(hours=1))
        return super().a_session(name, born, **more)

    def state(self) -> ClinicianState:
        """What the ledger remembers of the clinician."""
        return self.ledger.clinicians.enter("physio-1")

    def entries(self) -> dict[str, str]:
        """Every entry's status by its document's id."""
        query = "SELECT document_id, status FROM entries"
        with self.ledger.engine.connect() as db:
            return {row[0]: row[1] for row in db.exec_driver_sql(query)}


class _Direct(httpx.BaseTransport):
    def __init__(self, world: World, real: httpx.BaseTransport) -> None:
        self._world = world
        self._real = real

    def close(self) -> None:
        self._real.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.port not in (HEIDI_PORT, CLINIKO_PORT):
            return self._real.handle_request(request)
        world, is_heidi = self._world, request.url.port == HEIDI_PORT
        query = parse_qsl(request.url.query.decode(), keep_blank_values=True)
        asked = Request(request.method, request.url.path, query, dict(request.headers), request.read())
        world.before(asked)
        if world.seconds_per_request:
            world.clock.advance(world.seconds_per_request)
        reply = (world.heidi if is_heidi else world.cliniko).handle(asked)
        world.after(asked)
        return _over_the_wire(reply)


def _over_the_wire(reply: Reply) -> httpx.Response:
    match reply.wire:
        case Wire.DROP | Wire.CUT:
            raise httpx.RemoteProtocolError("the line broke")
        case Wire.STALL | Wire.DRIP:
            raise httpx.ReadTimeout("no answer in time")
    return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body)


W = TypeVar("W", bound=World)


@contextmanager
def a_world(
    ledger_url: str | None = None,
    *,
    clock: HostClock | None = None,
    heidi: Callable[[Callable[[], datetime]], HeidiSandbox] = HeidiSandbox,
    engine: Engine | None = None,
    kind: type[W] = World,  # type: ignore[assignment] # a default of a type variable is Python 3.13's
    **extra: str,
) -> Iterator[W]:
    """A clinic with one clinician; on an SQLite file of its own unless a migrated ledger is named.

    `engine` is kept from world to world: its file becomes an empty ledger. `kind` is a larger world's.
    """
    clock = clock or HostClock()
    stamina.set_testing(True, attempts=3, cap=True)
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        if ledger_url is None:
            path = (engine and sqlite_path(engine)) or Path(folder) / "ledger.db"
            path.write_bytes(new_file())
            ledger_url = f"sqlite:///{path}"
        sandbox = Sandbox(heidi(clock.true), ClinikoSandbox(now=clock.true))
        sandbox.heidi.add_clinician(email="a.physio@example.com", user_id="physio-1")
        user_id = sandbox.cliniko.add_user(first_name="Ada", last_name="Physio")
        world = kind(sandbox, clock, ledger_url, user_id, dict(extra), engine=engine)
        try:
            yield world
        finally:
            world.restart()


def quiet() -> None:
    """For the long forms: their thousands of faults are counted, not logged."""
    configure_logging(level="CRITICAL", fmt="json")


def fast_folder() -> str | None:
    """A folder in memory where there is one: these proofs are not about the disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
