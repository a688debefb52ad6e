"""TLS on real sockets: a certificate that is out of date, somebody else's or nobody's is refused, and an old protocol.

The certificates are made by the openssl command, for an authority of the test's own that our client is told to trust:
so that what is refused is refused for its own reason, and a good certificate beside it is accepted.
"""

import shutil
import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sync_worker import transport
from sync_worker.errors import NotConnected
from sync_worker.http import HttpClient
from tests.conftest import TestClock

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
DATES = {"expired": ("20200101000000Z", "20200201000000Z"), "to come": ("20900101000000Z", "20910101000000Z")}
VALID = ("20200101000000Z", "20991231000000Z")
CONFIG = """
[ca]
default_ca = ours
[ours]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = anybody
unique_subject = no
copy_extensions = copy
[anybody]
commonName = supplied
"""


@dataclass
class Authority:
    """An authority of the test's own, and what it signs."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "index.txt").touch()
        (self.folder / "ca.cnf").write_text(CONFIG.format(folder=self.folder))
        self._request("authority", "DNS:authority.example", "-x509", "-days", "2")

    @property
    def certificate(self) -> Path:
        return self.folder / "authority.pem"

    def sign(self, name: str, host: str, begin: str, end: str) -> None:
        """Make `name.pem` and `name.key` for a host, valid from `begin` to `end`."""
        self._request(name, f"DNS:{host}")
        (self.folder / f"{name}.pem").rename(self.folder / f"{name}.csr")
        signer = ["-cert", str(self.certificate), "-keyfile", str(self.folder / "authority.key")]
        times = ["-startdate", begin, "-enddate", end]
        files = ["-in", str(self.folder / f"{name}.csr"), "-out", str(self.folder / f"{name}.pem")]
        _openssl("ca", "-batch", "-notext", "-config", str(self.folder / "ca.cnf"), *signer, *times, *files)

    def sign_itself(self, name: str, host: str) -> None:
        """Make a certificate that nobody but itself vouches for."""
        self._request(name, f"DNS:{host}", "-x509", "-days", "2")

    def context(self, name: str) -> ssl.SSLContext:
        """What a server with this certificate speaks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def _request(self, name: str, host: str, *more: str) -> None:
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        files = ["-keyout", str(self.folder / f"{name}.key"), "-out", str(self.folder / f"{name}.pem")]
        _openssl("req", *key, *files, "-subj", f"/CN={name}", "-addext", f"subjectAltName={host}", *more)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority with one certificate of each kind."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.sign("good", "localhost", *VALID)
    made.sign("wrong host", "elsewhere.example", *VALID)
    for name, (begin, end) in DATES.items():
        made.sign(name, "localhost", begin, end)
    made.sign_itself("self-signed", "localhost")
    return made


@dataclass
class Server:
    """Speaks TLS on this machine, and answers whoever gets as far as to ask."""

    context: ssl.SSLContext
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/"


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[Server]:
    """A server, as long as the block lasts."""
    server = Server(context)
    context.sni_callback = lambda _socket, name, _context: server.names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(server, listener), daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _serve(server: Server, listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        server.connections += 1
        with ExitStack() as stack:
            stack.callback(connection.close)
            try:
                secured = stack.enter_context(server.context.wrap_socket(connection, server_side=True))
                server.requests.append(_whole_request(secured))
                secured.sendall(ANSWER)
            except OSError:
                continue


def _whole_request(line: ssl.SSLSocket) -> bytes:
    """A request with its body, all of it: hanging up on a rest that nobody read would spoil the answer."""
    received = line.recv(65_536)
    while not received.endswith(b"{}" if received.startswith(b"POST") else b"\r\n\r\n"):
        more = line.recv(65_536)
        if not more:
            raise ConnectionResetError
        received += more
    return received


Connect = Callable[[Server], HttpClient]


@pytest.fixture
def connect(authority: Authority, clock: TestClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes clients as the program makes them, which trust the test's authority besides the system's."""
    trusting = transport.tls_context.__wrapped__()
    trusting.load_verify_locations(authority.certificate)
    monkeypatch.setattr(transport, "tls_context", lambda: trusting)
    made: list[HttpClient] = []

    def make(server: Server) -> HttpClient:
        how = {"service": "cliniko", "headers": {}, "allowed_hosts": ["localhost"], "deadline_seconds": 20}
        made.append(HttpClient(**how, base_url=server.url, clock=clock, tries=1))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


def refused(client: HttpClient, server: Server) -> None:
    """Neither a read nor a write gets through, and surely nothing was sent."""
    with pytest.raises(NotConnected):
        client.read("get_user", "user")
    with pytest.raises(NotConnected):
        client.write_once("create_note", "POST", "treatment_notes", {"title": "x"})
    assert server.requests == []
    assert server.connections == 2  # both came as far as to the server


def test_a_good_certificate_is_accepted_and_asked_for_by_name(authority: Authority, connect: Connect) -> None:
    with serving(authority.context("good")) as server:
        assert connect(server).read("get_user", "user").status == 200
        assert connect(server).write_once("create_note", "POST", "treatment_notes", {}).status == 200
        assert [request.split(b" ")[0] for request in server.requests] == [b"GET", b"POST"]
        assert server.names == ["localhost"] * 2  # though the connection went to the address that was checked


@pytest.mark.parametrize("name", ["expired", "to come", "wrong host", "self-signed"])
def test_a_certificate_that_proves_nothing_is_refused(authority: Authority, connect: Connect, name: str) -> None:
    with serving(authority.context(name)) as server:
        refused(connect(server), server)


def test_an_authority_that_the_system_does_not_know_is_refused(authority: Authority, clock: TestClock) -> None:
    with serving(authority.context("good")) as server:
        client = HttpClient(
            service="cliniko",
            base_url=server.url,
            headers={},
            allowed_hosts=["localhost"],
            deadline_seconds=20,
            clock=clock,
            tries=1,
        )
        refused(client, server)
        client.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_an_old_protocol_is_refused(authority: Authority, connect: Connect, version: ssl.TLSVersion) -> None:
    context = authority.context("good")
    _let_it_be_old(context, version)
    with serving(context) as server:
        refused(connect(server), server)
        old = ssl.create_default_context(cafile=authority.certificate)
        _let_it_be_old(old, version)
        with (
            socket.create_connection(("127.0.0.1", server.port)) as line,
            old.wrap_socket(line, server_hostname="localhost") as spoken,
        ):
            assert (
                spoken.version() == {"TLSv1": "TLSv1", "TLSv1_1": "TLSv1.1"}[version.name]
            )  # the server does offer it


def _let_it_be_old(context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version


def test_there_is_no_setting_that_turns_the_checks_off() -> None:
    context = transport.tls_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
