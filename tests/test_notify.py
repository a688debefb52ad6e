"""What systemd hears of the service, over real datagram sockets, from the notifier alone and from a real process."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from sync_worker.notify import Notifier
from sync_worker.settings import load_settings
from sync_worker.settings.surroundings import Problems, Supervisor, look_around
from tests.conftest import TestClock
from tests.processes.clinic import Clinic
from tests.processes.worker import PATIENCE_SECONDS, wait_until


class Listener:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.told: list[str] = []
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))

    def close(self) -> None:
        self._socket.close()

    def hear(self) -> list[str]:
        """Everything that was told so far."""
        self._socket.setblocking(False)
        while True:
            try:
                self.told.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.told


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with closing(Listener(str(tmp_path / "notify"))) as made:
        yield made


def supervisor_of(environ: Mapping[str, str]) -> Supervisor:
    return look_around(environ, None, Problems()).supervisor


# ---------------------------------------------------------------- the notifier


def test_it_tells_what_it_is_asked_to_tell(listener: Listener, clock: TestClock) -> None:
    notifier = Notifier(Supervisor(listener.address), clock)
    notifier.ready()
    notifier.status("2 pending")
    notifier.stopping()
    assert listener.hear() == ["READY=1", "STATUS=2 pending", "STOPPING=1"]


def test_an_address_without_a_file_is_understood(clock: TestClock) -> None:
    with closing(Listener(f"@sync-worker-test-{os.getpid()}")) as listener:
        Notifier(Supervisor(listener.address), clock).ready()
        assert listener.hear() == ["READY=1"]


@pytest.mark.parametrize("address", [None, "/nobody/listens/here", "vsock:2:1234", "@nobody-listens-here"])
def test_nobody_who_listens_is_no_trouble(address: str | None, clock: TestClock) -> None:
    notifier = Notifier(Supervisor(address, 1.0), clock)
    notifier.ready()
    notifier.alive()
    notifier.stopping()


def test_a_listener_that_reads_nothing_is_no_trouble(
    listener: Listener, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_worker.notify.PATIENCE_SECONDS", 0.001)
    notifier = Notifier(Supervisor(listener.address), clock)
    for _ in range(1000):
        notifier.ready()
    assert 0 < len(listener.hear()) < 1000


def test_the_watchdog_is_fed_four_times_in_its_interval_however_often_it_is_asked(
    listener: Listener, clock: TestClock
) -> None:
    notifier = Notifier(Supervisor(listener.address, watchdog_seconds=60), clock)
    for _ in range(61):
        notifier.alive()
        clock.advance(1)
    assert listener.hear() == ["WATCHDOG=1"] * 5


def test_without_a_watchdog_nothing_is_fed(listener: Listener, clock: TestClock) -> None:
    notifier = Notifier(Supervisor(listener.address), clock)
    notifier.alive()
    assert listener.hear() == []


# ---------------------------------------------------------------- where its settings come from


def test_the_environment_names_the_socket_and_the_watchdog() -> None:
    found = supervisor_of({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "90000000", "WATCHDOG_PID": str(os.getpid())})
    assert found == Supervisor("/run/n", 90.0)


@pytest.mark.parametrize(
    "environ", [{}, {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}]
)
def test_what_is_not_there_or_no_number_means_nobody(environ: dict[str, str]) -> None:
    assert supervisor_of(environ) == Supervisor()


def test_a_watchdog_that_waits_for_another_process_is_not_ours() -> None:
    assert supervisor_of({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_seconds is None


def test_the_settings_hand_it_on(tmp_path: Path) -> None:
    with Clinic(tmp_path, f"sqlite:///{tmp_path}/ledger.db") as clinic:
        settings = load_settings({**clinic.environment, "NOTIFY_SOCKET": "@here"}, env_file=None)
    assert settings.supervisor == Supervisor("@here")


# ---------------------------------------------------------------- a real process

WATCHDOG_MICROSECONDS = "300000"
STATUS = "STATUS=0 pending, 0 in doubt, 0 waiting for a person"

IMPATIENT = """
from sync_worker import bootstrap, pulse, scheduler
pulse.LONGEST_STEP_SECONDS = 2.0
made = pulse.Pulse
bootstrap.Pulse = lambda clock, request_seconds: made(clock, request_seconds=0)
scheduler.DECISIONS_SECONDS = 0.1
from sync_worker.__main__ import main
main()
"""
"""`run` of a worker that takes a tick without a sign for two seconds, instead of minutes, for a stuck one."""


def test_a_real_service_is_ready_feeds_the_watchdog_and_says_that_it_stops(tmp_path: Path, listener: Listener) -> None:
    with Clinic(tmp_path, f"sqlite:///{tmp_path}/ledger.db") as clinic:
        process = clinic.start(
            "run",
            NOTIFY_SOCKET=listener.address,
            WATCHDOG_USEC=WATCHDOG_MICROSECONDS,
            SYNC_WEB_ENABLED="true",
            SYNC_WEB_BIND="127.0.0.1:0",
        )
        wait_until(lambda: listener.hear().count("WATCHDOG=1") >= 5, "the watchdog to be fed")
        assert process.end() == 0
        assert process.events("page.ready")
    told = listener.hear()
    assert STATUS in told
    told = [each for each in told if each != STATUS]
    assert (told[0], told[-1]) == ("READY=1", "STOPPING=1")
    assert set(told[1:-1]) == {"WATCHDOG=1"}


@pytest.mark.proof
def test_a_real_service_whose_ticks_hang_stops_feeding_and_ends_and_its_successor_files_once(
    tmp_path: Path, listener: Listener
) -> None:
    with Clinic(tmp_path, f"sqlite:///{tmp_path}/ledger.db") as clinic:
        clinic.a_document()
        clinic.heidi.fail("sessions", "stall", times=9)
        environment = {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": WATCHDOG_MICROSECONDS}
        with (tmp_path / "stuck.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", IMPATIENT, "run"],
                cwd=tmp_path,
                env={**clinic.environment, **environment, "HEIDI_TIMEOUT_SECONDS": "3600"},
                stderr=log,
            )
            # heard all the while: a socket that nobody reads holds few datagrams
            wait_until(lambda: bool(listener.hear()) and process.poll() is not None, "the service to end")
            assert process.returncode == 1
        said = (tmp_path / "stuck.log").read_text()
        clinic.heidi.faults.clear()
        clinic.finish()
        verdict = clinic.judge()
    told = listener.hear()
    assert told.count("READY=1") == 1
    assert told.count("WATCHDOG=1") >= 2
    assert told[-1] == "STATUS=stuck (tick), and ends to be started anew"
    assert said.count('"event": "service.stuck"') == 1
    assert "Traceback" not in said
    assert (verdict.documents, verdict.notes, verdict.duplicates, verdict.stuck) == (1, 1, 0, 0)


@pytest.mark.proof
def test_a_service_that_cannot_listen_for_its_page_is_ready_all_the_same(tmp_path: Path, listener: Listener) -> None:
    with Clinic(tmp_path, f"sqlite:///{tmp_path}/ledger.db") as clinic, socket.create_server(("127.0.0.1", 0)) as taken:
        impatient = "from sync_worker import upkeep\nupkeep.PAGE_PATIENCE_SECONDS = 0.0" + IMPATIENT
        process = subprocess.Popen(
            [sys.executable, "-c", impatient, "run"],
            cwd=tmp_path,
            env={
                **clinic.environment,
                "NOTIFY_SOCKET": listener.address,
                "SYNC_WEB_ENABLED": "true",
                "SYNC_WEB_BIND": f"127.0.0.1:{taken.getsockname()[1]}",
            },
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: "READY=1" in listener.hear(), "the service to be ready")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
