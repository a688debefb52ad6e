"""The one way out: no link, redirect or answer of the DNS leads a request off the list or into a private network."""

import ast
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sync_worker import egress
from sync_worker.cliniko import ClinikoClient
from sync_worker.egress import AddressRefused, HostRefused, connect, is_public, require_public
from sync_worker.errors import NotConnected, RemoteError
from sync_worker.http import HttpClient
from sync_worker.sandbox import wire
from sync_worker.sandbox.wire import Reply, json_reply
from tests import loopback
from tests.conftest import MORNING, TestClock
from tests.loopback import RoughServer, Service, everything_said_by

PACKAGE = Path(__file__).parent.parent / "sync_worker"
NAME = "api.au1.cliniko.com"
PUBLIC, OTHER_PUBLIC, PUBLIC_6 = "13.236.8.1", "52.64.1.2", "2406:da1c::1"
MAIL = "mail.practice.example"
PATIENT = "Zzyzx"

NOT_PUBLIC = {
    "loopback": "127.0.0.1",
    "another loopback": "127.8.8.8",
    "loopback of IPv6": "::1",
    "nobody": "0.0.0.0",  # noqa: S104 - to refuse, not to bind
    "nobody of IPv6": "::",
    "this network": "0.1.2.3",
    "a private network": "10.0.0.5",
    "a private network of the middle": "172.16.31.9",
    "a home's network": "192.168.1.1",
    "a carrier's network": "100.64.0.1",
    "a cloud's metadata": "169.254.169.254",
    "link-local of IPv6": "fe80::1",
    "link-local with a zone": "fe80::1%lo",
    "unique local of IPv6": "fd00:ec2::254",
    "site-local of IPv6": "fec0::1",
    "multicast": "224.0.0.251",
    "multicast of IPv6": "ff02::fb",
    "broadcast": "255.255.255.255",
    "reserved": "240.0.0.1",
    "documentation": "192.0.2.1",
    "a benchmark's network": "198.18.0.1",
    "loopback in an IPv6 coat": "::ffff:127.0.0.1",
    "a private network in an IPv6 coat": "::ffff:10.0.0.5",
    "a private network behind a translator": "64:ff9b::a00:5",
    "a private network by 6to4": "2002:a00:5::1",
    "loopback in the oldest coat": "::7f00:1",
    "a tunnel": "2001:0:a00:5::1",
}
"""What a hostile answer of the DNS may hold, one of each kind."""


@dataclass
class Resolver:
    """The DNS, as somebody hostile has it: an answer for each question, the last one again and again."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        name = str(host)
        try:
            family = _family(name)  # an address needs no answer
            return [(family, socket.SOCK_STREAM, 6, "", (name, port))]
        except OSError:
            self.asked.append(name)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(_family(one), socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]


def _family(address: str) -> socket.AddressFamily:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    socket.inet_pton(family, address.partition("%")[0])
    return family


@pytest.fixture
def destinations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that anything in this process connects to. Only this machine is really reached."""
    met: list[str] = []
    real = socket.socket.connect

    def note(self: socket.socket, address: Any) -> None:
        met.append(str(address[0]))
        if address[0] != loopback.LOOPBACK:
            raise ConnectionRefusedError
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", note)
    monkeypatch.setattr(wire, "POLL_SECONDS", 0.003)
    return met


