"""What the tests of the wire share: a server that says what it is told, one that breaks HTTP itself, odd clocks.

The stand-ins are well-behaved even in their faults; dripping headers, floods and half-read requests are made here.
"""

import contextlib
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sized

from sync_worker.errors import Stopping
from sync_worker.sandbox.wire import LoopbackServer, Reply, Request, json_reply
from tests.conftest import TestClock

LOOPBACK = "127.0.0.1"
BETWEEN_DROPS_SECONDS = 0.002
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class CostlyClock(TestClock):
    """A clock on which each look takes a second: whoever looks often enough runs out of time."""

    def monotonic(self) -> float:
        self.advance(1)
        return super().monotonic()


class StopSoon(TestClock):
    """The process will be asked to stop: no wait comes to its end."""

    def sleep(self, seconds: float) -> None:
        raise Stopping


class StopNow(StopSoon):
    """The process was asked to stop: nothing is begun."""

    def check_stop(self) -> None:
        raise Stopping


def everything_said_by(error: BaseException) -> str:
    """Text, fields and traceback, as any caller or log could show them."""
    return "\n".join([str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)])


def a_refused_url() -> str:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        return f"http://{LOOPBACK}:{taken.getsockname()[1]}/"


def count(arrivals: Sized, expected: int) -> int:
    """How many arrived; those that are expected are given the time to be noticed by the server's threads."""
    until = time.monotonic() + 5
    while len(arrivals) < expected and time.monotonic() < until:
        time.sleep(0.005)
    return len(arrivals)


class Service:
    """Gives the replies it was handed, the last one again and again, and remembers the requests."""

    def __init__(self, *replies: Reply) -> None:
        self.requests: list[Request] = []
        self.replies = list(replies) or [json_reply(200, {})]
        self._server = LoopbackServer(self._answer)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT/`."""
        return f"{self._server.url}/"

    def __enter__(self) -> "Service":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def arrived(self, expected: int) -> int:
        """How many requests came; see `count`."""
        return count(self.requests, expected)

    def _answer(self, request: Request) -> Reply:
        self.requests.append(request)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


# ---------------------------------------------------------------- a server below HTTP


class Line:
    """One connection, seen from the server. Every method ends when the client leaves or the server stops."""

    def __init__(self, connection: socket.socket, stopping: threading.Event) -> None:
        self.received = b""
        self.stopping = stopping
        self._connection = connection

    def read_request(self) -> None:
        """Read one request with its body."""
        while b"\r\n\r\n" not in self.received and self._read():
            pass
        head, _, body = self.received.partition(b"\r\n\r\n")
        lengths = [
            line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        ]
        while lengths and len(body) < int(lengths[0]) and self._read():
            body = self.received.partition(b"\r\n\r\n")[2]

    def wait_for_a_byte(self) -> None:
        """Wait until the request begins, and read nothing of it."""
        self._connection.recv(1, socket.MSG_PEEK)

    def read_some(self) -> None:
        """Read whatever came, and leave the rest."""
        self._read()

    def send(self, data: bytes) -> None:
        """Send it all."""
        self._connection.sendall(data)

    def drip(self, drops: Iterable[bytes]) -> None:
        """Send drop by drop: each comes soon, the whole never ends."""
        for drop in drops:
            if self.stopping.wait(BETWEEN_DROPS_SECONDS):
                return
            self.send(drop)

    def reset(self) -> None:
        """Hang up so that the client is told."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def hang_up(self) -> None:
        """Close the connection, also under a reader's feet."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _read(self) -> bool:
        more = self._connection.recv(64 * 1024)
        self.received += more
        return bool(more)


class RoughServer:
    """Accepts connections and lets `behave` treat each in a thread of its own; then it hangs up."""

    def __init__(self, behave: Callable[[Line], None], *, receive_buffer: int | None = None) -> None:
        self.lines: list[Line] = []
        self._behave = behave
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket()
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind((LOOPBACK, 0))
        self._listener.listen()
        self.url = f"http://{LOOPBACK}:{self._listener.getsockname()[1]}/"

    def __enter__(self) -> "RoughServer":
        self._start(self._accept)
        return self

    def connections(self, expected: int) -> int:
        """How many came; see `count`."""
        return count(self.lines, expected)

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(timeout=5)  # from here on nobody is let in
        for line in self.lines:
            line.hang_up()
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line = Line(self._listener.accept()[0], self._stopping)
                self.lines.append(line)
                self._start(lambda line=line: self._serve(line))

    def _serve(self, line: Line) -> None:
        with contextlib.suppress(OSError):
            self._behave(line)
        line.hang_up()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="rough server", daemon=True)
        self._threads.append(thread)
        thread.start()


# ---------------------------------------------------------------- ways to behave


def hangs_up_unread(line: Line) -> None:
    """Close before a byte is read, but after one was sent."""
    line.wait_for_a_byte()
    line.reset()


def hangs_up_halfway(line: Line) -> None:
    """Read a part of the request, then close."""
    line.read_some()
    line.reset()


def never_reads(line: Line) -> None:
    """Leave the request where it is."""
    line.stopping.wait()


def stays_silent(line: Line) -> None:
    """Read the request, and say nothing."""
    line.read_request()
    line.stopping.wait()


def drips_its_head(line: Line) -> None:
    """An answer whose headers are begun, and would be whole after ten seconds."""
    line.read_request()
    line.send(OK + b"X-Slow: ")
    line.drip([b"a"] * 5000)
    line.send(b"\r\nContent-Length: 2\r\n\r\n{}")


def drips_its_body(line: Line) -> None:
    """An answer whose body is begun, and would be whole after ten seconds."""
    line.read_request()
    line.send(OK + b"Content-Length: 5002\r\n\r\n{}")
    line.drip([b" "] * 5000)


def cuts_its_head(line: Line) -> None:
    """An answer that ends in the middle of its first line."""
    line.read_request()
    line.send(b"HTTP/1.1 201 Crea")


def floods(line: Line) -> None:
    """An answer whose body never ends."""
    line.read_request()
    line.send(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
    while not line.stopping.is_set():
        line.send(b" " * 64 * 1024)


def speaks_otherwise(line: Line) -> None:
    """Answer in something that is not HTTP."""
    line.read_request()
    line.send(b"220 mail.example.com ESMTP\r\n")


def answers(line: Line) -> None:
    """A good answer, after which it hangs up without having said so."""
    line.read_request()
    line.send(OK + b"Content-Length: 2\r\n\r\n{}")
