"""Cliniko through the client: reads that are never fooled, and one request that is sent once and ends as a value."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from sync_worker import cliniko as cliniko_module
from sync_worker import http
from sync_worker.cliniko import ClinikoClient
from sync_worker.errors import InvalidResponse, NotAuthorised, Rejected, RemoteError, SyncWorkerError, Unavailable
from sync_worker.http import HttpClient
from sync_worker.model import (
    Accepted,
    Booking,
    InDoubt,
    KeyTrouble,
    Note,
    NoteContent,
    NotSent,
    Patient,
    PostOutcome,
    Question,
    Refused,
    Section,
    StoredNote,
)
from sync_worker.rate import RateBudget
from sync_worker.sandbox import wire
from sync_worker.sandbox.cliniko import BASE_PATH, ClinikoSandbox
from sync_worker.sandbox.wire import LoopbackServer, Reply, html_reply, json_reply
from tests import loopback
from tests.conftest import MORNING, TestClock
from tests.loopback import CostlyClock, RoughServer, Service, StopNow, StopSoon, a_refused_url, everything_said_by

BIRTHDAY = date(1980, 2, 3)
WORDS = "Zzyzx-words"
KEY = "Zzyzx-key-au3"
CONTENT = NoteContent((Section((Question("Plan", answer=f"<p>{WORDS}</p>"), Question("Source", "text", WORDS))),))
NOTE = Note(patient_id="1700000000000000001", title=f"Letter {WORDS}", content=CONTENT)
LONG_NOTE = replace(NOTE, content=NoteContent((Section((Question("Plan", answer="x" * 12_000_000),)),)))

Connect = Callable[..., ClinikoClient]


@pytest.fixture(autouse=True)
def _servers_stop_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "POLL_SECONDS", 0.003)


@pytest.fixture
def connect(clock: TestClock) -> Iterator[Connect]:
    """Makes clients with a key of our choice; they are closed at the end."""
    made: list[ClinikoClient] = []

    def make(url: str, key: str = KEY, **how: Any) -> ClinikoClient:
        usual = {"service": "cliniko", "headers": {}, "allowed_hosts": ["127.0.0.1"], "deadline_seconds": 20}
        how = {**usual, "base_url": url, "user_name": lambda: key, "clock": clock} | how
        made.append(ClinikoClient(HttpClient(**{"budget": RateBudget(1000, how["clock"])} | how)))
        return made[-1]

    yield make
    for client in made:
        client.close()


@dataclass
class Practice:
    """The stand-in with one practitioner, and that practitioner's client."""

    cliniko: ClinikoSandbox
    url: str
    user_id: str
    client: ClinikoClient

    def requests(self, method: str = "GET") -> int:
        return sum(request.method == method for request in self.cliniko.requests)

    def queries(self) -> list[list[str]]:
        """The filters of every read so far."""
        return [[value for name, value in one.query if name == "q[]"] for one in self.cliniko.requests]


@pytest.fixture
def practice(clock: TestClock, connect: Connect) -> Iterator[Practice]:
    cliniko = ClinikoSandbox(now=clock.now)
    user_id = cliniko.add_user(first_name="Ada", last_name="Physio")
    with LoopbackServer(cliniko.handle) as server:
        url = server.url + BASE_PATH
        yield Practice(cliniko, url, user_id, connect(url, cliniko.key_of(user_id)))


def nobody_minds() -> None:
    """The guard of a request that may always leave."""


def a_list(name: str, *rows: Any, following: Any = None) -> Reply:
    """One page of a list as Cliniko sends it."""
    links = {"self": "http://127.0.0.1/"} | ({} if following is None else {"next": following})
    return json_reply(200, {name: list(rows), "total_entries": len(rows), "links": links})


# ---------------------------------------------------------------- who the key is


def test_a_key_is_known_by_its_user_practitioner_account_and_time_zone(practice: Practice) -> None:
    practice.cliniko.add_user(first_name="Bea", last_name="Physio")
    found = practice.client.identify()
    assert found.user_id == practice.user_id
    assert found.practitioner_id == practice.cliniko.practitioner_of(practice.user_id)
    assert (found.account, found.time_zone) == ("sandbox-physio", "Australia/Hobart")


def test_a_key_whose_user_is_no_practitioner_can_file_nothing_even_an_administrators(
    practice: Practice, connect: Connect
) -> None:
    admin = practice.cliniko.add_user(first_name="Al", last_name="Min", role="administrator", practitioner=False)
    with pytest.raises(NotAuthorised) as raised:
        connect(practice.url, practice.cliniko.key_of(admin)).identify()
    assert raised.value.code == "not_a_practitioner"
    assert "key" in raised.value.hint


def test_a_retired_practitioner_can_file_nothing(practice: Practice) -> None:
    practice.cliniko.set_practitioner_active(practice.user_id, False)
    with pytest.raises(NotAuthorised) as raised:
        practice.client.identify()
    assert raised.value.code == "not_a_practitioner"


def test_a_revoked_key_is_refused_at_once_and_not_tried_again(practice: Practice) -> None:
    practice.cliniko.revoke(practice.cliniko.key_of(practice.user_id))
    with pytest.raises(NotAuthorised) as raised:
        practice.client.identify()
    assert (raised.value.code, raised.value.status) == ("key_refused", 401)
    assert practice.requests() == 1


def test_a_server_that_ignores_the_filter_does_not_choose_the_author(connect: Connect) -> None:
    def row(number: str, user: str) -> dict[str, Any]:
        return {"id": number, "user": {"links": {"self": f"http://127.0.0.1/v1/users/{user}"}}}

    user, public = json_reply(200, {"id": "7"}), json_reply(200, {})
    with Service(user, a_list("practitioners", row("1", "6"), row("2", "7"), row("3", "8")), public) as service:
        assert connect(service.url).identify().practitioner_id == "2"
    with Service(user, a_list("practitioners", row("1", "6")), public) as service, pytest.raises(NotAuthorised):
        connect(service.url).identify()


