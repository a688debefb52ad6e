"""Heidi through the client: every attested shape is read, and whatever else comes is named and never a surprise."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sync_worker.errors import (
    InvalidResponse,
    NotAuthorised,
    NotConnected,
    NotLinked,
    RateLimited,
    Rejected,
    SyncWorkerError,
    Unavailable,
)
from sync_worker.heidi import PAGE_SIZE, HeidiClient, SessionPage
from sync_worker.http import HttpClient
from sync_worker.model import Document, Hint, ListedSession, PatientProfile
from sync_worker.sandbox import wire
from sync_worker.sandbox.heidi import BASE_PATH, HeidiSandbox
from sync_worker.sandbox.heidi_state import Order
from sync_worker.sandbox.wire import LoopbackServer, Reply, Request, html_reply, json_reply
from tests.conftest import MORNING, TestClock
from tests.loopback import a_refused_url, everything_said_by

EMAIL = "a.physio+heidi@example.com"
LONG_ID = "12345678901234567890123456789012345678"
WORDS = "Zzyzx"
KEY = "Zzyzx-heidi-key"
TOKEN = "Zzyzx.token.signature"

Connect = Callable[..., HeidiClient]


@pytest.fixture(autouse=True)
def _servers_stop_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "POLL_SECONDS", 0.003)


@pytest.fixture
def connect(clock: TestClock) -> Iterator[Connect]:
    """Makes clients of one clinician; they are closed at the end."""
    made: list[HeidiClient] = []

    def make(url: str, *, key: str = KEY, email: str = EMAIL, user_id: str = "physio-1") -> HeidiClient:
        transport = HttpClient(
            service="heidi", base_url=url, headers={}, allowed_hosts=["127.0.0.1"], deadline_seconds=20, clock=clock
        )
        made.append(
            HeidiClient(http=transport, api_key=lambda: key, email=email, user_id=user_id, region="au", clock=clock)
        )
        return made[-1]

    yield make
    for client in made:
        client.close()


@dataclass
class World:
    """The stand-in with one linked clinician, and that clinician's client. `skew` is how far its clock is off."""

    heidi: HeidiSandbox
    clock: TestClock
    url: str = ""
    skew: timedelta = timedelta()
    _client: HeidiClient | None = None
    _connect: Connect | None = None

    def answer(self, request: Request) -> Reply:
        return self.heidi.handle(request).with_headers(Date=format_datetime(self.heidi.now(), usegmt=True))

    @property
    def client(self) -> HeidiClient:
        if self._client is None:
            assert self._connect is not None
            self._client = self._connect(self.url, key=self.heidi.api_key)
        return self._client

    def requests(self, ending: str) -> int:
        """How many requests arrived whose path ends so."""
        return sum(request.path.endswith(ending) for request in self.heidi.requests)

    def a_session(self, **more: Any) -> str:
        usual = {"clinician": "physio-1", "patient_name": "Mary Jones", "created_at": MORNING}
        return self.heidi.add_session(**usual | more)


@pytest.fixture
def world(clock: TestClock, connect: Connect) -> Iterator[World]:
    world = World(HeidiSandbox(), clock, _connect=connect)
    world.heidi.now = lambda: clock.now() + world.skew
    world.heidi.add_clinician(email=EMAIL, user_id="physio-1")
    with LoopbackServer(world.answer) as server:
        world.url = server.url + BASE_PATH
        yield world


class Script:
    """A Heidi that signs everybody in, and answers every other path with the replies it was handed."""

    def __init__(self, *replies: Reply, jwt: Reply | None = None, access: Reply | None = None) -> None:
        self.requests: list[Request] = []
        self._jwt = jwt or a_token()
        self._access = access or json_reply(200, {"is_valid": True, "is_linked": True})
        self._replies = list(replies)
        self._server = LoopbackServer(self._answer)

    def __enter__(self) -> str:
        self._server.start()
        return f"{self._server.url}/"

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def _answer(self, request: Request) -> Reply:
        self.requests.append(request)
        match request.path:
            case "/jwt":
                reply = self._jwt
            case "/users/linked-account/access":
                reply = self._access
            case _:
                reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return reply.with_headers(Date=format_datetime(MORNING, usegmt=True))


