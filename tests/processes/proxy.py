"""A way to Cliniko that loses answers: the request arrives, Cliniko does it, and the worker never hears of it.

Only the answers to requests for a new note are lost; everything else passes untouched.
"""

import contextlib
import socket
import struct
import threading
from enum import StrEnum, auto
from random import Random
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"
CHUNK = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: the connection is reset, not closed."""


class Cut(StrEnum):
    """How an answer gets lost."""

    CLOSED = auto()
    RESET = auto()
    IN_HEADERS = auto()
    IN_BODY = auto()


class LoopbackProxy:
    """Listens on loopback from entering the block to leaving it; what `_serve` does with a connection is a kind's own.

    A kind keeps its open sockets in `_open`, under `_lock`.
    """

    def __init__(self) -> None:
        self._server = socket.create_server((LOOPBACK, 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Cut every connection, whatever it does."""
        with self._lock:
            lines = list(self._open)
        end(*lines)

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        raise NotImplementedError


class LosingProxy(LoopbackProxy):
    """Passes connections to `port`, and loses answers."""

    def __init__(self, port: int, random: Random) -> None:
        super().__init__()
        self._target = (LOOPBACK, port)
        self._random = random
        self.lost: list[Cut] = []

    def _serve(self, line: socket.socket) -> None:
        """Pass requests on; a worker uses a connection of its own for each request that changes something."""
        with contextlib.suppress(OSError), line, socket.create_connection(self._target) as service:
            with self._lock:
                self._open |= {line, service}
            with contextlib.suppress(OSError):
                first = line.recv(CHUNK)
                service.sendall(first)
                onward = threading.Thread(target=_pump, args=(line, service), daemon=True)
                onward.start()
                if first.startswith(b"POST ") and b"/treatment_notes " in first.partition(b"\r\n")[0]:
                    self._lose(_whole_answer(service), line)
                else:
                    _pump(service, line)
                onward.join(1)
            with self._lock:
                self._open -= {line, service}

    def _lose(self, answer: bytes, line: socket.socket) -> None:
        """Let the worker hear none of the answer, or a part of it."""
        cut = self._random.choice(list(Cut))
        headers = answer.partition(b"\r\n\r\n")[0]
        if cut is Cut.RESET:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        elif cut is Cut.IN_HEADERS:
            line.sendall(headers[: len(headers) // 2])
        elif cut is Cut.IN_BODY:
            line.sendall(answer[: (len(headers) + 4 + len(answer)) // 2])
        self.lost.append(cut)
        if cut is not Cut.RESET:  # a reset comes with the closing
            line.shutdown(socket.SHUT_RDWR)


def end(*lines: socket.socket) -> None:
    """Shut connections down in both directions, as far as they are open."""
    for line in lines:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)


def _whole_answer(service: socket.socket) -> bytes:
    """The whole of one answer: once it is here, Cliniko has done what it was asked for."""
    answer = b""
    while chunk := service.recv(CHUNK):
        answer += chunk
        headers, _, body = answer.partition(b"\r\n\r\n")
        lengths = [line for line in headers.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if lengths and len(body) >= int(lengths[0].partition(b":")[2]):
            break
    return answer
