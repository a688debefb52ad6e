"""The proxy before the page, tried with a real Caddy where one is: who gets through, and what is handed on."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sync_worker.sandbox.wire import Reply
from tests.loopback import Service

CADDYFILE = Path(__file__).parent.parent / "deploy/Caddyfile"
OLDEST = (2, 7)


@dataclass
class Proxy:
    """A running Caddy, and what stands behind it."""

    client: httpx.Client
    behind: Service


@pytest.fixture
def caddy() -> str:
    """A Caddy that is new enough."""
    found = shutil.which("caddy")
    told = subprocess.run([found, "version"], capture_output=True, text=True, check=True).stdout if found else ""
    version = re.search(r"(\d+)\.(\d+)", told)
    if found is None or version is None or (int(version[1]), int(version[2])) < OLDEST:
        pytest.skip("no Caddy of version 2.7 or newer on this machine")
    return found


@pytest.fixture(params=["127.0.0.0/8"])
def proxy(request: pytest.FixtureRequest, caddy: str, tmp_path: Path) -> Iterator[Proxy]:
    """Caddy with our file, before a page that says what it was asked."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Service(Reply(200, headers={"Server": "page", "X-Frame-Options": "DENY"}, body=b"the page")) as behind:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PAGE_HOST": f"localhost:{port}",
            "PRACTICE_NETWORKS": request.param,
            "UPSTREAM": behind.url.removeprefix("http://").rstrip("/"),
        }
        command = [caddy, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
        with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
            try:
                _wait_until_it_speaks(port, process)
                with httpx.Client(base_url=f"https://localhost:{port}", verify=False, trust_env=False) as client:  # noqa: S501
                    yield Proxy(client, behind)
            finally:
                process.terminate()
        assert "patient" not in (tmp_path / "log").read_text(), "addresses are logged nowhere"


def _wait_until_it_speaks(port: int, process: "subprocess.Popen[bytes]") -> None:
    """It listens before it has made its certificate."""
    trusting = ssl._create_unverified_context()  # noqa: S323 - its root was made a moment ago
    until = time.monotonic() + 20
    while time.monotonic() < until:
        assert process.poll() is None, "Caddy ended by itself"
        try:
            with (
                socket.create_connection(("127.0.0.1", port)) as line,
                trusting.wrap_socket(line, server_hostname="localhost"),
            ):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail("Caddy does not speak")


def test_the_page_learns_who_asks_and_cannot_be_told_otherwise(proxy: Proxy) -> None:
    lies = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    answer = proxy.client.get("/patients?id=patient-1", headers=lies)
    assert (answer.status_code, answer.text) == (200, "the page")
    asked = proxy.behind.requests[0].headers
    assert asked["x-forwarded-for"] == "127.0.0.1"
    assert asked["x-forwarded-proto"] == "https"
    assert asked["host"] == proxy.client.base_url.netloc.decode()


def test_the_page_s_own_headers_come_through_and_nobody_says_what_program_it_is(proxy: Proxy) -> None:
    headers = proxy.client.get("/").headers
    assert headers["x-frame-options"] == "DENY"
    assert not {"server", "via"} & set(headers)


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/metrics/", "/%68ealthz", "//healthz", "/HEALTHZ"]
)
def test_what_programs_ask_is_not_published(proxy: Proxy, path: str) -> None:
    answer = proxy.client.get(proxy.client.base_url.copy_with(raw_path=path.encode()))
    assert (answer.status_code, [one.path for one in proxy.behind.requests]) == (404, [])


def test_a_form_that_is_too_long_is_refused_and_never_arrives_whole(proxy: Proxy) -> None:
    assert proxy.client.post("/login", content=b"x" * 100_000).status_code == 413
    assert all(len(one.body) < 100_000 for one in proxy.behind.requests)


@pytest.mark.parametrize("proxy", ["192.168.1.0/24 10.8.0.0/24"], indirect=True)
def test_who_is_not_of_the_practice_s_networks_is_hung_up_on(proxy: Proxy) -> None:
    with pytest.raises(httpx.TransportError):
        proxy.client.get("/")
    assert proxy.behind.requests == []


def test_a_page_that_does_not_answer_leaves_no_address_in_the_log(proxy: Proxy) -> None:
    proxy.behind.__exit__()
    assert proxy.client.get("/patients?id=patient-1").status_code == 502