def a_token(token: Any = TOKEN, expires: Any = "2026-11-18T23:30:00.000Z") -> Reply:
    return json_reply(200, {"token": token, "expiration_time": expires})


def a_body(text: str | bytes, status: int = 200) -> Reply:
    """A body as it stands on the wire, called JSON."""
    return Reply(status, {"Content-Type": "application/json"}, text.encode() if isinstance(text, str) else text)


# ---------------------------------------------------------------- sign-in


def test_one_token_serves_until_shortly_before_it_expires(world: World, clock: TestClock) -> None:
    for _ in range(5):
        world.client.list_sessions(1)
    clock.advance(3600 - 31)
    world.client.list_sessions(1)
    assert world.requests("/jwt") == 1
    clock.advance(2)
    world.client.list_sessions(1)
    assert world.requests("/jwt") == 2


@pytest.mark.parametrize("skew_hours", [-3, 3])
def test_a_wrong_clock_here_neither_wastes_nor_overstays_a_token(
    world: World, clock: TestClock, skew_hours: int
) -> None:
    world.skew = timedelta(hours=skew_hours)
    for _ in range(3):
        world.client.list_sessions(1)
        clock.advance(1000)
    assert world.requests("/jwt") == 1
    clock.advance(1000)
    world.client.list_sessions(1)
    assert world.requests("/jwt") == 2
    assert world.client.server_date == clock.now() + world.skew


def test_a_token_that_lives_shortly_is_renewed_before_its_end(world: World, clock: TestClock) -> None:
    world.heidi.token_lifetime_seconds = 20
    world.client.list_sessions(1)
    clock.advance(17)
    world.client.list_sessions(1)
    clock.advance(2)
    world.client.list_sessions(1)
    assert world.requests("/jwt") == 2


def test_every_request_shows_token_and_key_and_the_sign_in_names_the_user(world: World) -> None:
    world.client.list_sessions(1)
    sign_in, listing = world.heidi.requests
    assert sign_in.query == [("email", EMAIL), ("third_party_internal_id", "physio-1")]
    assert sign_in.headers["heidi-api-key"] == listing.headers["heidi-api-key"] == world.heidi.api_key
    assert "authorization" not in sign_in.headers
    assert listing.headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize("route", ["sessions", "session", "documents", "access"])
def test_a_token_that_is_refused_early_is_renewed_once(world: World, route: str) -> None:
    session_id = world.a_session()
    world.client.sign_in()
    world.heidi.fail(route, "401")
    READS[route](world.client, session_id)
    assert world.requests("/jwt") == 2


@pytest.mark.parametrize("route", ["sessions", "session", "documents"])
def test_a_fresh_token_that_is_refused_too_is_the_keys_trouble(world: World, route: str) -> None:
    session_id = world.a_session()
    world.heidi.fail(route, "401", times=2)
    with pytest.raises(NotAuthorised) as raised:
        READS[route](world.client, session_id)
    assert not isinstance(raised.value, NotLinked)
    assert (raised.value.code, raised.value.status) == ("key_refused", 401)
    assert world.requests("/jwt") == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_said_to_be_one_and_not_tried_again(connect: Connect, status: int) -> None:
    script = Script(json_reply(200, []), jwt=json_reply(status, {"detail": "Invalid API key"}))
    with script as url, pytest.raises(NotAuthorised) as raised:
        connect(url).sign_in()
    assert not isinstance(raised.value, NotLinked)
    assert (raised.value.operation, raised.value.status) == ("jwt", status)
    assert "HEIDI_API_KEY" in raised.value.hint
    assert len(script.requests) == 1


def test_a_sign_in_that_is_refused_otherwise_is_a_refusal(world: World, connect: Connect) -> None:
    with pytest.raises(Rejected) as raised:
        connect(world.url, key=world.heidi.api_key, user_id="").sign_in()
    assert not isinstance(raised.value, NotAuthorised)
    assert raised.value.status == 422


