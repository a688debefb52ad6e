"""The page's own server inside `run`: uvicorn in a thread, on a port that is ours before anything else happens.

The page is a guest in the worker's process: where it cannot listen it says why, tries again, and never stops filing.
It writes no access log, since an address may hold a patient's number.
"""

import errno
import socket
import threading
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sync_worker.bootstrap import Worker
from sync_worker.clock import Clock
from sync_worker.errors import LedgerMismatch, LedgerUnavailable
from sync_worker.logs import get_logger
from sync_worker.settings import Settings
from sync_worker.settings.bind import host_and_port
from sync_worker.settings.residency import LOOPBACK

if TYPE_CHECKING:
    import asyncio

    from uvicorn import Server

    from sync_worker.web.office import Office

log = get_logger()

TRY_AGAIN_SECONDS = 10.0
LAST_ANSWERS_SECONDS = 2
MOST_CONNECTIONS = 512
"""More than that are ended at once: the worker needs files to open too."""
HEAD_SECONDS = 10.0
PURGE_SECONDS = 3600.0
LONGEST_HEAD_BYTES = 16 * 1024
STANDARD_PORTS = {"http": 80, "https": 443}


class PageServer:
    """Serves the page of a worker, from entering the block to leaving it; nothing where the settings want none.

    Its libraries are loaded in its own thread: no tick waits for them.
    """

    def __init__(self, settings: Settings, worker: Worker, clock: Clock) -> None:
        self._settings = settings
        self._worker = worker
        self._clock = clock
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._server: Server | None = None
        self._office: Office | None = None
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self.port: int | None = None
        """Where it listens, once it does: what SYNC_WEB_BIND says, or a free port where that says 0."""

    def __enter__(self) -> "PageServer":
        if self._settings.sync_web_enabled:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let open answers end that are about to, give up the others, and come back."""
        self._stopping.set()
        if self._office is not None:
            self._office.close()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(LAST_ANSWERS_SECONDS + 1)

    @property
    def is_ready(self) -> bool:
        """Whether the page can be asked; also where the settings want none."""
        return self._ready.is_set() or not self._settings.sync_web_enabled

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether the page can be asked within this time."""
        return self._ready.wait(seconds)

    def _run(self) -> None:
        try:
            listener = self._listen()
            if listener is None:
                return
            with listener:
                self._serve(listener)
        except Exception:
            log.exception("page.failed")

    def _listen(self) -> socket.socket | None:
        """The port, as soon as it is free; None once the process ends."""
        host, port = host_and_port(self._settings.sync_web_bind)
        told = ""
        while not self._stopping.is_set():
            try:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                return socket.create_server((host, port), family=family)
            except OSError as error:
                if (code := _code_of(error)) != told:
                    log.error("page.not_served", code=code, port=port)
                    told = code
                self._stopping.wait(TRY_AGAIN_SECONDS)
        return None

    def _serve(self, listener: socket.socket) -> None:
        from uvicorn import Config, Server

        from sync_worker.web.app import build_app
        from sync_worker.web.office import office_of

        host, port = listener.getsockname()[:2]
        self.port = port
        proxies = self._settings.sync_web_trusted_proxies
        self._office = office = office_of(self._settings, self._worker, self._clock)
        config = Config(
            build_app(office, hosts=names_of(host, port, self._settings.sync_web_base_url)),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            lifespan="off",
            ws="none",
            http=_protocol(),
            loop="asyncio",
            timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
            h11_max_incomplete_event_size=LONGEST_HEAD_BYTES,
        )
        self._server = Server(config)
        if not self._stopping.is_set():
            log.info("page.ready", host=host, port=port)
            threading.Thread(target=self._forget_logins, args=(office,), name="page-logins", daemon=True).start()
            self._ready.set()
            self._server.run(sockets=[listener])
        office.close()

    def _forget_logins(self, office: "Office") -> None:
        """Forget the logins that are over, now and every hour: the nightly purge would let them lie for a day."""
        while not self._stopping.is_set():
            try:
                office.logins.purge(self._clock.now())
            except (LedgerUnavailable, LedgerMismatch):
                log.warning("page.logins_kept", code="ledger_unavailable")  # they are over all the same
            self._stopping.wait(PURGE_SECONDS)


def _code_of(error: OSError) -> str:
    """Why there is no listening: in a word for the log."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "address_not_ours"
    return {errno.EADDRINUSE: "port_taken", errno.EACCES: "port_not_allowed"}.get(error.errno or 0, "cannot_listen")


@cache
def _protocol() -> "type[asyncio.Protocol]":
    """uvicorn's way to speak HTTP, on connections that must say what they want: it waits for a head without end."""
    import asyncio

    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Timed(H11Protocol):
        """Ends what is no whole request after ten seconds, however it drips, and connections that are too many."""

        _end_of_head: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait_for_head()
            if len(self.connections) > MOST_CONNECTIONS:
                transport.abort()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:
                self._wait_for_head()
            else:
                self._head_came()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_came()
            super().connection_lost(exc)

        def _wait_for_head(self) -> None:
            if self._end_of_head is None:
                self._end_of_head = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

        def _head_came(self) -> None:
            if self._end_of_head is not None:
                self._end_of_head.cancel()
                self._end_of_head = None

    return Timed


def names_of(host: str, port: int, base_url: str | None) -> frozenset[str]:
    """The `Host` headers under which the page answers: this machine's, where it listens, and the base address's.

    Another site's name that points to our address (DNS rebinding) is none of them.
    """
    names = {f"[{name}]" if ":" in name else name for name in (*LOOPBACK, host)}
    with_port = {f"{name}:{port}" for name in names} | (names if port == STANDARD_PORTS["http"] else set())
    if base_url is None:
        return frozenset(with_port)
    parts = urlsplit(base_url)
    told = (parts.hostname or "").lower()
    outer = f"[{told}]" if ":" in told else told
    standard = STANDARD_PORTS.get(parts.scheme)
    reached = {outer, f"{outer}:{standard}"} if parts.port in (None, standard) else {f"{outer}:{parts.port}"}
    return frozenset(with_port | reached)
