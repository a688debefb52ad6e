"""How the stand-ins speak HTTP: a request and a reply as plain values, and a server between them and a socket.

The stand-ins decide what to answer and never see a socket, so a simulation can call them without a network.
What can only happen on a wire (a line that drops, a body cut short, silence) is said by the reply and done
here. The server listens on 127.0.0.1 and nowhere else, logs nothing, and leaves no thread or socket behind
when it stops.
"""

import contextlib
import json
import select
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

LOOPBACK = "127.0.0.1"
DRIP_SECONDS = 0.2
POLL_SECONDS = 0.03
"""How often a waiting thread looks whether the server stops: short, since every test starts and stops one."""


class Wire(StrEnum):
    """What becomes of a reply on its way to the client."""

    WHOLE = "whole"
    DROP = "drop"
    """The socket is closed without an answer."""
    CUT = "cut"
    """Headers with the full Content-Length, half of the body, then the end."""
    STALL = "stall"
    """Silence until the client leaves or the server stops."""
    DRIP = "drip"
    """The body comes one byte at a time: every read succeeds, the whole takes for ever."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `path` and `query` are percent-decoded, `headers` have lower-case names."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def param(self, name: str) -> str | None:
        """The last value of a query parameter, as Rack and Starlette both read it, or None."""
        return dict(self.query).get(name)

    @property
    def json(self) -> Any:
        """The body as JSON, or None where it is not JSON or not called so."""
        if "json" not in self.headers.get("content-type", ""):
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply, and what the wire does to it. `delay_seconds` pass before its first byte."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_seconds: float = 0.0
    wire: Wire = Wire.WHOLE

    def with_headers(self, **headers: str) -> "Reply":
        """The same reply with more headers; underscores in the names stand for hyphens."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **more})


def json_reply(status: int, value: Any) -> Reply:
    """A reply whose body is JSON."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Reply(status, {"Content-Type": "application/json; charset=utf-8"}, body)


def html_reply(status: int, title: str) -> Reply:
    """A page such as a gateway sends when the service behind it is not itself."""
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(status, {"Content-Type": "text/html; charset=utf-8"}, page.encode())


class PortUnusable(OSError):
    """Somebody listens there already, or this user may not."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} cannot be used")
        self.port = port


class LoopbackServer:
    """Serves one application on 127.0.0.1, a thread per connection, until stopped."""

    def __init__(self, app: Callable[[Request], Reply], port: int = 0) -> None:
        self._app = app
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; RuntimeError while the server is not started."""
        if self._server is None:
            raise RuntimeError("the server is not started")
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def start(self) -> None:
        """Listen and serve in the background; a second call does nothing."""
        if self._server is not None:
            return
        try:
            self._server = _Server(self._app, self._port)
        except OSError as error:
            raise PortUnusable(self._port) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="loopback", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Hang up on everybody and let go of the port; a second call does nothing."""
        if self._server is None or self._thread is None:
            return
        self._server.hang_up()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = self._thread = None

    def __enter__(self) -> "LoopbackServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(socketserver.ThreadingMixIn, HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, app: Callable[[Request], Reply], port: int) -> None:
        self.app = app
        self.stopping = threading.Event()
        self._lines: dict[socket.socket, threading.Thread] = {}
        self._lines_lock = threading.Lock()
        super().__init__((LOOPBACK, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking for names."""
        # HTTPServer asks the resolver for our own name here, which is slow on machines without one.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection in a thread of its own, and remember both so that `hang_up` finds them."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._lines_lock:
            self._lines[request] = thread
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve until the client or we hang up."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lines_lock:
                self._lines.pop(request, None)

    def hang_up(self) -> None:
        """End every open connection: kept-alive ones would hold their threads."""
        self.stopping.set()
        with self._lines_lock:
            lines = dict(self._lines)
        for line in lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def server_close(self) -> None:
        """Let go of the port, and of the connections that were accepted while we stopped."""
        super().server_close()
        self.hang_up()
        with self._lines_lock:
            threads = list(self._lines.values())
        for thread in threads:
            thread.join(timeout=2)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are part of the game; anything else is a bug and prints its traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing, even of malformed requests: addresses hold what people search for."""

    def answer(self) -> None:
        """Read one request, ask the application, send what it says."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            return self._send(Reply(411, {"Connection": "close"}))
        return self._send(self._server.app(self._request(int(length))))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = answer

    @property
    def _server(self) -> _Server:
        return cast(_Server, self.server)

    def _request(self, length: int) -> Request:
        target = urlsplit(self.path)
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        return Request(
            method=self.command,
            path=unquote(target.path),
            query=parse_qsl(target.query, keep_blank_values=True),
            headers=headers,
            body=self.rfile.read(length),
        )

    def _send(self, reply: Reply) -> None:
        if reply.delay_seconds and self._server.stopping.wait(reply.delay_seconds):
            self.close_connection = True
            return
        match reply.wire:
            case Wire.WHOLE:
                self._send_head(reply)
                self.wfile.write(self._body(reply))
            case Wire.DROP:
                self.close_connection = True
            case Wire.CUT:
                self._send_cut(reply)
            case Wire.STALL:
                self._stay_silent()
            case Wire.DRIP:
                self._send_drop_by_drop(reply)

    def _send_head(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        headers = {"Date": formatdate(usegmt=True)} | dict(reply.headers)
        if reply.status not in (204, 304):  # these have no body, and RFC 9110 8.6 forbids the header with 204
            headers["Content-Length"] = str(len(reply.body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, reply: Reply) -> bytes:
        return b"" if self.command == "HEAD" or reply.status in (204, 304) else reply.body

    def _send_cut(self, reply: Reply) -> None:
        self._send_head(reply)
        body = self._body(reply)
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def _stay_silent(self) -> None:
        self.close_connection = True
        while not self._server.stopping.wait(POLL_SECONDS):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _send_drop_by_drop(self, reply: Reply) -> None:
        self._send_head(reply)
        for byte in self._body(reply):
            if self._server.stopping.wait(DRIP_SECONDS):
                self.close_connection = True
                return
            self.wfile.write(bytes([byte]))