def test_a_sign_in_that_gets_no_answer_is_tried_three_times_in_all(world: World) -> None:
    world.heidi.fail("jwt", "500", times=99)
    with pytest.raises(Unavailable):
        world.client.list_sessions(1)
    assert len(world.heidi.requests) == 3


@pytest.mark.parametrize(
    "jwt",
    [
        a_token(None),
        a_token(""),
        a_token(12345),
        a_token(f"{WORDS}é"),
        a_token(f"{WORDS}\nx"),
        a_token(f"{WORDS} x"),
        a_token(expires=None),
        a_token(expires="soon"),
        a_token(expires=1763508600),
        a_token(expires="9999-12-31T23:59:59-12:00"),
        json_reply(200, []),
        html_reply(200, "Please sign in"),
        a_body(f'{{"token": "{WORDS}'),
        a_body("[" * 200_000),
    ],
)
def test_a_sign_in_that_brings_no_usable_token_is_named_and_does_not_quote_it(connect: Connect, jwt: Reply) -> None:
    with Script(json_reply(200, []), jwt=jwt) as url, pytest.raises(InvalidResponse) as raised:
        connect(url).list_sessions(1)
    assert WORDS not in everything_said_by(raised.value)


# ---------------------------------------------------------------- the link


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("route", ["sessions", "session", "documents"])
def test_an_account_that_is_not_linked_is_said_to_be_so_whatever_the_status(
    world: World, route: str, status: int
) -> None:
    session_id = world.a_session()
    world.heidi.unlinked_status = status
    world.heidi.unlink(EMAIL)
    with pytest.raises(NotLinked) as raised:
        READS[route](world.client, session_id)
    assert "sync-worker link" in raised.value.hint
    assert not world.client.is_linked()


def test_another_spelling_of_the_e_mail_is_another_user_with_an_empty_world(world: World, connect: Connect) -> None:
    client = connect(world.url, key=world.heidi.api_key, email="A.Physio+Heidi@example.com")
    assert not client.is_linked()
    with pytest.raises(NotLinked):
        client.require_linked()
    assert not client.is_known_linked()


def test_a_link_that_was_seen_holds_for_the_token_in_use_only(world: World, clock: TestClock) -> None:
    assert not world.client.is_known_linked()
    world.client.require_linked()
    assert world.client.is_known_linked()
    clock.advance(3600)
    world.client.sign_in()
    assert not world.client.is_known_linked()


@pytest.mark.parametrize(
    ("status", "of_the_list", "of_a_session"),
    [(401, NotAuthorised, NotAuthorised), (403, NotAuthorised, Rejected), (400, Rejected, Rejected)],
)
def test_a_refusal_of_a_linked_account_is_not_called_a_missing_link(
    connect: Connect, status: int, of_the_list: type[Rejected], of_a_session: type[Rejected]
) -> None:
    for name, error in (("sessions", of_the_list), ("session", of_a_session), ("documents", of_a_session)):
        with Script(json_reply(status, {"detail": "no"})) as url, pytest.raises(error) as raised:
            READS[name](connect(url), "1")
        assert type(raised.value) is error
        assert raised.value.status == status


@pytest.mark.parametrize("id_", [None, "", "x" * 65, "a b", "a\x00b", "ö"])
def test_a_row_that_cannot_be_named_is_loud_and_not_lost(connect: Connect, id_: str | None) -> None:
    with Script(json_reply(200, {"data": [ROW, {"session_id": id_}]})) as url, pytest.raises(InvalidResponse):
        connect(url).list_sessions(1)
    with Script(json_reply(200, {"documents": [{"id": id_, "content": "x"}]})) as url, pytest.raises(InvalidResponse):
        connect(url).find_documents("1")


@pytest.mark.parametrize("access", [json_reply(500, {}), html_reply(200, "page"), json_reply(200, {"ok": True})])
def test_a_refusal_stands_where_the_link_cannot_be_asked_for(connect: Connect, access: Reply) -> None:
    with Script(json_reply(400, {"detail": "no"}), access=access) as url, pytest.raises(Rejected) as raised:
        connect(url).list_sessions(1)
    assert type(raised.value) is Rejected