@pytest.mark.parametrize("offered", [True, False])
def test_a_role_that_may_not_read_the_account_can_still_work(practice: Practice, offered: bool) -> None:
    practice.cliniko.offers_public_settings = offered
    if offered:
        practice.cliniko.fail("settings", "403")
    assert practice.client.identify().account == ""


@pytest.mark.parametrize(
    ("zone", "read"),
    [
        ("Australia/Hobart", "Australia/Hobart"),
        ("Hobart", "Australia/Hobart"),
        (" Pacific/Auckland ", "Pacific/Auckland"),
        ("Atlantis", None),
        ("../../etc/passwd", None),
        ("", None),
        (None, None),
        (10, None),
    ],
)
def test_a_time_zone_is_an_iana_name_or_unknown(connect: Connect, zone: Any, read: str | None) -> None:
    replies = [
        json_reply(200, {"id": "7", "time_zone": None}),
        a_list("practitioners", {"id": "1"}),
        json_reply(200, {"account": {"subdomain": "clinic", "time_zone": zone}}),
    ]
    with Service(*replies) as service:
        assert connect(service.url).identify().time_zone == read


# ---------------------------------------------------------------- patients


def test_everybody_of_a_birth_date_is_found_the_archived_and_the_merged_too(practice: Practice) -> None:
    cliniko = practice.cliniko
    live = cliniko.add_patient(first_name="Mary", last_name="Jones", date_of_birth="1980-02-03")
    old = cliniko.add_patient(first_name="Mary", last_name="Jonas", date_of_birth="1980-02-03", archived=True)
    lost = cliniko.add_patient(first_name="Marie", last_name="Jones", date_of_birth="1980-02-03")
    cliniko.merge_patients(lost, live)
    cliniko.add_patient(first_name="Mary", last_name="Jones", date_of_birth="1980-03-02")
    found = {patient.patient_id: patient for patient in practice.client.find_patients_born(BIRTHDAY)}
    assert {key: (one.archived, one.merged_into) for key, one in found.items()} == {
        live: (False, None),
        old: (True, None),
        lost: (True, live),
    }


def test_every_page_of_a_list_is_read(practice: Practice) -> None:
    added = [
        practice.cliniko.add_patient(first_name="A", last_name=f"B{number}", date_of_birth="1980-02-03")
        for number in range(205)
    ]
    found = [patient.patient_id for patient in practice.client.find_patients_born(BIRTHDAY)]
    assert sorted(found) == sorted(added)
    assert practice.requests() == 3
    assert practice.queries() == [["date_of_birth:=1980-02-03", "archived_at:*"]] * 3


def test_a_chart_is_read_with_blank_and_missing_being_the_same(connect: Connect) -> None:
    full = {
        "id": 1700000000000000001,
        "first_name": " Zoë ",
        "last_name": "O'Brien",
        "preferred_first_name": "Zo",
        "date_of_birth": "1980-02-03",
        "email": "zoe+physio@example.com",
        "accepted_privacy_policy": False,
        "archived_at": None,
        "merged_with_patient": {"links": {"self": "https://elsewhere.example/v1/patients/1700000000000000002"}},
    }
    empty = {"id": "2", "first_name": None, "last_name": "", "date_of_birth": None, "email": "", "archived_at": "now"}
    odd = {"id": "3", "first_name": 7, "date_of_birth": "someday", "accepted_privacy_policy": "yes"}
    with Service(a_list("patients", full, empty, odd)) as service:
        found = connect(service.url).find_patients_born(BIRTHDAY)
    assert found == [
        Patient(
            patient_id="1700000000000000001",
            first_name="Zoë",
            last_name="O'Brien",
            preferred_first_name="Zo",
            birth_date=BIRTHDAY,
            email="zoe+physio@example.com",
            merged_into="1700000000000000002",
            accepted_privacy_policy=False,
        ),
        Patient(patient_id="2", first_name="", last_name="", archived=True),
        Patient(patient_id="3", first_name="", last_name=""),
    ]


def test_one_chart_is_found_by_its_id_also_when_archived(practice: Practice) -> None:
    archived = practice.cliniko.add_patient(first_name="Mary", last_name="Jones", archived=True)
    practice.cliniko.archived_patient_by_id = 404
    found = practice.client.find_patient(archived)
    assert found is not None
    assert (found.patient_id, found.archived) == (archived, True)
    assert practice.client.find_patient("1") is None


def test_a_server_that_ignores_the_id_does_not_choose_the_patient(connect: Connect) -> None:
    with Service(a_list("patients", {"id": "1"}, {"id": "2"})) as service:
        client = connect(service.url)
        assert client.find_patient("3") is None
        found = client.find_patient("2")
    assert found is not None
    assert found.patient_id == "2"


# ---------------------------------------------------------------- the diary

HALF_AN_HOUR, A_DAY = timedelta(minutes=30), timedelta(days=1)


def a_booking(practice: Practice, *patient_ids: str, at: datetime = MORNING, user: str = "", **more: Any) -> str:
    practitioner_id = practice.cliniko.practitioner_of(user or practice.user_id)
    more = {"starts_at": at, "ends_at": at + HALF_AN_HOUR} | more
    return practice.cliniko.add_booking(practitioner_id=practitioner_id, patient_ids=patient_ids, **more)


def the_diary(practice: Practice, since: datetime = MORNING, until: datetime = MORNING + A_DAY) -> list[Booking]:
    mine = practice.cliniko.practitioner_of(practice.user_id)
    return practice.client.find_bookings(mine, since=since, until=until)


