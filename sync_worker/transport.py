"""The way to the network: connections that end with their request's deadline, to addresses that were checked.

httpx bounds each phase of a request only, and a peer that drips is never late: here the whole of it is bounded.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore
import httpx

from sync_worker import egress
from sync_worker.clock import Clock

WRITE_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class WayOut:
    """Which hosts a client may meet; those of `may_be_private` in a private network too."""

    hosts: frozenset[str]
    may_be_private: frozenset[str] = frozenset()


def to_network(keep_alive: int, way: WayOut) -> httpx.BaseTransport:
    """The way to the network, which a simulation replaces by one of its own."""
    limits = httpx.Limits(max_connections=20, max_keepalive_connections=keep_alive, keepalive_expiry=5.0)
    transport = httpx.HTTPTransport(verify=tls_context(), limits=limits, trust_env=False)
    # httpx bounds each phase only; the pool's backend is where a whole request can be bounded (pinned below 0.29,
    # and a test with a dripping server fails if this stops working)
    transport._pool._network_backend = _Backend(way)  # type: ignore[union-attr, unused-ignore]
    return transport


@cache
def tls_context() -> ssl.SSLContext:
    """One for all clients, since reading the certificates takes longer than a request."""
    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _Deadline(threading.local):
    """When the request of this thread has to be over, on the monotonic clock."""

    at: float | None = None
    clock: Clock | None = None
    guard: Callable[[], None] | None = None

    def remaining(self, timeout: float | None, late: type[Exception]) -> float | None:
        """What is left for one operation of the socket; raises `late` if nothing is."""
        if self.at is None or self.clock is None:
            return timeout
        left = self.at - self.clock.monotonic()
        if left <= 0:
            raise late
        return left if timeout is None else min(left, timeout)


_deadline = _Deadline()


@contextmanager
def bounded(seconds: float, clock: Clock, guard: Callable[[], None] | None = None) -> Iterator[None]:
    """A request of this thread: it ends with the block, and fails where it takes longer than `seconds` in all.

    `guard` is called right before its first byte leaves; what it raises keeps the request here.
    """
    _deadline.at, _deadline.clock, _deadline.guard = clock.monotonic() + seconds, clock, guard
    try:
        yield
    finally:
        _deadline.at = _deadline.guard = None


def about_to_send() -> None:
    """Call the guard of this thread's request, once: whatever carries requests calls this before the first byte."""
    guard, _deadline.guard = _deadline.guard, None
    if guard is not None:
        guard()


class _Stream(httpcore.NetworkStream):
    """A connection whose every operation ends at the request's deadline, however slowly the peer drips."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _deadline.remaining(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        about_to_send()
        for start in range(0, len(buffer), WRITE_CHUNK_BYTES):
            left = _deadline.remaining(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + WRITE_CHUNK_BYTES], left)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _deadline.remaining(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens connections that obey the request's deadline, to addresses that were checked; TLS asks for the name."""

    def __init__(self, way: WayOut) -> None:
        self._backend = httpcore.SyncBackend()
        self._way = way

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        failed: Exception = httpcore.ConnectError()
        addresses = self._addresses(host, port)
        for number, address in enumerate(addresses):
            left = _deadline.remaining(timeout, httpcore.ConnectTimeout)
            share = left / (len(addresses) - number) if left is not None else None  # one that is silent ends not all
            try:
                stream = self._backend.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Stream(stream)
        raise failed

    def _addresses(self, host: str, port: int) -> tuple[str, ...]:
        try:
            return egress.require_public(host, port, self._way.hosts, may_be_private=self._way.may_be_private)
        except socket.gaierror:
            raise httpcore.ConnectError from None