@pytest.mark.parametrize(
    "access", [json_reply(200, {}), json_reply(200, []), json_reply(200, {"is_linked": "no"}), html_reply(200, "page")]
)
def test_an_answer_that_does_not_say_whether_the_account_is_linked_is_not_taken_for_no(
    connect: Connect, access: Reply
) -> None:
    with Script(json_reply(200, []), access=access) as url, pytest.raises(InvalidResponse):
        connect(url).is_linked()


def test_the_address_for_linking_holds_the_region_and_a_live_token(world: World) -> None:
    address = urlsplit(world.client.link_url())
    assert (address.scheme, address.netloc) == ("https", "scribe.heidihealth.com")
    query = parse_qs(address.query)
    assert (query["region"], query["reset"], query["productName"]) == (["AU"], ["true"], ["sync-worker"])
    world.client.list_sessions(1)
    assert world.heidi.requests[-1].headers["authorization"] == f"Bearer {query['t'][0]}"


# ---------------------------------------------------------------- the session list

ROW = {"session_id": LONG_ID, "created_at": "2026-11-18T22:30:00.000000", "updated_at": "2026-11-18T23:30:00.000000"}
LISTED = ListedSession(LONG_ID, MORNING, MORNING + timedelta(hours=1))


@pytest.mark.parametrize(
    ("body", "has_more"),
    [
        ({"data": [ROW], "has_next": True, "count": 1, "total_count": 2}, True),
        ({"data": [ROW], "has_next": False}, False),
        ({"data": [ROW], "has_next": None}, None),
        ({"data": [ROW]}, None),
        ({"sessions": [ROW], "has_next_page": True, "count": 1}, True),
        ({"sessions": [ROW], "has_next_page": False}, False),
        ({"sessions": [ROW]}, None),
        ({"data": None, "sessions": [ROW]}, None),
        ({"data": [ROW, None, "text", 7], "has_next": False}, False),
        ([ROW], None),
    ],
)
def test_the_list_is_read_in_every_envelope_that_was_seen(connect: Connect, body: Any, has_more: bool | None) -> None:
    with Script(json_reply(200, body)) as url:
        assert connect(url).list_sessions(1) == SessionPage((LISTED,), has_more)