def test_the_diary_tells_who_is_booked_when(practice: Practice) -> None:
    mary, ann = (practice.cliniko.add_patient(first_name=name, last_name="Jones") for name in ("Mary", "Ann"))
    alone = a_booking(practice, mary)
    group = a_booking(practice, mary, ann, at=MORNING + HALF_AN_HOUR)
    assert the_diary(practice) == [
        Booking(alone, MORNING, MORNING + HALF_AN_HOUR, (mary,)),
        Booking(group, MORNING + HALF_AN_HOUR, MORNING + 2 * HALF_AN_HOUR, (mary, ann)),
    ]


def test_what_takes_no_place_and_what_is_another_practitioners_is_not_in_the_diary(practice: Practice) -> None:
    mary = practice.cliniko.add_patient(first_name="Mary", last_name="Jones")
    other = practice.cliniko.add_user(first_name="Bea", last_name="Physio")
    kept, archived = a_booking(practice, mary), a_booking(practice, mary)
    practice.cliniko.bookings[archived].archived_at = MORNING
    a_booking(practice, mary, cancelled=True)
    a_booking(practice, mary, user=other)
    a_booking(practice)  # a block
    assert [booking.booking_id for booking in the_diary(practice)] == [kept]


def test_every_page_of_a_diary_is_read_from_its_beginning_until_before_its_end(practice: Practice) -> None:
    mary = practice.cliniko.add_patient(first_name="Mary", last_name="Jones")
    for at in (MORNING - timedelta(seconds=1), MORNING + A_DAY):
        a_booking(practice, mary, at=at)
    added = [a_booking(practice, mary, at=MORNING + timedelta(minutes=number)) for number in range(205)]
    assert [booking.booking_id for booking in the_diary(practice)] == added
    mine = practice.cliniko.practitioner_of(practice.user_id)
    window = ["starts_at:>=2026-11-18T22:30:00Z", "starts_at:<2026-11-19T22:30:00Z"]
    assert practice.queries() == [[f"practitioner_id:={mine}", *window]] * 3


def test_the_hours_of_a_diary_are_asked_for_in_utc(practice: Practice) -> None:
    hobart = timezone(timedelta(hours=11))
    the_diary(practice, datetime(2026, 11, 19, tzinfo=hobart), datetime(2026, 11, 20, tzinfo=hobart))
    assert practice.queries()[-1][1:] == ["starts_at:>=2026-11-18T13:00:00Z", "starts_at:<2026-11-19T13:00:00Z"]


def test_a_user_who_may_not_read_bookings_is_told_from_a_refused_key(practice: Practice) -> None:
    practice.cliniko.users[practice.user_id].can_read_bookings = False
    with pytest.raises(NotAuthorised) as raised:
        the_diary(practice)
    assert (raised.value.status, raised.value.code, raised.value.operation) == (403, "not_permitted", "list_bookings")
    practice.cliniko.revoke(practice.cliniko.key_of(practice.user_id))
    with pytest.raises(NotAuthorised) as raised:
        the_diary(practice)
    assert (raised.value.status, raised.value.code) == (401, "key_refused")


def a_link(plural: str, number: str) -> dict[str, Any]:
    return {"links": {"self": f"http://127.0.0.1/v1/{plural}/{number}"}}


A_BOOKING = {"id": "1", "starts_at": "2026-11-19T09:30:00+11:00", "ends_at": "2026-11-18T23:00:00Z"}
GROUP = {"appointment_type": a_link("appointment_types", "2"), "attendees": a_link("group_appointments", "1/attendees")}


@pytest.mark.parametrize(
    ("row", "patient_ids"),
    [
        ({"patient": a_link("patients", "17"), **GROUP}, ("17",)),
        ({"patient": a_link("patients", "17"), "patient_ids": ["17"]}, ("17",)),
        ({"patient_ids": ["17", 18, "17"]}, ("17", "18")),
        ({"patient": a_link("patients", "17"), "patient_ids": ["18"]}, ("17", "18")),
        # who is in it is not told, or only half
        (GROUP, ()),
        ({"patient_ids": None, **GROUP}, ()),
        ({"patient_ids": ["17", None]}, ()),
        ({"patient": a_link("patients", "17"), "patient_ids": ["17", {"id": "18"}]}, ()),
        ({"patient": {}, "patient_name": "Mary Jones"}, ()),
        # nobody is in it
        ({}, None),
        ({"notes": "Lunch", "patient": None}, None),
        ({"patient_ids": [], **GROUP}, None),
        # it does not take place
        *(
            ({"patient": a_link("patients", "17"), name: "2026-11-18T00:00:00Z"}, None)
            for name in ("cancelled_at", "archived_at", "deleted_at")
        ),
        # whose or when it is nobody can tell
        ({"patient": a_link("patients", "17"), "id": None}, None),
        ({"patient": a_link("patients", "17"), "starts_at": "soon"}, None),
    ],
)
def test_a_booking_is_of_one_of_several_or_of_people_who_are_not_told(
    connect: Connect, row: dict[str, Any], patient_ids: tuple[str, ...] | None
) -> None:
    with Service(a_list("bookings", A_BOOKING | row)) as service:
        found = connect(service.url).find_bookings("12", since=MORNING, until=MORNING + A_DAY)
    expected = [Booking("1", MORNING, MORNING + HALF_AN_HOUR, patient_ids)] if patient_ids is not None else []
    assert found == expected


@pytest.mark.parametrize("ends_at", [None, "", "later", "2026-11-18T22:00:00Z"])
def test_a_booking_without_an_end_ends_when_it_begins(connect: Connect, ends_at: Any) -> None:
    row = A_BOOKING | {"patient": a_link("patients", "17"), "ends_at": ends_at}
    with Service(a_list("bookings", row)) as service:
        found = connect(service.url).find_bookings("12", since=MORNING, until=MORNING + A_DAY)
    assert found == [Booking("1", MORNING, MORNING, ("17",))]


