"""A way to Postgres that breaks off at a commit: before the server has heard of it, or after it is done but untold.

Everything else passes untouched. It can also break off every connection at once, as a server does that is restarted.
"""

import contextlib
import socket
import threading
from random import Random

from tests.processes.proxy import CHUNK, LoopbackProxy, end

ANSWER_SECONDS = 5.0
COMMIT = b"COMMIT\0"
"""How the end of a transaction travels, as a message of its own."""


class SeveringProxy(LoopbackProxy):
    """Passes connections to a server."""

    def __init__(self, host: str, port: int, random: Random) -> None:
        super().__init__()
        self._target = (host, port)
        self._random = random
        self._is_armed = False
        self.cuts: list[bool] = []
        """Of each connection that was cut at a commit, whether the commit was done."""

    def cut_next(self) -> None:
        """Cut the connection that commits next."""
        with self._lock:
            self._is_armed = True

    def be_calm(self) -> None:
        """Cut nothing any more."""
        with self._lock:
            self._is_armed = False

    def _serve(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), line, socket.create_connection(self._target) as server:
            for one in (line, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            is_mute = threading.Event()
            with self._lock:
                self._open |= {line, server}
            back = threading.Thread(target=_answers, args=(server, line, is_mute), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                self._questions(line, server, is_mute)
            if is_mute.is_set():
                back.join(ANSWER_SECONDS)  # it ends when the answer is there, which nobody is told
            end(line, server)
            back.join(ANSWER_SECONDS)
            with self._lock:
                self._open -= {line, server}

    def _questions(self, line: socket.socket, server: socket.socket, is_mute: threading.Event) -> None:
        while chunk := line.recv(CHUNK):
            if COMMIT not in chunk or not self._is_to_be_cut():
                server.sendall(chunk)
                continue
            is_done = self._random.random() < 0.5
            if is_done:
                is_mute.set()
                server.sendall(chunk)
            self.cuts.append(is_done)
            return

    def _is_to_be_cut(self) -> bool:
        with self._lock:
            was_armed, self._is_armed = self._is_armed, False
        return was_armed


def _answers(server: socket.socket, line: socket.socket, is_mute: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while chunk := server.recv(CHUNK):
            if is_mute.is_set():
                return
            line.sendall(chunk)
    end(line, server)