@pytest.mark.parametrize("envelope", ["data", "sessions", "bare"])
@pytest.mark.parametrize("order", list(Order))
def test_every_session_is_walked_once_in_any_envelope_and_any_order(world: World, envelope: str, order: Order) -> None:
    world.heidi.envelope, world.heidi.order = envelope, order
    world.heidi.max_page_size = 3
    made = [world.a_session(created_at=MORNING - timedelta(hours=number // 2)) for number in range(8)]
    walked = [row.session_id for row in world.client.walk_sessions()]
    assert sorted(walked) == sorted(made)
    assert world.requests("/sessions/linked-user") == (3 if envelope != "bare" else 4)


def test_pages_that_shift_while_they_are_read_bring_no_session_twice(world: World) -> None:
    world.heidi.max_page_size, world.heidi.shifts_pages = 4, True
    made = [world.a_session(created_at=MORNING - timedelta(hours=number)) for number in range(9)]
    walked = [row.session_id for row in world.client.walk_sessions()]
    assert len(walked) == len(set(walked))
    assert set(walked) <= set(made)


@pytest.mark.parametrize("envelope", ["data", "bare"])
def test_a_list_that_never_turns_its_page_ends_the_walk(world: World, envelope: str) -> None:
    world.heidi.envelope, world.heidi.ignores_page = envelope, True
    world.heidi.max_page_size = 2
    for number in range(5):
        world.a_session(created_at=MORNING - timedelta(hours=number))
    assert len(list(world.client.walk_sessions())) == 2
    assert world.requests("/sessions/linked-user") == 2


def test_page_and_size_are_asked_for_and_a_filter_only_where_heidi_confirmed_one(world: World) -> None:
    world.client.list_sessions(3)
    world.client.list_sessions(1, since=("updated_after", MORNING + timedelta(microseconds=5)))
    assert world.heidi.requests[-2].query == [("page", "3"), ("page_size", str(PAGE_SIZE))]
    assert world.heidi.requests[-1].query[2:] == [("updated_after", "2026-11-18T22:30:00Z")]


@pytest.mark.parametrize("name", ["session_id", "id"])
def test_an_id_of_38_digits_stays_exact_even_when_sent_as_a_number(connect: Connect, name: str) -> None:
    with Script(a_body(f'{{"data": [{{"{name}": {LONG_ID}}}, {{"{name}": "{LONG_ID}1"}}]}}')) as url:
        rows = connect(url).list_sessions(1).rows
    assert [row.session_id for row in rows] == [LONG_ID, LONG_ID + "1"]


# ---------------------------------------------------------------- times

HOBART = "Australia/Hobart"


@pytest.fixture
def _in_hobart(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own time zone is the clinic's."""
    monkeypatch.setenv("TZ", HOBART)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_in_hobart")
@pytest.mark.parametrize(
    ("stamp", "read"),
    [
        ("2026-11-18T22:30:00.000000", MORNING),
        ("2026-11-18T22:30:00", MORNING),
        ("2026-11-18 22:30:00", MORNING),
        ("2026-11-18T22:30:00Z", MORNING),
        ("2026-11-19T09:30:00+11:00", MORNING),
        ("2026-11-18T22:30:00.123456", MORNING.replace(microsecond=123456)),
        ("9999-12-31T23:59:59-12:00", None),
        ("0001-01-01T00:00:00+12:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1763508600, None),
    ],
)
def test_a_stamp_without_a_zone_is_utc_even_on_a_machine_in_hobart(
    connect: Connect, stamp: Any, read: datetime | None
) -> None:
    with Script(json_reply(200, [{"session_id": "1", "created_at": stamp, "updated_at": stamp}])) as url:
        [row] = connect(url).list_sessions(1).rows
    assert (row.created_at, row.updated_at) == (read, read)
    assert read is None or row.created_at.tzinfo is UTC


# ---------------------------------------------------------------- one session


def a_session_body(**fields: Any) -> Reply:
    return in_ascii({"session": {"session_id": "1", "created_at": "2026-11-18T22:30:00.000000", **fields}})


def in_ascii(value: Any) -> Reply:
    """JSON with every other letter written as its number, so that it may hold half of one."""
    return Reply(200, {"Content-Type": "application/json"}, json.dumps(value).encode())


@pytest.mark.parametrize("enveloped", [True, False])
def test_a_session_is_read_with_and_without_its_envelope(world: World, enveloped: bool) -> None:
    world.heidi.session_envelope = enveloped
    session_id = world.a_session(
        birth_date="1980-02-03", ehr_patient_id="17", consent_obtained=False, email="mary@example.com"
    )
    session = world.client.find_session(session_id)
    assert session is not None
    assert session.session_id == session_id
    assert (session.created_at, session.updated_at) == (MORNING, MORNING + timedelta(minutes=15))
    assert session.hint == Hint("Mary Jones", date(1980, 2, 3), "17")
    assert session.consent is False
    assert session.patient_profile_id is not None
    profile = world.client.find_patient_profile(session.patient_profile_id)
    assert profile == PatientProfile(date(1980, 2, 3), "mary@example.com", "17", "Mary", "Jones")
    assert session.profile_link == "17"


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({}, Hint("")),
        ({"patient": None, "patient_profile": None}, Hint("")),
        ({"patient": {"name": "  ", "dob": ""}}, Hint("")),
        ({"patient": {"name": " Zoë O'Brien ", "dob": "1980-02-03T00:00:00"}}, Hint("Zoë O'Brien", date(1980, 2, 3))),
        ({"patient": {"name": 7, "dob": "03/02/1980"}}, Hint("")),
        ({"patient": "Mary"}, Hint("")),
        (
            {"patient_profile": {"id": "p", "ehr_patient_id": 1700000000000000001}},
            Hint("", None, "1700000000000000001"),
        ),
        ({"ehr_patient_id": "17", "patient_profile": {"ehr_patient_id": "18"}}, Hint("", None, "17")),
        ({"ehr_patient_id": True}, Hint("")),
        ({"patient": {"name": "Mary \ud800Jo\x00nes\udfff "}}, Hint("Mary Jones")),
        ({"patient": {"name": " \x00\ud800 "}}, Hint("")),
        ({"patient": {"name": "Mary 🦘 Jones"}}, Hint("Mary 🦘 Jones")),
        ({"patient": {"name": "Mary " + "y" * 70_000}}, Hint("Mary " + "y" * 995)),
        ({"ehr_patient_id": "1\ud8007\x00"}, Hint("", None, "17")),
        ({"ehr_patient_id": "9" * 64}, Hint("", None, "9" * 64)),
        ({"ehr_patient_id": "9" * 65}, Hint("")),
        ({"ehr_patient_id": "z" * 70_000, "patient_profile": {"ehr_patient_id": "18"}}, Hint("", None, "18")),
    ],
)
def test_what_heidi_does_not_know_of_a_patient_is_blank(connect: Connect, fields: dict[str, Any], hint: Hint) -> None:
    with Script(a_session_body(**fields)) as url:
        session = connect(url).find_session("1")
    assert session is not None
    assert session.hint == hint


@pytest.mark.parametrize(("sent", "read"), [(True, True), (False, False), (None, None), ("yes", None), (0, None)])
def test_consent_is_yes_no_or_unknown(connect: Connect, sent: Any, read: bool | None) -> None:
    with Script(a_session_body(consent_obtained=sent)) as url:
        session = connect(url).find_session("1")
    assert session is not None
    assert session.consent is read


def test_either_stamp_of_a_session_will_do_and_without_one_it_is_not_understood(connect: Connect) -> None:
    stamp = "2026-11-18T22:30:00"
    for fields in ({"created_at": stamp, "updated_at": None}, {"created_at": None, "updated_at": stamp}):
        with Script(a_session_body(**fields)) as url:
            session = connect(url).find_session("1")
        assert session is not None
        assert (session.created_at, session.updated_at) == (MORNING, MORNING)
    with Script(a_session_body(created_at=None)) as url, pytest.raises(InvalidResponse):
        connect(url).find_session("1")


def test_another_session_than_the_one_asked_for_is_not_taken_for_it(connect: Connect) -> None:
    with Script(a_session_body(session_id="2")) as url, pytest.raises(InvalidResponse):
        connect(url).find_session("1")
    with Script(a_session_body(session_id=int(LONG_ID))) as url:
        session = connect(url).find_session(LONG_ID)
    assert session is not None
    assert session.session_id == LONG_ID


def test_a_session_that_is_gone_is_none_and_so_are_its_documents(world: World) -> None:
    session_id = world.a_session()
    world.heidi.delete_session(session_id)
    assert world.client.find_session(session_id) is None
    assert world.client.find_documents(session_id) is None
    assert world.client.find_patient_profile("0" * 24) is None


def test_an_id_cannot_lead_to_another_path(connect: Connect) -> None:
    script = Script(json_reply(404, {}))
    with script as url:
        client = connect(url)
        assert client.find_session("../users?x=1#y") is None
        assert client.find_documents("1/2") is None
    assert [(request.path, request.query) for request in script.requests[1:]] == [
        ("/sessions/../users?x=1#y", []),
        ("/sessions/1/2/documents", []),
    ]


# ---------------------------------------------------------------- documents


@pytest.mark.parametrize("envelope", ["documents", "data", "bare"])
@pytest.mark.parametrize("typed", [True, False])
def test_documents_are_read_in_every_envelope_that_was_seen(world: World, envelope: str, typed: bool) -> None:
    world.heidi.documents_envelope, world.heidi.documents_carry_content_type = envelope, typed
    session_id = world.a_session()
    document_id = world.heidi.add_document(
        session_id, name="Letter", content="# Plan\n\nRest.", template_id="t1", content_type="MARKDOWN"
    )
    blank_id = world.heidi.add_document(session_id, name="", content=None)
    content_type = "MARKDOWN" if typed else None
    assert world.client.find_documents(session_id) == [
        Document(document_id, session_id, "Letter", "# Plan\n\nRest.", content_type, "t1"),
        Document(blank_id, session_id, "", ""),
    ]


def test_a_session_without_documents_has_an_empty_list(world: World) -> None:
    assert world.client.find_documents(world.a_session()) == []


def test_a_document_is_read_whatever_types_its_fields_have(connect: Connect) -> None:
    row = f'{{"id": {LONG_ID}, "name": 5, "content": ["x"], "content_type": "  ", "template_id": 7}}'
    with Script(a_body(f"[{row}, 3]")) as url:
        found = connect(url).find_documents("1")
    assert found == [Document(LONG_ID, "1", "", "", None, "7")]


@pytest.mark.parametrize(
    ("body", "profile"),
    [
        ({"data": {"birth_date": "1980-02-03", "email": " ", "ehr_patient_id": None}}, (date(1980, 2, 3), None, None)),
        ({"birth_date": "x", "email": "a+b@example.com", "ehr_patient_id": 17}, (None, "a+b@example.com", "17")),
        ({"data": {"id": "p", "first_name": None, "last_name": 7}}, (None, None, None)),
        (
            {"id": "p", "email": "ma\ud800ry@example.com", "ehr_patient_id": "\ud8001\x00"},
            (None, "mary@example.com", "1"),
        ),
        ({"id": "p", "email": "m" * 243 + "@example.com", "ehr_patient_id": "z" * 65}, (None, None, None)),
    ],
)
def test_a_patient_profile_is_read_as_far_as_it_goes(connect: Connect, body: Any, profile: tuple[Any, ...]) -> None:
    with Script(in_ascii(body)) as url:
        found = connect(url).find_patient_profile("p")
    assert found is not None
    assert (found.birth_date, found.email, found.linked_patient_id) == profile
    assert (found.first_name, found.last_name) == ("", "")


@pytest.mark.parametrize("body", [{"data": None}, {"error": "x"}, [], None, {"data": []}, {"data": {"id": "q"}}, {}])
def test_an_answer_that_is_no_patient_profile_is_not_taken_for_none(connect: Connect, body: Any) -> None:
    with Script(json_reply(200, body)) as url, pytest.raises(InvalidResponse):
        connect(url).find_patient_profile("p")


def test_a_profile_whose_id_no_address_can_hold_is_not_asked_for_and_not_taken_for_none(world: World) -> None:
    with pytest.raises(InvalidResponse):
        world.client.find_patient_profile("p" * 70_000)
    assert world.heidi.requests == []


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_patient_profile_that_is_refused_is_not_taken_for_none(connect: Connect, status: int) -> None:
    linked = json_reply(200, {"is_linked": True})
    with Script(json_reply(status, {}), linked) as url, pytest.raises(Rejected) as raised:
        connect(url).find_patient_profile("p")
    assert not isinstance(raised.value, NotAuthorised)


# ---------------------------------------------------------------- answers that are none

READS: dict[str, Callable[[HeidiClient, str], object]] = {
    "sessions": lambda client, session_id: client.list_sessions(1),
    "session": lambda client, session_id: client.find_session(session_id),
    "documents": lambda client, session_id: client.find_documents(session_id),
    "access": lambda client, session_id: client.is_linked(),
}
THREE_READS = ["sessions", "session", "documents"]


@pytest.mark.parametrize("route", [*READS, "jwt"])
@pytest.mark.parametrize("fault", ["html_200", "unexpected_shape", "cut", "500", "502_html", "drop"])
def test_a_broken_answer_is_named_whatever_is_broken(world: World, route: str, fault: str) -> None:
    session_id = world.a_session()
    world.heidi.fail(route, fault, times=99)
    expected = InvalidResponse if fault in ("html_200", "unexpected_shape") else Unavailable
    with pytest.raises(expected):
        READS.get(route, READS["sessions"])(world.client, session_id)
    tried = sum(request.path.endswith("/jwt") == (route == "jwt") for request in world.heidi.requests)
    assert tried == (1 if expected is InvalidResponse else 3)


@pytest.mark.parametrize("route", [*READS, "jwt"])
@pytest.mark.parametrize("fault", ["500", "502_html", "drop", "cut", "429_retry_after"])
def test_a_read_gets_over_two_failures(world: World, route: str, fault: str) -> None:
    session_id = world.a_session()
    world.heidi.fail(route, fault, times=2)
    READS.get(route, READS["sessions"])(world.client, session_id)


@pytest.mark.parametrize("route", THREE_READS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'"ok"',
        b"17",
        b"{}",
        b'{"data": {"a": 1}}',
        b'{"session": null, "documents": "none", "sessions": 5}',
        b'{"data": [{"session_id": "1"',
        b'{"data":' + b"[" * 200_000,
        b'{"session":' * 100_000,
        b'{"data": [{"id": ' + b"9" * 5_000 + b"}]}",
        b"\xff\xfe\x00",
        b"<html><body>Please sign in</body></html>",
    ],
    ids=range(13),
)
def test_a_body_that_makes_no_sense_is_named_and_never_taken_for_an_empty_list(
    connect: Connect, route: str, body: bytes
) -> None:
    with Script(a_body(body)) as url, pytest.raises(InvalidResponse):
        READS[route](connect(url), "1")


@pytest.mark.parametrize("route", THREE_READS)
@pytest.mark.parametrize(
    "detail", [{"detail": "text"}, {"detail": {"msg": "m", "type": "t"}}, {"detail": [{"loc": ["query"]}]}, None, "cut"]
)
def test_a_refusal_is_one_whatever_its_body(connect: Connect, route: str, detail: Any) -> None:
    reply = a_body(b'{"detail": ', 422) if detail == "cut" else json_reply(422, detail)
    with Script(reply) as url, pytest.raises(Rejected) as raised:
        READS[route](connect(url), "1")
    assert (raised.value.code, raised.value.status) == ("rejected", 422)


def test_a_429_is_obeyed_and_then_read_on(world: World, clock: TestClock) -> None:
    world.heidi.retry_after_seconds = 7
    world.heidi.fail("sessions", "429_retry_after")
    world.client.list_sessions(1)
    assert clock.now() == MORNING + timedelta(seconds=7)


def test_a_429_that_does_not_end_says_when_to_come_back(world: World) -> None:
    world.heidi.retry_after_seconds = 33
    world.heidi.fail("sessions", "429_retry_after", times=9)
    with pytest.raises(RateLimited) as raised:
        world.client.list_sessions(1)
    assert raised.value.retry_after == 33


def test_a_heidi_that_is_not_there_is_named_so(connect: Connect) -> None:
    with pytest.raises(NotConnected):
        connect(a_refused_url()).sign_in()


# ---------------------------------------------------------------- nothing leaks


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 422, 429, 500])
@pytest.mark.parametrize("route", THREE_READS)
def test_no_failure_names_a_person_the_key_the_token_or_the_address(connect: Connect, route: str, status: int) -> None:
    body = json.dumps({"detail": {"msg": WORDS, "type": WORDS}, "token": TOKEN}).encode()
    reply = Reply(status, {"Content-Type": "application/json", "Location": f"https://{WORDS}.example/"}, body)
    for jwt in (None, reply):
        with Script(reply, jwt=jwt) as url, pytest.raises(SyncWorkerError) as raised:
            READS[route](connect(url), WORDS)
        said = everything_said_by(raised.value) + getattr(raised.value, "hint", "")
        assert not [secret for secret in (WORDS, EMAIL, "physio-1", "127.0.0.1") if secret in said]


def test_the_client_itself_shows_neither_key_nor_token(world: World) -> None:
    world.client.sign_in()
    shown = repr(world.client) + repr(vars(world.client)["_token"])
    assert not [secret for secret in (world.heidi.api_key, EMAIL, "eyJ") if secret in shown]