def test_a_server_that_ignores_the_filter_does_not_mix_the_diaries(connect: Connect) -> None:
    patient = a_link("patients", "17")
    mine = A_BOOKING | {"practitioner": a_link("practitioners", "12"), "patient": patient}
    with Service(
        a_list("bookings", mine, mine | {"id": "2", "practitioner": a_link("practitioners", "13")})
    ) as service:
        found = connect(service.url).find_bookings("12", since=MORNING, until=MORNING + A_DAY)
    assert [booking.booking_id for booking in found] == ["1"]


def test_a_booking_that_two_pages_show_counts_once(connect: Connect) -> None:
    row = A_BOOKING | {"patient": a_link("patients", "17")}
    with Service() as service:
        following = f"{service.url}bookings?page=2"
        service.replies[:] = [a_list("bookings", row, following=following), a_list("bookings", row)]
        found = connect(service.url).find_bookings("12", since=MORNING, until=MORNING + A_DAY)
    assert [booking.booking_id for booking in found] == ["1"]


# ---------------------------------------------------------------- notes and templates


def a_posted_note(practice: Practice, **fields: Any) -> str:
    patient_id = practice.cliniko.add_patient(first_name="Mary", last_name="Jones")
    outcome = practice.client.create_treatment_note(replace(NOTE, patient_id=patient_id, **fields), nobody_minds)
    assert isinstance(outcome, Accepted)
    return outcome.note.note_id


def test_an_authors_notes_are_listed_the_archived_ones_too_and_nobody_elses(
    practice: Practice, connect: Connect, clock: TestClock
) -> None:
    early = a_posted_note(practice)
    clock.advance(3600)
    since = clock.now()
    kept, archived = a_posted_note(practice), a_posted_note(practice)
    practice.cliniko.archive_note(archived)
    other = practice.cliniko.add_user(first_name="Bea", last_name="Physio")
    practice.client.close()
    theirs = Practice(practice.cliniko, practice.url, other, connect(practice.url, practice.cliniko.key_of(other)))
    a_posted_note(theirs)
    mine = practice.cliniko.practitioner_of(practice.user_id)
    found = connect(practice.url, practice.cliniko.key_of(practice.user_id)).notes_of(mine, since)
    assert {(note.note_id, note.archived) for note in found} == {(kept, False), (archived, True)}
    assert early not in {note.note_id for note in found}


def test_the_time_in_a_filter_is_whole_seconds_of_utc(practice: Practice) -> None:
    since = datetime(2026, 11, 19, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=11)))
    assert practice.client.notes_of("12", since) == []
    assert practice.queries()[-1] == ["practitioner_id:=12", "created_at:>=2026-11-18T22:30:00Z", "archived_at:*"]


def test_a_note_is_found_by_its_id_also_when_archived(practice: Practice) -> None:
    note_id = a_posted_note(practice)
    practice.cliniko.archive_note(note_id)
    found = practice.client.find_note(note_id)
    assert found is not None
    assert (found.note_id, found.archived, found.draft) == (note_id, True, True)
    assert practice.client.find_note("1") is None


def test_a_note_is_read_as_it_is_stored(connect: Connect) -> None:
    link = {"links": {"self": "http://127.0.0.1/v1/patients/17"}}
    whole = {"id": "1", "title": " Letter ", "content": {"sections": []}, "patient": link, "draft": True}
    bare = {"id": 2, "title": None, "content": "text", "patient": None, "draft": False, "deleted_at": "now"}
    with Service(a_list("treatment_notes", whole, bare)) as service:
        found = connect(service.url).notes_of("12", MORNING)
    assert found == [
        StoredNote("1", "Letter", {"sections": []}, "17", draft=True),
        StoredNote("2", "", None, None, draft=False, archived=True),
    ]


def test_templates_are_listed_by_id(practice: Practice) -> None:
    template_id = practice.cliniko.add_template(name="Initial", content=CONTENT.as_json())
    assert practice.client.list_templates() == {template_id: "Initial"}


@pytest.mark.parametrize(
    ("link", "patient_id"),
    [
        ("https://api.au3.cliniko.com/v1/patients/1700000000000000001", "1700000000000000001"),
        ("https://api.au3.cliniko.com/v1/patients/17/", "17"),
        ("https://api.au3.cliniko.com/v1/patients/17?include=all#top", "17"),
        ("/v1/patients/17", "17"),
        ("https://api.au3.cliniko.com", None),
        ("http://[", None),
        ("", None),
        (None, None),
        (17, None),
    ],
)
def test_an_id_is_cut_from_the_end_of_a_link_and_the_link_is_never_called(
    connect: Connect, link: Any, patient_id: str | None
) -> None:
    with Service(a_list("treatment_notes", {"id": "1", "patient": {"links": {"self": link}}})) as service:
        [note] = connect(service.url).notes_of("12", MORNING)
        assert len(service.requests) == 1
    assert note.patient_id == patient_id


# ---------------------------------------------------------------- lists that go on


@pytest.mark.parametrize(
    "following",
    [
        "https://elsewhere.example/v1/patients?page=2",
        "http://127.0.0.1:1/v1/patients?page=2",
        "{https}/v1/patients?page=2",
        "http://key@{host}/v1/patients?page=2",
        "//{host}/v1/patients?page=2",
        "/v1/patients?page=2",
        "http://[",
        "http://{host}/\x00",
        17,
        ["http://{host}/"],
    ],
)
def test_a_list_that_goes_on_elsewhere_is_not_followed(connect: Connect, following: Any) -> None:
    with Service() as service:
        host = service.url.removeprefix("http://").rstrip("/")
        if isinstance(following, str):
            following = following.replace("{https}", f"https://{host}").replace("{host}", host)
        service.replies[:] = [a_list("patients", {"id": "1"}, following=following), a_list("patients", {"id": "2"})]
        with pytest.raises(InvalidResponse):
            connect(service.url).find_patients_born(BIRTHDAY)
        assert len(service.requests) == 1