Resolve = Callable[..., Resolver]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Puts a resolver of one's own in the place of the machine's."""

    def put(*answers: list[str]) -> Resolver:
        resolver = Resolver(list(answers))
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        return resolver

    return put


Connect = Callable[..., HttpClient]


@pytest.fixture
def client(clock: TestClock) -> Iterator[Connect]:
    """Makes clients of Cliniko; they are closed at the end."""
    made: list[HttpClient] = []

    def make(url: str = f"http://{NAME}/v1/", **how: Any) -> HttpClient:
        usual = {"service": "cliniko", "headers": {}, "allowed_hosts": [NAME, "127.0.0.1"], "deadline_seconds": 5}
        made.append(HttpClient(**{**usual, "base_url": url, "clock": clock} | how))
        return made[-1]

    yield make
    for one in made:
        one.close()


# ---------------------------------------------------------------- which addresses are public


@pytest.mark.parametrize("address", NOT_PUBLIC.values(), ids=NOT_PUBLIC)
def test_an_address_that_no_public_service_has_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, PUBLIC_6, "8.8.8.8", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_public_behind_a_translator_too(address: str) -> None:
    assert is_public(address)


def test_what_is_no_address_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r".*"):
        is_public("localhost")


# ---------------------------------------------------------------- which hosts may be met where


def test_a_host_off_the_list_is_not_even_asked_for(resolve: Resolve) -> None:
    resolver = resolve([PUBLIC])
    with pytest.raises(HostRefused):
        require_public("evil.example", 443, {NAME})
    assert resolver.asked == []


def test_one_bad_address_spoils_the_whole_answer(resolve: Resolve) -> None:
    resolve([PUBLIC, "10.0.0.5"])
    with pytest.raises(AddressRefused):
        require_public(NAME, 443, {NAME})


def test_a_good_answer_gives_its_addresses_in_their_order_and_each_once(resolve: Resolve) -> None:
    resolve([PUBLIC_6, PUBLIC, PUBLIC_6])
    assert require_public(NAME.upper(), 443, {NAME}) == (PUBLIC_6, PUBLIC)


@pytest.mark.parametrize("address", ["10.0.0.5", "172.20.1.1", "192.168.1.9", "100.101.1.1", "fd00::9", PUBLIC])
def test_a_host_for_alarms_may_stand_in_the_practices_own_network(resolve: Resolve, address: str) -> None:
    resolve([address])
    assert require_public(MAIL, 587, {MAIL}, may_be_private={MAIL}) == (address,)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "fe80::1", "0.0.0.0", "::1", "224.0.0.1"])  # noqa: S104
def test_a_host_for_alarms_is_not_this_machine_and_no_clouds_metadata(resolve: Resolve, address: str) -> None:
    resolve([address])
    with pytest.raises(AddressRefused):
        require_public(MAIL, 587, {MAIL}, may_be_private={MAIL})


def test_a_host_that_is_loopback_by_name_is_met_on_this_machine_alone(resolve: Resolve) -> None:
    resolve(["127.0.0.1"], [PUBLIC])
    assert require_public("localhost", 80, {"localhost"}) == ("127.0.0.1",)
    with pytest.raises(AddressRefused):
        require_public("localhost", 80, {"localhost"})


def test_a_name_that_cannot_be_asked_for_is_refused() -> None:
    name = "x" * 64 + ".example"
    with pytest.raises((AddressRefused, socket.gaierror)):
        require_public(name, 443, {name})


def test_a_plain_connection_goes_to_the_address_that_was_checked(resolve: Resolve, destinations: list[str]) -> None:
    resolver = resolve([PUBLIC, OTHER_PUBLIC], ["10.0.0.5"])
    with pytest.raises(ConnectionRefusedError):
        connect(MAIL, 587, {MAIL}, timeout=5)
    assert destinations == [PUBLIC, OTHER_PUBLIC]
    assert resolver.asked == [MAIL]


def test_a_plain_connection_reaches_this_machine_where_the_settings_name_it() -> None:
    with RoughServer(loopback.answers) as server:
        port = int(server.url.rpartition(":")[2].rstrip("/"))
        connect("127.0.0.1", port, {"127.0.0.1"}, timeout=5).close()
        assert server.connections(1) == 1


# ---------------------------------------------------------------- the hostile cases: nothing leaves

HOSTILE_LINKS = [
    "http://evil.example/v1/patients?page=2",
    "https://evil.example/",
    "//evil.example/v1/patients",
    "http://127.0.0.1@evil.example/",
    "http://127.0.0.1:80@evil.example/",
    "http://127.0.0.1%2F@evil.example/",
    "http://evil.example\\@127.0.0.1/",
    "http://127.0.0.1\\.evil.example/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://localhost:22/",
    "http://[::1]:6379/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "unix:///run/docker.sock",
    "http://127.0.0.1.evil.example/",
    "http://evil.example#@127.0.0.1/",
]
HOSTILE_REDIRECTS = [
    (status, there)
    for status in (301, 302, 303, 307, 308)
    for there in ("http://evil.example/", "http://169.254.169.254/latest/", "//evil.example/", "http://[::1]/")
]
ANSWERS: dict[str, list[list[str]]] = {
    **{name: [[address]] for name, address in NOT_PUBLIC.items()},
    "a good address and a bad one": [[PUBLIC, "10.0.0.5"]],
    "a bad address and a good one": [["169.254.169.254", PUBLIC]],
    "an empty answer": [[]],
}


@pytest.mark.parametrize("link", HOSTILE_LINKS)
def test_a_hostile_link_of_a_list_is_not_followed(client: Connect, destinations: list[str], link: str) -> None:
    page = json_reply(200, {"treatment_notes": [], "total_entries": 9, "links": {"self": "x", "next": link}})
    with Service(page) as service:
        cliniko = ClinikoClient(client(service.url))
        with pytest.raises(RemoteError):
            list(cliniko.notes_of("17", MORNING))
        assert len(service.requests) == 1
    assert destinations == ["127.0.0.1"]


@pytest.mark.parametrize("link", HOSTILE_LINKS)
def test_a_hostile_address_that_is_read_as_given_is_refused_before_anybody_is_asked_for_it(
    client: Connect, destinations: list[str], resolve: Resolve, link: str
) -> None:
    resolver = resolve([PUBLIC])
    with pytest.raises(RemoteError):
        client(allowed_hosts=[NAME]).read("list_patients", link)
    assert set(destinations) <= {PUBLIC}  # what is no address at all is a path on the host of the list
    assert set(resolver.asked) <= {NAME}


@pytest.mark.parametrize(("status", "there"), HOSTILE_REDIRECTS)
def test_a_redirect_leads_nowhere(client: Connect, destinations: list[str], status: int, there: str) -> None:
    with Service(Reply(status, {"Location": there})) as service:
        one = client(service.url)
        with pytest.raises(RemoteError):
            one.read("list_patients", "patients")
        assert one.write_once("create_note", "POST", "treatment_notes", {}).status == status
        assert len(service.requests) == 2
    assert destinations == ["127.0.0.1"] * 2


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
def test_a_name_that_leads_to_a_private_address_is_not_connected_to(
    client: Connect, destinations: list[str], resolve: Resolve, answers: list[list[str]]
) -> None:
    resolve(*answers)
    one = client(may_be_private=[MAIL])
    with pytest.raises(NotConnected) as of_read:
        one.read("list_patients", "patients", [("q[]", PATIENT)])
    with pytest.raises(NotConnected) as of_write:
        one.write_once("create_note", "POST", "treatment_notes", {"title": PATIENT})
    for error in (of_read.value, of_write.value):
        assert error.code == "address_refused"
        assert "DNS" in error.sentence
        said = everything_said_by(error)
        assert not [secret for secret in (*answers[0], PATIENT) if secret in said]
    assert destinations == []


def test_a_name_that_changes_its_address_after_the_check_changes_nothing(
    client: Connect, destinations: list[str], resolve: Resolve
) -> None:
    resolver = resolve([PUBLIC], ["127.0.0.1"])
    with pytest.raises(NotConnected):
        client().write_once("create_note", "POST", "treatment_notes", {})
    assert destinations == [PUBLIC]
    assert resolver.asked == [NAME]


def test_an_address_that_does_not_answer_gives_way_to_the_next(
    client: Connect, destinations: list[str], resolve: Resolve
) -> None:
    resolve([PUBLIC_6, PUBLIC, OTHER_PUBLIC])
    with pytest.raises(NotConnected):
        client().write_once("create_note", "POST", "treatment_notes", {})
    assert destinations == [PUBLIC_6, PUBLIC, OTHER_PUBLIC]


def test_more_than_thirty_hostile_cases_are_tried() -> None:
    assert len(HOSTILE_LINKS) + len(HOSTILE_REDIRECTS) + len(ANSWERS) >= 30


# ---------------------------------------------------------------- nobody goes past it


def test_nothing_else_in_the_program_connects_by_itself() -> None:
    """Whoever needs smtplib gives it a connection of `egress`; no module brings another way out."""
    ways = {
        "urllib.request",
        "http.client",
        "ftplib",
        "telnetlib",
        "poplib",
        "imaplib",
        "xmlrpc",
        "aiohttp",
        "requests",
    }
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "sandbox":
            continue
        tree = ast.parse(path.read_text())
        imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
        if path.name == "health.py":
            imported.discard("http.client")  # asks this program's own page, by the address at which it listens
        called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not imported & ways, path.name
        assert "smtplib" not in imported or "sync_worker.egress" in imported, path.name
        if path.name != "egress.py":
            assert not called & {"create_connection", "open_connection", "urlopen"}, path.name
    assert egress.__doc__
