"""The transport keeps its promises on real sockets: deadlines, one host, patience, and failures that say nothing."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_worker import http
from sync_worker.errors import InvalidResponse, LeaseLost, NotConnected, RateLimited, RemoteError, Stopping, Unavailable
from sync_worker.http import READ_ATTEMPTS, Answer, HttpClient
from sync_worker.rate import LONGEST_BLOCK_SECONDS, WINDOW_SECONDS, RateBudget
from sync_worker.sandbox import wire
from sync_worker.sandbox.cliniko import BASE_PATH, ClinikoSandbox
from sync_worker.sandbox.wire import LoopbackServer, Reply, Wire, html_reply, json_reply
from tests import loopback
from tests.conftest import MORNING, TestClock
from tests.loopback import CostlyClock, RoughServer, Service, StopSoon, a_refused_url, everything_said_by

Connect = Callable[..., HttpClient]
PATIENT = "Zzyzx"
KEY = "SecretKey-au3"


@pytest.fixture(autouse=True)
def _servers_stop_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "POLL_SECONDS", 0.003)


@pytest.fixture
def connect(clock: TestClock) -> Iterator[Connect]:
    """Makes clients that may talk to loopback only; they are closed at the end."""
    made: list[HttpClient] = []

    def make(url: str, **how: object) -> HttpClient:
        usual = {"service": "cliniko", "headers": {}, "allowed_hosts": ["127.0.0.1"], "deadline_seconds": 20}
        made.append(HttpClient(**{**usual, "base_url": url, "clock": clock} | how))
        return made[-1]

    yield make
    for client in made:
        client.close()


# ---------------------------------------------------------------- one deadline for a request as a whole


@pytest.mark.parametrize("behave", [loopback.drips_its_head, loopback.drips_its_body])
def test_an_answer_that_drips_ends_with_the_deadline_of_the_request(
    connect: Connect, behave: Callable[[loopback.Line], None]
) -> None:
    clock = CostlyClock()
    with RoughServer(behave) as server:
        client = connect(server.url, deadline_seconds=8, clock=clock)
        with pytest.raises(Unavailable):
            client.read("list_patients", "patients")
        assert server.connections(READ_ATTEMPTS) == READ_ATTEMPTS


@pytest.mark.parametrize("behave", [loopback.drips_its_head, loopback.drips_its_body])
def test_a_write_whose_answer_drips_ends_with_the_deadline_and_is_not_repeated(
    connect: Connect, behave: Callable[[loopback.Line], None]
) -> None:
    with RoughServer(behave) as server:
        client = connect(server.url, deadline_seconds=8, clock=CostlyClock())
        with pytest.raises(Unavailable):
            client.write_once("create_note", "POST", "treatment_notes", {})
        assert server.connections(1) == 1


def test_silence_ends_with_the_deadline(connect: Connect) -> None:
    with RoughServer(loopback.stays_silent) as server:
        client = connect(server.url, deadline_seconds=0.1)
        with pytest.raises(Unavailable) as raised:
            client.read("list_patients", "patients")
        assert not isinstance(raised.value, NotConnected)
        assert server.connections(READ_ATTEMPTS) == READ_ATTEMPTS


def test_an_upload_that_is_not_taken_ends_with_the_deadline(connect: Connect) -> None:
    with RoughServer(loopback.never_reads, receive_buffer=4096) as server:
        client = connect(server.url, deadline_seconds=0.2)
        with pytest.raises(Unavailable) as raised:
            client.write_once("create_note", "POST", "treatment_notes", {"content": "x" * 16_000_000})
        assert not isinstance(raised.value, NotConnected)
        assert server.connections(1) == 1


def test_a_deadline_that_passes_before_there_is_a_connection_sends_nothing(connect: Connect) -> None:
    with RoughServer(loopback.answers) as server:
        client = connect(server.url, deadline_seconds=0.5, clock=CostlyClock())
        with pytest.raises(NotConnected):
            client.write_once("create_note", "POST", "treatment_notes", {})
        assert server.lines == []


def test_every_request_has_a_deadline_of_its_own_on_a_kept_connection_too(connect: Connect, clock: TestClock) -> None:
    with Service() as service:
        client = connect(service.url, deadline_seconds=5)
        for _ in range(3):
            assert client.read("get_user", "user").status == 200
            clock.advance(1000)


def test_a_read_survives_a_kept_connection_that_the_server_closed_meanwhile(connect: Connect) -> None:
    with RoughServer(loopback.answers) as server:
        client = connect(server.url)
        for _ in range(4):
            assert client.read("get_user", "user").json() == {}
        assert len(server.lines) >= 4


# ---------------------------------------------------------------- answers that are none


@pytest.mark.parametrize(
    "behave", [loopback.hangs_up_unread, loopback.hangs_up_halfway, loopback.cuts_its_head, loopback.speaks_otherwise]
)
def test_a_line_that_breaks_is_tried_again_by_a_read_only(
    connect: Connect, behave: Callable[[loopback.Line], None]
) -> None:
    with RoughServer(behave) as server:
        client = connect(server.url)
        with pytest.raises(Unavailable) as raised:
            client.read("list_patients", "patients")
        assert not isinstance(raised.value, NotConnected)
        assert server.connections(READ_ATTEMPTS) == READ_ATTEMPTS
        with pytest.raises(Unavailable) as raised:
            client.write_once("create_note", "POST", "treatment_notes", {})
        assert not isinstance(raised.value, NotConnected)
        assert server.connections(READ_ATTEMPTS + 1) == READ_ATTEMPTS + 1


def test_a_port_on_which_nobody_listens_is_certainly_not_reached(connect: Connect) -> None:
    client = connect(a_refused_url())
    with pytest.raises(NotConnected):
        client.read("list_patients", "patients")
    with pytest.raises(NotConnected):
        client.write_once("create_note", "POST", "treatment_notes", {})


def test_a_host_without_an_address_is_certainly_not_reached(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_knows(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody_knows)
    client = connect("http://nowhere.example/", allowed_hosts=["nowhere.example"])
    with pytest.raises(NotConnected):
        client.write_once("create_note", "POST", "treatment_notes", {})


def test_an_endless_answer_is_given_up(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LONGEST_BODY_BYTES", 1_000_000)
    with RoughServer(loopback.floods) as server:
        with pytest.raises(InvalidResponse):
            connect(server.url).read("list_patients", "patients")
        assert server.connections(1) == 1


def test_a_small_answer_that_unpacks_to_an_endless_one_is_given_up(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "LONGEST_BODY_BYTES", 1_000_000)
    packed = Reply(200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * 5_000_000))
    with Service(packed) as service, pytest.raises(InvalidResponse):
        connect(service.url).read("list_patients", "patients")


def test_an_answer_that_cannot_be_unpacked_is_no_answer(connect: Connect) -> None:
    packed = Reply(200, {"Content-Encoding": "gzip"}, b"not gzip at all")
    with Service(packed) as service, pytest.raises(Unavailable):
        connect(service.url).read("list_patients", "patients")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"id": ', b"\xff\xfe", b"[" * 200_000, b"[" + b"9" * 5_000 + b"]"],
    ids=["empty", "a page", "cut", "no text", "too deep", "too long a number"],
)
def test_a_body_that_cannot_be_read_as_json_is_a_value_error_whatever_is_wrong_with_it(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Answer(200, {}, body).json()


@pytest.mark.parametrize(
    ("date", "read"),
    [
        ("Wed, 18 Nov 2026 22:30:00 GMT", MORNING),
        ("Thu, 19 Nov 2026 09:30:00 +1100", MORNING),
        ("Wed, 18 Nov 2026 22:30:00 -0000", MORNING),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_the_clock_of_the_service_is_read_in_utc_or_not_at_all(date: str, read: datetime | None) -> None:
    assert Answer(200, {"date": date}, b"").date == read
    assert Answer(200, {}, b"").date is None


# ---------------------------------------------------------------- one host, reached directly


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_nothing_is_sent_to_its_target(connect: Connect, status: int) -> None:
    with Service() as elsewhere:
        with Service(Reply(status, {"Location": f"{elsewhere.url}patients"})) as service:
            with pytest.raises(InvalidResponse) as raised:
                connect(service.url, user_name=lambda: KEY).read("list_patients", "patients")
            assert len(service.requests) == 1
        assert elsewhere.requests == []
    assert raised.value.status == status


@pytest.mark.parametrize("place", ["", "http://127.0.0.1:{port}/patients", "http://api.example@127.0.0.1:{port}/"])
def test_a_host_off_the_list_gets_not_even_a_connection(connect: Connect, place: str) -> None:
    with RoughServer(loopback.answers) as server:
        client = connect(server.url if not place else "http://api.example/", allowed_hosts=["api.example"])
        path = place.format(port=server.url.rpartition(":")[2].rstrip("/")) or "patients"
        with pytest.raises(InvalidResponse):
            client.read("list_patients", path)
        with pytest.raises(InvalidResponse):
            client.write_once("create_note", "POST", path, {})
        assert server.lines == []


def test_proxies_and_other_settings_of_the_environment_are_ignored(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RoughServer(loopback.answers) as proxy, Service() as service:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
        client = connect(service.url)
        client.read("get_user", "user")
        client.write_once("create_note", "POST", "treatment_notes", {})
        assert [request.method for request in service.requests] == ["GET", "POST"]
        assert proxy.lines == []


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("http://api.example:81/v1/patients?page=2", True),
        ("http://API.example:81/elsewhere", True),
        ("https://api.example:81/v1/patients", False),
        ("http://api.example/v1/patients", False),
        ("http://api.example:82/v1/patients", False),
        ("http://other.example:81/v1/patients", False),
        ("http://api.example:81@other.example/", False),
        ("http://key@api.example:81/", False),
        ("//api.example:81/v1/patients", False),
        ("/v1/patients?page=2", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_only_an_address_on_the_very_same_host_is_ours(connect: Connect, address: str, ours: bool) -> None:
    assert connect("http://api.example:81/v1/").is_ours(address) is ours


@pytest.mark.parametrize("rest", ["\x00", "a\nb", "x" * 70_000])
def test_an_address_that_is_none_is_an_answer_we_do_not_understand(connect: Connect, rest: str) -> None:
    with Service() as service:
        with pytest.raises(InvalidResponse):
            connect(service.url).read("list_patients", service.url + rest)
        assert service.requests == []


# ---------------------------------------------------------------- what is sent


def test_key_headers_and_body_arrive_as_they_were_meant(connect: Connect) -> None:
    with Service() as service:
        client = connect(service.url, headers={"User-Agent": "clinic (desk@example.com)"}, user_name=lambda: KEY)
        client.read("get_user", "user", headers=lambda: {"X-More": "1"})
        client.write_once("create_note", "POST", "treatment_notes", {"title": "Zoë"})
    read, write = service.requests
    assert (read.method, read.path, read.query, read.body) == ("GET", "/user", [], b"")
    assert read.headers["user-agent"] == "clinic (desk@example.com)"
    assert read.headers["authorization"] == "Basic U2VjcmV0S2V5LWF1Mzo="
    assert read.headers["x-more"] == "1"
    assert (write.method, write.path, write.json) == ("POST", "/treatment_notes", {"title": "Zoë"})
    assert write.headers["content-type"] == "application/json"
    assert "idempotency-key" not in write.headers


def test_the_query_of_a_filter_is_percent_encoded(connect: Connect) -> None:
    with RoughServer(loopback.answers) as server:
        connect(server.url).read("list_patients", "patients", [("q[]", "email:=zoe+physio@example.com")])
    target = server.lines[0].received.split(b" ")[1].decode()
    assert target.startswith("/patients?q%5B%5D=")
    assert "zoe%2Bphysio%40example.com" in target
    assert parse_qsl(target.partition("?")[2]) == [("q[]", "email:=zoe+physio@example.com")]


@pytest.mark.parametrize(
    "value",
    ["a+b", "a&b=c", "a%20b", "100%", "a#b", "O'Brien", "Zoë Nguyễn", ":=x", "~%x%", "a b", "a;b", "😀", '"\\/?'],
)
def test_whatever_a_filter_holds_arrives_unchanged(connect: Connect, value: str) -> None:
    with Service() as service:
        connect(service.url).read("list_patients", "patients", [("q[]", f"email:={value}"), ("q[]", "archived_at:*")])
    assert service.requests[0].query == [("q[]", f"email:={value}"), ("q[]", "archived_at:*")]


def test_a_plus_addressed_patient_is_found_by_that_address_and_not_by_another(connect: Connect) -> None:
    cliniko = ClinikoSandbox()
    user = cliniko.add_user(first_name="Ana", last_name="Physio")
    wanted = cliniko.add_patient(first_name="Zoë", last_name="Test", email="zoe+physio@example.com")
    cliniko.add_patient(first_name="Zoe", last_name="Test", email="zoe physio@example.com")
    with LoopbackServer(cliniko.handle) as server:
        client = connect(server.url + BASE_PATH, user_name=lambda: cliniko.key_of(user))
        answer = client.read("list_patients", "patients", [("q[]", "email:=zoe+physio@example.com")])
    assert [row["id"] for row in answer.json()["patients"]] == [wanted]


def test_the_clock_of_the_service_is_remembered_from_its_last_answer(connect: Connect) -> None:
    with Service(Reply(200, {"Date": format_datetime(MORNING, usegmt=True)}), Reply(200, {"Date": "soon"})) as service:
        client = connect(service.url)
        assert client.server_date is None
        client.read("get_user", "user")
        client.read("get_user", "user")
        assert client.server_date == MORNING


# ---------------------------------------------------------------- trying again

LOST = [
    json_reply(500, {}),
    html_reply(502, "502 Bad Gateway"),
    html_reply(503, "503"),
    html_reply(504, "504"),
    Reply(408),
    Reply(0, wire=Wire.DROP),
    Reply(200, body=b"{}" * 100, wire=Wire.CUT),
]
LOST_IDS = ["500", "502", "503", "504", "408", "dropped", "cut"]


@pytest.mark.parametrize("lost", LOST, ids=LOST_IDS)
def test_a_read_is_tried_again_until_an_answer_comes(connect: Connect, lost: Reply) -> None:
    with Service(lost, lost, json_reply(200, {"id": "1"})) as service:
        assert connect(service.url).read("get_user", "user").json() == {"id": "1"}
        assert len(service.requests) == 3


@pytest.mark.parametrize("lost", LOST, ids=LOST_IDS)
def test_a_read_is_given_up_after_three_tries(connect: Connect, lost: Reply) -> None:
    with Service(lost) as service:
        with pytest.raises(Unavailable) as raised:
            connect(service.url).read("get_user", "user")
        assert len(service.requests) == READ_ATTEMPTS == 3
    assert (raised.value.service, raised.value.operation) == ("cliniko", "get_user")
    assert raised.value.status == (lost.status if lost.wire is Wire.WHOLE else None)


@pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 422])
def test_an_answer_is_an_answer_and_not_asked_for_again(connect: Connect, status: int) -> None:
    with Service(Reply(status)) as service:
        assert connect(service.url).read("get_user", "user").status == status
        assert len(service.requests) == 1


@pytest.mark.parametrize("reply", [each for each in LOST if each.wire is Wire.WHOLE] + [Reply(429), Reply(302)])
def test_a_write_is_sent_once_and_its_answer_given_back_whatever_it_is(
    connect: Connect, clock: TestClock, reply: Reply
) -> None:
    with Service(reply) as service:
        client = connect(service.url, budget=RateBudget(100, clock))
        assert client.write_once("create_note", "POST", "treatment_notes", {}).status == reply.status
        assert len(service.requests) == 1


@pytest.mark.parametrize("lost", [each for each in LOST if each.wire is not Wire.WHOLE])
def test_a_write_without_an_answer_is_sent_once_and_may_have_arrived(connect: Connect, lost: Reply) -> None:
    with Service(lost) as service:
        with pytest.raises(Unavailable) as raised:
            connect(service.url).write_once("create_note", "POST", "treatment_notes", {})
        assert not isinstance(raised.value, NotConnected)
        assert len(service.requests) == 1


def test_every_write_has_a_connection_of_its_own(connect: Connect) -> None:
    with RoughServer(_answers_for_ever) as server:
        client = connect(server.url)
        for _ in range(3):
            client.read("get_user", "user")
        assert server.connections(1) == 1
        for _ in range(3):
            client.write_once("create_note", "POST", "treatment_notes", {})
        assert server.connections(4) == 4


def _answers_for_ever(line: loopback.Line) -> None:
    while not line.stopping.is_set():
        line.received = b""
        line.read_request()
        line.send(loopback.OK + b"Content-Length: 2\r\n\r\n{}")


# ---------------------------------------------------------------- being told to wait


def a_429(there: datetime, **headers: str) -> Reply:
    return Reply(429, {"Date": format_datetime(there, usegmt=True)}).with_headers(**headers)


@pytest.mark.parametrize("skew_seconds", [-7200, 0, 7200])
def test_a_429_stops_a_users_reads_until_the_reset_on_the_clock_of_the_service(
    connect: Connect, clock: TestClock, skew_seconds: int
) -> None:
    there = clock.now() + timedelta(seconds=skew_seconds)
    reset = str(int(there.timestamp()) + 17)
    with Service(a_429(there, X_RateLimit_Reset=reset), json_reply(200, {})) as service:
        began = clock.monotonic()
        connect(service.url, budget=RateBudget(90, clock)).read("get_user", "user")
        assert clock.monotonic() - began == 18  # and a second, since the stamp is rounded
        assert len(service.requests) == 2


def test_whoever_shares_a_users_budget_waits_too_and_nobody_else(connect: Connect, clock: TestClock) -> None:
    shared = RateBudget(90, clock)
    with Service(a_429(MORNING, X_RateLimit_Reset=str(MORNING.timestamp() + 29)), json_reply(200, {})) as service:
        first, second = connect(service.url, budget=shared), connect(service.url, budget=shared)
        other = connect(service.url, budget=RateBudget(90, clock))
        assert first.write_once("create_note", "POST", "treatment_notes", {}).status == 429
        assert clock.now() == MORNING
        other.read("get_user", "user")
        assert clock.now() == MORNING
        second.read("get_user", "user")
        assert clock.now() == MORNING + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X_RateLimit_Reset": str(MORNING.timestamp() + 5)}, 6),
        ({"X_RateLimit_Reset": str(MORNING.timestamp() - 500)}, 1),
        ({"X_RateLimit_Reset": str(MORNING.timestamp() + 3600)}, LONGEST_BLOCK_SECONDS),
        ({"X_RateLimit_Reset": str(MORNING.timestamp() + 5), "Retry_After": "40"}, 6),
        ({"Retry_After": "40"}, 40),
        ({"Retry_After": "86400"}, LONGEST_BLOCK_SECONDS),
        ({"Retry_After": "-5"}, 0),
        ({"Retry_After": "nan"}, 60),
        ({"Retry_After": "inf"}, 60),
        ({"Retry_After": "Wed, 18 Nov 2026 22:31:00 GMT"}, 60),
        ({"X_RateLimit_Reset": "nan"}, 60),
        ({"X_RateLimit_Reset": "soon"}, 60),
        ({}, 60),
    ],
)
def test_the_wait_after_a_429_is_known_and_never_longer_than_two_minutes(
    connect: Connect, headers: dict[str, str], seconds: float
) -> None:
    reply = a_429(MORNING, **headers)
    answer = Answer(429, {name.lower(): value for name, value in reply.headers.items()}, b"")
    assert connect("http://127.0.0.1/").retry_after(answer) == seconds


def test_a_user_who_is_told_to_wait_again_and_again_gives_up_with_the_time_to_come_back(
    connect: Connect, clock: TestClock
) -> None:
    with Service(a_429(MORNING, Retry_After="5")) as service:
        with pytest.raises(RateLimited) as raised:
            connect(service.url, budget=RateBudget(90, clock)).read("get_user", "user")
        assert len(service.requests) == READ_ATTEMPTS
    assert (raised.value.retry_after, raised.value.status) == (5, 429)


def test_a_service_without_a_budget_of_ours_is_waited_for_as_well(connect: Connect, clock: TestClock) -> None:
    with Service(a_429(MORNING, Retry_After="7"), json_reply(200, {})) as service:
        connect(service.url).read("list_sessions", "sessions")
    assert clock.now() == MORNING + timedelta(seconds=7)


def test_nobody_waits_after_the_last_try(connect: Connect, clock: TestClock) -> None:
    with Service(a_429(MORNING, Retry_After="7")) as service:
        with pytest.raises(RateLimited) as raised:
            connect(service.url).read("list_sessions", "sessions")
        assert len(service.requests) == READ_ATTEMPTS
        assert connect(service.url).write_once("alert", "POST", "hook", {}).status == 429
    assert raised.value.retry_after == 7
    assert clock.now() == MORNING + timedelta(seconds=7) * (READ_ATTEMPTS - 1)


def test_a_stop_ends_the_wait_for_a_place_and_nothing_is_sent(connect: Connect) -> None:
    clock = StopSoon()
    budget = RateBudget(90, clock)
    budget.block(60)
    with Service() as service:
        with pytest.raises(Stopping):
            connect(service.url, clock=clock, budget=budget).write_once("create_note", "POST", "treatment_notes", {})
        assert service.requests == []


# ---------------------------------------------------------------- the budget

eighths = st.integers(0, 100 * 8).map(lambda number: number / 8)  # exact in binary, so that equality can be asked for
events = st.lists(
    st.one_of(
        st.just(("take", 0.0)),
        st.tuples(st.just("wait"), eighths),
        st.tuples(st.just("block"), eighths),
    ),
    max_size=60,
)


@given(per_minute=st.integers(1, 7), events=events)
@settings(max_examples=150, deadline=None)
def test_no_minute_ever_holds_more_requests_than_allowed_and_none_waits_longer_than_it_must(
    per_minute: int, events: list[tuple[str, float]]
) -> None:
    clock = TestClock()
    budget = RateBudget(per_minute, clock)
    sent: list[float] = []
    blocked_until = 0.0
    for event, seconds in events:
        match event:
            case "wait":
                clock.advance(seconds)
            case "block":
                assert budget.block(seconds) == seconds
                blocked_until = max(blocked_until, clock.monotonic() + seconds)
            case "take":
                place_free_at = sent[-per_minute] + WINDOW_SECONDS if len(sent) >= per_minute else 0.0
                earliest = max(clock.monotonic(), blocked_until, place_free_at)
                budget.take()
                assert clock.monotonic() == earliest
                sent.append(earliest)
    assert all(later - earlier >= WINDOW_SECONDS for earlier, later in zip(sent, sent[per_minute:], strict=False))


def test_a_block_is_capped_and_never_shortened(clock: TestClock) -> None:
    budget = RateBudget(10, clock)
    assert budget.block(3600) == LONGEST_BLOCK_SECONDS
    assert budget.block(1) == 1
    assert budget.block(-5) == 0
    budget.take()
    assert clock.now() == MORNING + timedelta(seconds=LONGEST_BLOCK_SECONDS)


def test_threads_that_share_a_budget_get_its_places_and_no_more(clock: TestClock) -> None:
    budget = RateBudget(100, clock)
    threads = [threading.Thread(target=lambda: [budget.take() for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now() == MORNING
    budget.take()
    assert clock.now() == MORNING + timedelta(seconds=WINDOW_SECONDS)


def test_what_is_left_of_a_budget_is_what_goes_out_without_waiting(clock: TestClock) -> None:
    budget = RateBudget(3, clock)
    assert budget.left() == 3
    budget.take()
    clock.advance(30)
    budget.take()
    assert budget.left() == 1
    clock.advance(31)
    assert budget.left() == 2
    budget.block(10)
    assert budget.left() == 0
    clock.advance(10)
    assert budget.left() == 2


# ---------------------------------------------------------------- who counts the requests


def test_every_request_is_told_of_by_host_and_status_each_try_of_its_own(connect: Connect) -> None:
    seen: list[tuple[str, int | None]] = []

    def observe(host: str, status: int | None) -> None:
        seen.append((host, status))

    lost = next(each for each in LOST if each.wire is not Wire.WHOLE)
    with Service(Reply(500), lost, json_reply(200, {})) as service:
        connect(service.url, observe=observe).read("list_patients", "patients?first_name=Zzyzx")
    with Service(Reply(422)) as service:
        connect(service.url, observe=observe).write_once("create_note", "POST", "treatment_notes", {})
    assert seen == [("127.0.0.1", status) for status in (500, None, 200, 422)]


def test_a_port_on_which_nobody_listens_counts_as_no_answer_and_what_is_never_tried_not_at_all(
    connect: Connect,
) -> None:
    seen: list[tuple[str, int | None]] = []

    def observe(host: str, status: int | None) -> None:
        seen.append((host, status))

    def refuse() -> None:
        raise LeaseLost

    with pytest.raises(NotConnected):
        connect(a_refused_url(), observe=observe).write_once("create_note", "POST", "treatment_notes", {})
    with pytest.raises(InvalidResponse):
        connect("https://elsewhere.example/", observe=observe).read("list_patients", "patients")
    with Service() as service:
        client = connect(service.url, observe=observe)
        with pytest.raises(LeaseLost):
            client.write_once("create_note", "POST", "treatment_notes", {}, guard=refuse)
    assert seen == [("127.0.0.1", None)]


# ---------------------------------------------------------------- nothing leaks


def _in_any_case(text: str) -> Reply:
    return Reply(500, {"Content-Type": "application/json", "X-Echo": text}, json.dumps({"message": text}).encode())


@pytest.mark.parametrize(
    "reply",
    [
        _in_any_case(PATIENT),
        Reply(302, {"Location": f"https://other.example/?{PATIENT}"}),
        Reply(302, {"Location": f"http://[{PATIENT}"}),
        Reply(429, {"Retry-After": PATIENT}, PATIENT.encode()),
        Reply(200, {"Content-Encoding": "gzip"}, PATIENT.encode()),
        Reply(0, wire=Wire.DROP),
    ],
    ids=["500", "redirect", "redirect to no address", "429", "no gzip", "dropped"],
)
def test_no_failure_names_the_patient_the_key_or_the_address(connect: Connect, reply: Reply) -> None:
    with Service(reply) as service:
        client = connect(service.url, user_name=lambda: KEY)
        with pytest.raises(RemoteError) as raised:
            client.read("list_patients", "patients", [("q[]", f"last_name:={PATIENT}")])
        port = service.url.rpartition(":")[2].rstrip("/")
    said = everything_said_by(raised.value)
    assert not [secret for secret in (PATIENT, KEY, "U2VjcmV0S2V5", "127.0.0.1", port) if secret in said]
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_an_answer_shows_its_status_and_nothing_else() -> None:
    assert repr(Answer(200, {"x": PATIENT}, PATIENT.encode())) == "Answer(status=200)"