def test_the_key_does_not_follow_a_list_to_another_host(practice: Practice) -> None:
    practice.cliniko.add_patient(first_name="Mary", last_name="Jones", date_of_birth="1980-02-03")
    practice.cliniko.fail("patients", "foreign_next")
    with pytest.raises(InvalidResponse) as raised:
        practice.client.find_patients_born(BIRTHDAY)
    assert "elsewhere" not in everything_said_by(raised.value)


LISTS: dict[str, Callable[[ClinikoClient], object]] = {
    "patients": lambda client: client.find_patients_born(BIRTHDAY),
    "treatment_notes": lambda client: client.notes_of("12", MORNING),
}
EVERYBODY = pytest.mark.parametrize(("name", "read"), LISTS.items(), ids=LISTS.keys())


def a_page(name: str, *numbers: int, **more: Any) -> Reply:
    """A page of a list with whatever Cliniko may tell of the whole."""
    return json_reply(200, {name: [{"id": str(number)} for number in numbers], "links": {"self": "x"}} | more)


@EVERYBODY
@pytest.mark.parametrize(
    "told",
    [
        {"total_entries": 2},
        {"total_entries": "2"},
        {"total_entries": "two"},
        {"total_entries": "9" * 5_000},
        {"total_entries": -1},
        {"total_entries": True},
        {"total_entries": [1]},
        {"links": None},
        {"links": []},
        {"links": {"next": ""}},
        {"links": {"next": False}},
    ],
)
def test_a_list_that_may_be_cut_is_not_taken_for_whole(
    connect: Connect, name: str, read: Callable[[ClinikoClient], object], told: dict[str, Any]
) -> None:
    with Service(a_page(name, 1, **({"total_entries": 1} | told))) as service, pytest.raises(InvalidResponse):
        read(connect(service.url))


@EVERYBODY
@pytest.mark.parametrize("row", [{"title": "no id", "first_name": "No"}, {"id": True}, {"id": None}, {}, "text", None])
def test_a_row_that_cannot_be_read_is_somebody_who_would_be_missing(
    connect: Connect, name: str, read: Callable[[ClinikoClient], object], row: Any
) -> None:
    with Service(a_list(name, {"id": "1"}, row)) as service, pytest.raises(InvalidResponse):
        read(connect(service.url))


@EVERYBODY
@pytest.mark.parametrize("total", [{}, {"total_entries": None}, {"total_entries": 1}, {"total_entries": "2"}])
def test_a_list_is_whole_where_all_came_or_where_nobody_counted(
    connect: Connect, name: str, read: Callable[[ClinikoClient], object], total: dict[str, Any]
) -> None:
    with Service(a_page(name, 1, 2, **total)) as service:
        found = read(connect(service.url))
    assert isinstance(found, list)
    assert len(found) == 2


@EVERYBODY
@pytest.mark.parametrize(
    ("first", "second", "is_whole"),
    [
        (3, 3, True),
        (3, 4, False),  # somebody was added on the page that was read already
        (4, 3, False),  # somebody went, and the page after it may have moved up
    ],
)
def test_of_a_list_that_changes_while_it_is_read_nobody_is_missed(
    connect: Connect, name: str, read: Callable[[ClinikoClient], object], first: int, second: int, is_whole: bool
) -> None:
    with Service() as service:
        links = {"links": {"next": f"{service.url}{name}?page=2"}}
        service.replies[:] = [a_page(name, 1, 2, total_entries=first, **links), a_page(name, 3, total_entries=second)]
        if is_whole:
            assert len(read(connect(service.url))) == 3  # type: ignore[arg-type]
        else:
            with pytest.raises(InvalidResponse):
                read(connect(service.url))


def test_a_row_that_two_pages_show_does_not_stand_in_for_one_that_none_shows(connect: Connect) -> None:
    with Service() as service:
        links = {"links": {"next": f"{service.url}patients?page=2"}}
        service.replies[:] = [a_page("patients", 1, 2, total_entries=4, **links), a_page("patients", 2, 3)]
        with pytest.raises(InvalidResponse):
            connect(service.url).find_patients_born(BIRTHDAY)


def test_a_list_without_an_end_is_given_up(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cliniko_module, "MOST_PAGES", 5)
    with Service() as service:
        service.replies[:] = [a_list("patients", {"id": "1"}, following=f"{service.url}patients?page=1")]
        with pytest.raises(InvalidResponse):
            connect(service.url).find_patients_born(BIRTHDAY)
        assert len(service.requests) == 5


# ---------------------------------------------------------------- answers that are none

