"""Callers who say half of what they want and then nothing, or a byte now and then: they are ended, others answered."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from sync_worker.web import server, visit
from sync_worker.web.app import SAFETY
from tests.conftest import Clinic
from tests.web.house import House, open_house

HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: x"
WHOLE_HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_A_FORM = b"\r\n".join(
    (
        b"POST /login HTTP/1.1",
        b"Host: %s",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Length: 100",
        b"",
        b"a=",
    )
)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(visit, "FORM_SECONDS", 1.0)


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as kept:
        yield kept


def a_socket(house: House, kept: ExitStack) -> socket.socket:
    host, _, port = house.url.removeprefix("http://").partition(":")
    return kept.enter_context(socket.create_connection((host, int(port)), timeout=5))


def is_ended(one: socket.socket) -> bool:
    """Whether the page hangs up within the time-out."""
    try:
        while one.recv(4096):
            pass
    except ConnectionResetError:
        return True
    return True


def drip(one: socket.socket, data: bytes) -> None:
    """Send a byte now and then."""
    for byte in data:
        one.sendall(bytes([byte]))
        time.sleep(0.1)


def test_half_a_head_is_ended_and_keeps_nobody_else_waiting(house: House, sockets: ExitStack) -> None:
    idle = [a_socket(house, sockets) for _ in range(80)]
    for one in idle[1:]:
        one.sendall(HALF_A_HEAD)
    assert httpx.get(f"{house.url}/healthz").status_code == 200
    assert all(is_ended(one) for one in idle)


def test_a_head_that_drips_is_ended_too_also_the_second_of_a_connection(house: House, sockets: ExitStack) -> None:
    one = a_socket(house, sockets)
    one.sendall(WHOLE_HEAD)
    assert one.recv(4096).startswith(b"HTTP/1.1 200")
    began = time.monotonic()
    with pytest.raises(ConnectionError):
        drip(one, HALF_A_HEAD + b"y" * 50)
    assert time.monotonic() - began < 3


def test_a_connection_in_use_is_not_ended(house: House) -> None:
    with httpx.Client(base_url=house.url) as client:
        for _ in range(4):
            assert client.get("/healthz").status_code == 200
            time.sleep(0.5)


def test_half_a_form_is_refused_with_all_headers(house: House, sockets: ExitStack) -> None:
    one = a_socket(house, sockets)
    one.sendall(HALF_A_FORM % house.url.removeprefix("http://").encode())
    told = one.recv(65536)
    assert told.startswith(b"HTTP/1.1 408")
    assert b"content-security-policy" in told.lower()
    assert all(name.lower().encode() in told.lower() for name in SAFETY)
    assert is_ended(one)


def test_more_connections_than_the_worker_can_spare_files_for_are_ended_at_once(
    house: House, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(server, "HEAD_SECONDS", 30.0)
    kept = [a_socket(house, sockets) for _ in range(3)]
    assert is_ended(a_socket(house, sockets))
    kept[0].sendall(WHOLE_HEAD)
    assert kept[0].recv(4096).startswith(b"HTTP/1.1 200")


def test_half_a_form_at_the_end_of_the_service_is_no_error_of_ours(
    clinic: Clinic, sockets: ExitStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "FORM_SECONDS", 30.0)
    with open_house(clinic) as house:
        one = a_socket(house, sockets)
        one.sendall(HALF_A_FORM % house.url.removeprefix("http://").encode())
        time.sleep(0.3)
        began = time.monotonic()
    assert time.monotonic() - began < 4
    assert one.recv(65536).startswith(b"HTTP/1.1 503")
    assert "CancelledError" not in "".join(capsys.readouterr())
