"""`health`: asks the running service quickly, and says in one sentence what is wrong."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from sync_worker.__main__ import main
from sync_worker.commands import health
from sync_worker.logs import configure_logging
from sync_worker.sandbox.wire import Reply
from sync_worker.settings import load_settings
from sync_worker.web.server import PageServer
from tests.conftest import Clinic
from tests.loopback import RoughServer, Service, a_refused_url, stays_silent


@pytest.fixture(autouse=True)
def _a_folder_and_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYNC_WEB_BIND", raising=False)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Ask":
    return Ask(monkeypatch, capsys)


class Ask:
    """The command, run in this process."""

    def __init__(self, patching: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capsys = patching, capsys

    def __call__(self, *arguments: str, bind: str | None = None) -> tuple[int, str]:
        """Its exit code, and all it said."""
        if bind is not None:
            self._patch.setenv("SYNC_WEB_BIND", bind)
        self._patch.setattr("sys.argv", ["sync-worker", "health", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = self._capsys.readouterr()
        assert (said.out + said.err).count("\n") == 1, "one sentence"
        return int(stopped.value.code or 0), said.out + said.err


def bind_of(url: str) -> str:
    return url.removeprefix("http://").rstrip("/")


@pytest.mark.parametrize("off", ["false", "OFF", "0"])
def test_a_service_without_a_page_is_not_called_dead(ask: Ask, monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    monkeypatch.setenv("SYNC_WEB_ENABLED", off)
    code, said = ask(bind=bind_of(a_refused_url()))
    assert (code, "only the watchdog" in said) == (0, True)
    assert ask("--ready")[0] == 1


def test_a_service_that_answers_is_alive_and_one_with_work_is_ready(ask: Ask) -> None:
    with Service(Reply(200, body=b"ok\n")) as service:
        assert ask(bind=bind_of(service.url)) == (0, "The service is alive.\n")
        assert ask("--ready") == (0, "The service is ready.\n")
        assert [one.path for one in service.requests] == ["/healthz", "/readyz"]


def test_why_it_is_not_ready_is_said(ask: Ask) -> None:
    with Service(Reply(503, body=b"the ledger does not answer\nand more\x1b[2J")) as service:
        code, said = ask("--ready", bind=bind_of(service.url))
    assert code == 1
    assert said.endswith("(HTTP 503): the ledger does not answer.\n")


def test_nobody_there_is_told(ask: Ask) -> None:
    code, said = ask(bind=bind_of(a_refused_url()))
    assert code == 1
    assert "is `sync-worker run` running" in said


def test_a_service_that_stays_silent_is_given_up(ask: Ask) -> None:
    with patch.object(health, "PATIENCE_SECONDS", 0.1), RoughServer(stays_silent) as server:
        assert ask(bind=bind_of(server.url))[0] == 1


def test_something_that_is_no_web_server_is_not_alive(ask: Ask) -> None:
    with RoughServer(lambda line: line.send(b"220 mail.example.com ESMTP\r\n")) as server:
        assert ask(bind=bind_of(server.url))[0] == 1


def test_a_page_on_all_interfaces_is_asked_on_this_machine(ask: Ask) -> None:
    with Service(Reply(200, body=b"ok\n")) as service:
        port = bind_of(service.url).rpartition(":")[2]
        assert ask(bind=f"0.0.0.0:{port}")[0] == 0


@pytest.mark.parametrize("host", ["[::1]", "[::]"])
def test_a_page_on_ipv6_is_asked_there(ask: Ask, host: str) -> None:
    with _answering_on_ipv6() as port:
        assert ask(bind=f"{host}:{port}")[0] == 0


@contextmanager
def _answering_on_ipv6() -> Iterator[int]:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=5)


def test_the_bind_may_stand_in_a_file_of_settings(ask: Ask, tmp_path: Path) -> None:
    with Service(Reply(200, body=b"ok\n")) as service:
        (tmp_path / ".env").write_text(f"SYNC_WEB_BIND={bind_of(service.url)}\n")
        assert ask()[0] == 0


@pytest.mark.parametrize("bind", ["8080", "127.0.0.1:99999", "http://127.0.0.1:8080"])
def test_a_bind_that_is_none_is_a_wrong_setting(ask: Ask, bind: str) -> None:
    code, said = ask(bind=bind)
    assert code == 2
    assert "SYNC_WEB_BIND must be HOST:PORT" in said


def test_the_page_itself_says_that_it_is_alive(ask: Ask, clinic: Clinic) -> None:
    configure_logging(level="CRITICAL", fmt="json")
    settings = load_settings(clinic.environment() | {"SYNC_WEB_BIND": "127.0.0.1:0"}, env_file=None)
    with PageServer(settings, clinic.worker, clinic.clock) as server:
        assert server.wait_until_ready(20)
        assert ask(bind=f"127.0.0.1:{server.port}") == (0, "The service is alive.\n")
        assert ask("--ready")[0] == 1  # nobody was polled yet


def test_it_loads_next_to_nothing() -> None:
    code = (
        "import sys; sys.argv = ['sync-worker', 'health']\n"
        "from sync_worker.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as stopped: assert stopped.code == 1\n"
        "ours = {name for name in sys.modules if name.startswith('sync_worker.')}\n"
        "assert 'sync_worker.settings.values' not in ours, ours\n"
        "heavy = {'httpx', 'sqlalchemy', 'rich', 'structlog', 'asyncio', 'starlette'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    environment = os.environ | {"SYNC_WEB_BIND": bind_of(a_refused_url())}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, env=environment)
    assert done.returncode == 0, done.stderr