READS: dict[str, Callable[[ClinikoClient], object]] = {
    "identify": lambda client: client.identify(),
    "patients": lambda client: client.find_patients_born(BIRTHDAY),
    "patient": lambda client: client.find_patient("17"),
    "bookings": lambda client: client.find_bookings("12", since=MORNING, until=MORNING + timedelta(days=1)),
    "notes": lambda client: client.notes_of("12", MORNING),
    "note": lambda client: client.find_note("1"),
    "templates": lambda client: client.list_templates(),
}
JSON = {"Content-Type": "application/json"}
NONSENSE = {
    "a page": html_reply(200, "Please sign in"),
    "another shape": json_reply(200, {"result": {"status": "ok"}}),
    "a bare list": json_reply(200, []),
    "a text": json_reply(200, "ok"),
    "null": json_reply(200, None),
    "rows that are none": json_reply(200, {"patients": "none", "treatment_notes": None, "practitioners": {}}),
    "cut": Reply(200, JSON, b'{"patients": [{"id": "1"'),
    "nothing": Reply(204),
    "too deep": Reply(200, JSON, b'{"patients":' + b"[" * 200_000),
    "too long a number": Reply(200, JSON, b'{"id": ' + b"9" * 5_000 + b"}"),
    "no text": Reply(200, JSON, b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("reply", NONSENSE.values(), ids=NONSENSE.keys())
@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_an_answer_that_makes_no_sense_is_named_and_never_taken_for_an_empty_one(
    connect: Connect, read: Callable[[ClinikoClient], object], reply: Reply
) -> None:
    with Service(reply) as service, pytest.raises(InvalidResponse):
        read(connect(service.url))


@pytest.mark.parametrize("route", ["user", "practitioners", "patients", "bookings", "notes", "templates"])
@pytest.mark.parametrize("fault", ["500", "502_html", "drop", "cut"])
def test_a_read_is_tried_again_and_then_named_unavailable(practice: Practice, route: str, fault: str) -> None:
    read = {"user": "identify", "practitioners": "identify"}.get(route, route)
    practice.cliniko.fail(route, fault, times=2)
    READS[read](practice.client)
    practice.cliniko.fail(route, fault, times=3)
    with pytest.raises(Unavailable):
        READS[read](practice.client)


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [("401", NotAuthorised, "key_refused"), ("403", NotAuthorised, "not_permitted"), ("404", Rejected, "rejected")],
)
def test_a_read_that_is_refused_is_not_tried_again(
    practice: Practice, fault: str, error: type[RemoteError], code: str
) -> None:
    practice.cliniko.fail("patients", fault, times=3)
    with pytest.raises(error) as raised:
        practice.client.find_patients_born(BIRTHDAY)
    assert (raised.value.status, raised.value.code, practice.requests()) == (int(fault), code, 1)
    assert raised.value.hint


def test_a_filter_that_cliniko_does_not_know_is_a_refusal(connect: Connect) -> None:
    refusal = json_reply(400, {"message": f"{WORDS} is not filterable"})
    with Service(refusal) as service, pytest.raises(Rejected) as raised:
        connect(service.url).find_patients_born(BIRTHDAY)
    assert WORDS not in everything_said_by(raised.value)


def test_a_redirect_of_a_read_is_refused(practice: Practice) -> None:
    practice.cliniko.fail("patients", "redirect")
    with pytest.raises(InvalidResponse) as raised:
        practice.client.find_patients_born(BIRTHDAY)
    assert (raised.value.status, practice.requests()) == (302, 1)


def test_a_user_who_asked_too_often_waits_for_the_reset_and_then_reads_on(practice: Practice, clock: TestClock) -> None:
    practice.cliniko.clock_offset_seconds = -5000
    practice.cliniko.rate_limit_per_minute = 2
    for _ in range(3):
        practice.client.find_patients_born(BIRTHDAY)
    assert timedelta(seconds=60) <= clock.now() - MORNING <= timedelta(seconds=62)
    assert practice.requests() == 4


# ---------------------------------------------------------------- creating a note


def test_a_note_arrives_as_it_was_meant_and_its_id_comes_back(practice: Practice) -> None:
    patient_id = practice.cliniko.add_patient(first_name="Mary", last_name="Jones")
    outcome = practice.client.create_treatment_note(replace(NOTE, patient_id=patient_id), nobody_minds)
    [stored] = practice.cliniko.notes.values()
    assert isinstance(outcome, Accepted)
    assert (outcome.note.note_id, outcome.note.patient_id, outcome.note.draft) == (stored.note_id, patient_id, True)
    assert outcome.note.content == CONTENT.as_json()
    assert stored.practitioner_id == practice.cliniko.practitioner_of(practice.user_id)
    assert practice.cliniko.requests[-1].json == {
        "patient_id": patient_id,
        "title": NOTE.title,
        "draft": True,
        "content": CONTENT.as_json(),
    }


def test_booking_and_template_are_sent_when_they_are_known_and_draft_always(connect: Connect) -> None:
    with Service(json_reply(201, {"id": "1"})) as service:
        note = replace(NOTE, draft=False, booking_id="5", template_id="6")
        connect(service.url).create_treatment_note(note, nobody_minds)
    sent = service.requests[0].json
    assert (sent["draft"], sent["booking_id"], sent["treatment_note_template_id"]) == (False, "5", "6")
    assert "practitioner_id" not in sent


@pytest.mark.parametrize("lists", [False, True])
def test_a_refusal_names_the_fields_and_not_what_was_said_of_them(practice: Practice, lists: bool) -> None:
    practice.cliniko.error_lists = lists
    outcome = practice.client.create_treatment_note(replace(NOTE, title=" ", patient_id="1"), nobody_minds)
    assert outcome == Refused(422, ("patient", "title"))
    assert practice.cliniko.notes == {}


@pytest.mark.parametrize(
    ("errors", "fields"),
    [
        ({"title": WORDS, "content.sections": [WORDS]}, ("title", "content.sections")),
        ({WORDS: "is not known", "title": "x"}, ("title",)),
        ({"x" * 40: "too long a name"}, ()),
        ([{"title": "x"}], ()),
        (WORDS, ()),
        (None, ()),
    ],
)
def test_only_what_can_be_the_name_of_a_field_is_taken_from_a_refusal(
    connect: Connect, errors: Any, fields: tuple[str, ...]
) -> None:
    with Service(json_reply(422, {"message": WORDS, "errors": errors})) as service:
        assert connect(service.url).create_treatment_note(NOTE, nobody_minds) == Refused(422, fields)


# ---------------------------------------------------------------- every way a request can end


@dataclass
class FarSide:
    """What stands at the other end: where it is, how many requests arrived, and what is special about the client."""

    url: str
    arrived: Callable[[int], int]
    """Given how many are expected, how many came."""
    how: dict[str, Any] = field(default_factory=dict)
    note: Note = NOTE
    tamper: Callable[[ClinikoClient], None] = lambda client: None


Stage = tuple[ExitStack, pytest.MonkeyPatch]
Raise = Callable[[Stage], FarSide]


def says(reply: Reply, **how: Any) -> Raise:
    """A server that answers every request with this."""

    def raise_it(stage: Stage) -> FarSide:
        service = stage[0].enter_context(Service(reply))
        return FarSide(service.url, service.arrived, how)

    return raise_it


def says_json(status: int, value: Any) -> Raise:
    return says(json_reply(status, value))


def behaves(behave: Callable[[loopback.Line], None], note: Note = NOTE, **how: Any) -> Raise:
    """A server that breaks HTTP itself."""

    def raise_it(stage: Stage) -> FarSide:
        stage[1].setattr(http, "LONGEST_BODY_BYTES", 1_000_000)
        server = stage[0].enter_context(RoughServer(behave, receive_buffer=4096 if note is LONG_NOTE else None))
        return FarSide(server.url, server.connections, how, note)

    return raise_it


def fails(fault: str, **how: Any) -> Raise:
    """The stand-in, with a fault of its own waiting."""

    def raise_it(stage: Stage) -> FarSide:
        clock = TestClock()
        cliniko = ClinikoSandbox(now=clock.now)
        user_id = cliniko.add_user(first_name="Ada", last_name="Physio", api_key=KEY)
        assert cliniko.key_of(user_id) == KEY
        cliniko.add_patient(first_name=WORDS, last_name=WORDS, patient_id=NOTE.patient_id)
        cliniko.fail_post(fault)
        server = stage[0].enter_context(LoopbackServer(cliniko.handle))
        return FarSide(server.url + BASE_PATH, lambda expected: loopback.count(cliniko.requests, expected), how)

    return raise_it


def nobody_listens(stage: Stage) -> FarSide:
    return FarSide(a_refused_url(), lambda expected: 0)


def nobody_knows_the_host(stage: Stage) -> FarSide:
    def no_address(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    stage[1].setattr(socket, "getaddrinfo", no_address)
    return FarSide("http://nowhere.example/", lambda expected: 0, {"allowed_hosts": ["nowhere.example"]})


def no_connection_is_free(stage: Stage) -> FarSide:
    def full(request: httpx.Request) -> httpx.Response:
        raise httpx.PoolTimeout("full", request=request)

    def tamper(client: ClinikoClient) -> None:
        writes = stage[0].enter_context(httpx.Client(transport=httpx.MockTransport(full)))
        stage[1].setattr(client._http, "_writes", writes)

    return FarSide("http://127.0.0.1:1/", lambda expected: 0, tamper=tamper)


def full_budget(clock: TestClock) -> RateBudget:
    budget = RateBudget(10, clock)
    budget.block(30)
    return budget


STOP = StopSoon()
SILENCE = {"deadline_seconds": 0.3}
GZIP = Reply(201, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, b'{"id": "1"}')
ECHO = {"message": WORDS, "errors": {"title": WORDS}}

ENDINGS: dict[str, tuple[Raise, PostOutcome, int]] = {
    # certainly not sent
    "a port on which nobody listens": (nobody_listens, NotSent("not_connected"), 0),
    "a host without an address": (nobody_knows_the_host, NotSent("not_connected"), 0),
    "no free connection": (no_connection_is_free, NotSent("not_connected"), 0),
    "no time left to connect": (
        behaves(loopback.answers, deadline_seconds=0.5, clock=CostlyClock()),
        NotSent("not_connected"),
        0,
    ),
    "asked to stop": (says(json_reply(201, {"id": "1"}), clock=StopNow()), NotSent("stopping"), 0),
    "asked to stop while waiting for a place": (
        says(json_reply(201, {"id": "1"}), clock=STOP, budget=full_budget(STOP)),
        NotSent("stopping"),
        0,
    ),
    "429": (fails("429"), NotSent("rate_limited"), 1),
    "429 without a word of when": (says(Reply(429)), NotSent("rate_limited"), 1),
    # the key's trouble
    "401": (fails("401"), KeyTrouble(401), 1),
    "403 with an empty body": (fails("403"), KeyTrouble(403), 1),
    # certainly refused
    "400": (says_json(400, ECHO), Refused(400, ("title",)), 1),
    "404": (says_json(404, {"message": "Resource not found"}), Refused(404), 1),
    "404 with an empty body": (says(Reply(404)), Refused(404), 1),
    "422": (fails("422"), Refused(422, ("title",)), 1),
    "422 too deep to read": (says(Reply(422, JSON, b"[" * 200_000)), Refused(422), 1),
    # a gateway's page is not the API
    "400 from a gateway": (says(html_reply(400, WORDS)), InDoubt("http_400"), 1),
    "404 from a gateway": (fails("404_html"), InDoubt("http_404"), 1),
    "422 from a gateway": (says(html_reply(422, WORDS)), InDoubt("http_422"), 1),
    # certainly done
    "201": (
        says_json(201, {"id": 17, "title": "T", "draft": True}),
        Accepted(StoredNote("17", "T", None, None, draft=True)),
        1,
    ),
    # the line broke, before or after
    "hung up before reading": (behaves(loopback.hangs_up_unread), InDoubt("unavailable"), 1),
    "hung up halfway through": (behaves(loopback.hangs_up_halfway, LONG_NOTE), InDoubt("unavailable"), 1),
    "hung up after reading": (fails("drop"), InDoubt("unavailable"), 1),
    "stored, then hung up": (fails("commit_then_drop"), InDoubt("unavailable"), 1),
    "stored later, hung up now": (fails("commit_late:20"), InDoubt("unavailable"), 1),
    # no time left
    "silence": (fails("stall", **SILENCE), InDoubt("unavailable"), 1),
    "an answer that is late": (fails("slow:60", **SILENCE), InDoubt("unavailable"), 1),
    "an upload that stalls": (behaves(loopback.never_reads, LONG_NOTE, **SILENCE), InDoubt("unavailable"), 1),
    "headers that drip": (
        behaves(loopback.drips_its_head, deadline_seconds=8, clock=CostlyClock()),
        InDoubt("unavailable"),
        1,
    ),
    "a body that drips": (
        behaves(loopback.drips_its_body, deadline_seconds=8, clock=CostlyClock()),
        InDoubt("unavailable"),
        1,
    ),
    # breakdowns
    "408": (fails("408"), InDoubt("http_408"), 1),
    "500": (fails("500"), InDoubt("http_500"), 1),
    "502": (fails("502_html"), InDoubt("http_502"), 1),
    "503": (fails("503"), InDoubt("http_503"), 1),
    "stored, then 504": (fails("commit_then_504"), InDoubt("http_504"), 1),
    # a 201 that nobody can read
    "201 with cut headers": (behaves(loopback.cuts_its_head), InDoubt("unavailable"), 1),
    "201 with a cut body": (fails("cut_201"), InDoubt("unavailable"), 1),
    "201 with half the JSON": (fails("bad_json_201"), InDoubt("unreadable_201"), 1),
    "201 without a body": (says(Reply(201)), InDoubt("unreadable_201"), 1),
    "201 with a page": (says(html_reply(201, WORDS)), InDoubt("unreadable_201"), 1),
    "201 without an id": (says_json(201, {"title": WORDS}), InDoubt("unreadable_201"), 1),
    "201 with a list": (says_json(201, [{"id": "1"}]), InDoubt("unreadable_201"), 1),
    "201 too deep to read": (says(Reply(201, JSON, b"[" * 200_000)), InDoubt("unreadable_201"), 1),
    "201 with a link that is none": (
        says_json(201, {"id": "1", "patient": {"links": {"self": "http://["}}}),
        Accepted(StoredNote("1", "", None, None, draft=False)),
        1,
    ),
    "201 that cannot be unpacked": (says(GZIP), InDoubt("unavailable"), 1),
    "201 without an end": (behaves(loopback.floods), InDoubt("invalid_response"), 1),
    "not HTTP": (behaves(loopback.speaks_otherwise), InDoubt("unavailable"), 1),
    # whatever else a server may say
    **{
        f"{status}": (says(Reply(status, JSON, b'{"id": "1"}')), InDoubt(f"http_{status}"), 1)
        for status in (200, 202, 203, 204, 304, 402, 405, 406, 409, 410, 411, 413, 415, 418, 423, 451, 501, 599)
    },
    **{
        f"{status} to elsewhere": (
            says(Reply(status, {"Location": "http://127.0.0.1:1/"})),
            InDoubt(f"http_{status}"),
            1,
        )
        for status in (301, 302, 303, 307, 308)
    },
}


@pytest.mark.parametrize(("raise_it", "meaning", "arrived"), ENDINGS.values(), ids=ENDINGS.keys())
def test_every_way_a_request_can_end_has_one_meaning_and_nothing_is_sent_twice(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, raise_it: Raise, meaning: PostOutcome, arrived: int
) -> None:
    with ExitStack() as stack:
        far = raise_it((stack, monkeypatch))
        client = connect(far.url, **far.how)
        far.tamper(client)
        outcome = client.create_treatment_note(far.note, nobody_minds)
        assert outcome == meaning
        assert far.arrived(arrived) == arrived
    said = repr(outcome)
    assert not [secret for secret in (WORDS, KEY, "127.0.0.1", NOTE.patient_id) if secret in said]


def test_a_429_on_the_note_stops_that_users_reads_until_the_reset(practice: Practice, clock: TestClock) -> None:
    practice.cliniko.rate_limit_reset_seconds = 45
    practice.cliniko.fail_post("429")
    assert practice.client.create_treatment_note(NOTE, nobody_minds) == NotSent("rate_limited")
    assert clock.now() == MORNING
    practice.client.find_patients_born(BIRTHDAY)
    assert clock.now() == MORNING + timedelta(seconds=46)


def test_a_note_that_was_stored_although_the_answer_was_lost_is_there_to_be_found(practice: Practice) -> None:
    patient_id = practice.cliniko.add_patient(first_name="Mary", last_name="Jones")
    practice.cliniko.fail_post("commit_then_drop")
    outcome = practice.client.create_treatment_note(replace(NOTE, patient_id=patient_id), nobody_minds)
    assert outcome == InDoubt("unavailable")
    mine = practice.cliniko.practitioner_of(practice.user_id)
    assert [note.title for note in practice.client.notes_of(mine, MORNING)] == [NOTE.title]
    assert practice.requests("POST") == 1


# ---------------------------------------------------------------- nothing leaks


def a_talkative(status: int, **headers: str) -> Reply:
    """A server that repeats what it heard."""
    body = json.dumps({"message": WORDS, "errors": {WORDS: WORDS}, "key": KEY, "patients": WORDS}).encode()
    return Reply(status, {**JSON, "X-Echo": WORDS, **headers}, body)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 422, 429, 500])
@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_no_failure_of_a_read_names_the_patient_the_key_or_the_address(
    connect: Connect, read: Callable[[ClinikoClient], object], status: int
) -> None:
    reply = a_talkative(status, Location=f"https://{WORDS}.example/")
    with Service(reply) as service, pytest.raises(SyncWorkerError) as raised:
        read(connect(service.url))
    said = everything_said_by(raised.value) + getattr(raised.value, "hint", "")
    assert not [secret for secret in (WORDS, KEY, "127.0.0.1", "1980-02-03") if secret in said]


def test_what_a_refused_key_means_is_said_in_a_sentence_for_people() -> None:
    key, user = ClinikoClient.refusal(401, "create_note"), ClinikoClient.refusal(403, "create_note")
    assert (key.code, user.code) == ("key_refused", "not_a_practitioner")
    assert ClinikoClient.refusal(403, "list_patients").code == "not_permitted"
    assert all(error.hint.endswith(".") for error in (key, user))
