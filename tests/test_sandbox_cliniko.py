"""The Cliniko stand-in behaves as its reference and its clients say, over real sockets."""

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from sync_worker.sandbox.cliniko import BASE_PATH, ClinikoSandbox
from sync_worker.sandbox.sanitiser import sanitised
from sync_worker.sandbox.validation import Invalid, stored_content
from sync_worker.sandbox.wire import LoopbackServer, Request, Wire

NOON = datetime(2026, 11, 20, 1, 2, 3, 456789, tzinfo=UTC)
NOON_STAMP = "2026-11-20T01:02:03Z"
CONTENT = {"sections": [{"questions": [{"name": "Plan", "type": "paragraph", "answer": "<p>Rest</p>"}]}]}


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment

    def pass_seconds(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Practice:
    """A stand-in with one physio, one administrator and one patient, and a client with the physio's key."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.cliniko = ClinikoSandbox(now=clock)
        self.user = self.cliniko.add_user(first_name="Ana", last_name="Physio")
        self.admin = self.cliniko.add_user(first_name="Ada", last_name="Min", role="administrator", practitioner=False)
        self.practitioner = self.cliniko.practitioner_of(self.user)
        self.patient = self.cliniko.add_patient(
            first_name="Zoë", last_name="O'Brien", date_of_birth="1980-01-02", email="zoe+physio@example.com"
        )
        self.url = ""
        self._clients: list[httpx.Client] = []

    @property
    def client(self) -> httpx.Client:
        return self.with_key(self.cliniko.key_of(self.user))

    def with_key(self, key: str) -> httpx.Client:
        """A client that is closed with the practice."""
        headers = {"Accept": "application/json", "User-Agent": "tests (tests@example.com)"}
        client = httpx.Client(base_url=self.url, auth=(key, ""), headers=headers, trust_env=False, timeout=5)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def body(self, **fields: Any) -> dict[str, Any]:
        return {"patient_id": self.patient, "title": "Note", "draft": True, "content": CONTENT} | fields

    def post(self, **fields: Any) -> httpx.Response:
        return self.client.post("treatment_notes", json=self.body(**fields))

    def ids(self, path: str, *filters: str, **params: Any) -> list[str]:
        """The ids a list shows under these filters."""
        query = [("q[]", each) for each in filters] + list(params.items())
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()[path.rpartition("/")[2]]]

    def refusal(self, path: str, *filters: str) -> str:
        """The message of the 400 that these filters earn."""
        answer = self.client.get(path, params=[("q[]", each) for each in filters])
        assert answer.status_code == 400
        message: str = answer.json()["message"]
        return message


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def practice(clock: Clock) -> Iterator[Practice]:
    practice = Practice(clock)
    with LoopbackServer(practice.cliniko.handle) as server:
        practice.url = server.url + BASE_PATH
        yield practice
        practice.close()


def last_id(record: dict[str, Any], name: str) -> str:
    address: str = record[name]["links"]["self"]
    return address.rpartition("/")[2]


# ---------------------------------------------------------------- who may ask


def test_the_key_works_with_and_without_its_shard(practice: Practice) -> None:
    key = practice.cliniko.key_of(practice.user)
    assert key.endswith("-au3")
    for each in (key, key.removesuffix("-au3")):
        assert practice.with_key(each).get("user").json()["id"] == practice.user


def test_only_the_last_hyphen_parts_the_shard(practice: Practice) -> None:
    odd = practice.cliniko.add_user(first_name="B", last_name="C", api_key="MS0a-b_c=d/e+f-uk1-au3")
    assert practice.with_key("MS0a-b_c=d/e+f-uk1-au3").get("user").json()["id"] == odd


@pytest.mark.parametrize("key", ["nonsense", "", "nonsense-au3"])
def test_a_wrong_key_is_denied(practice: Practice, key: str) -> None:
    assert practice.with_key(key).get("user").status_code == 401


def test_a_key_of_another_shard_is_denied(practice: Practice) -> None:
    key = practice.cliniko.key_of(practice.user).replace("-au3", "-us1")
    assert practice.with_key(key).get("user").status_code == 401
    practice.cliniko.add_user(first_name="U", last_name="S", api_key="abc-us1")
    assert practice.with_key("abc-us1").get("user").status_code == 401


def test_a_request_without_a_key_is_denied(practice: Practice) -> None:
    for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic !!"}):
        answer = httpx.get(practice.url + "user", headers=header, trust_env=False)
        assert answer.status_code == 401


def test_a_revoked_key_is_denied_while_the_users_other_key_works(practice: Practice) -> None:
    first, second = practice.cliniko.key_of(practice.user), practice.cliniko.add_key(practice.user)
    practice.cliniko.revoke(first)
    assert practice.with_key(first).get("user").status_code == 401
    assert practice.with_key(second).get("user").status_code == 200
    assert practice.cliniko.key_of(practice.user) == second


@pytest.mark.parametrize("agent", ["", "python-httpx/0.28", "app (no-address)"])
def test_a_strict_account_refuses_a_client_without_a_contact(practice: Practice, agent: str) -> None:
    assert practice.client.get("user", headers={"User-Agent": agent}).status_code == 200
    practice.cliniko.strict_user_agent = True
    assert practice.client.get("user", headers={"User-Agent": agent}).status_code == 403
    assert practice.client.get("user").status_code == 200


def test_the_rate_limit_belongs_to_the_user_and_not_to_the_key(practice: Practice, clock: Clock) -> None:
    cliniko = practice.cliniko
    cliniko.rate_limit_per_minute = 3
    cliniko.clock_offset_seconds = 100
    keys = [cliniko.key_of(practice.user), cliniko.add_key(practice.user)] * 2
    answers = [practice.with_key(key).get("user") for key in keys]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert "retry-after" not in answers[3].headers
    reset = int(answers[3].headers["x-ratelimit-reset"])
    assert 0 < reset - parsedate_to_datetime(answers[3].headers["date"]).timestamp() <= 61
    assert practice.with_key(cliniko.key_of(practice.admin)).get("user").status_code == 200
    clock.pass_seconds(60)
    assert practice.client.get("user").status_code == 200


def test_without_a_limit_nobody_is_slowed_down(practice: Practice) -> None:
    practice.cliniko.rate_limit_per_minute = None
    assert {practice.client.get("user").status_code for _ in range(5)} == {200}


def test_the_servers_clock_can_be_wrong(practice: Practice) -> None:
    practice.cliniko.clock_offset_seconds = -600
    answer = practice.post()
    assert answer.json()["created_at"] == "2026-11-20T00:52:03Z"
    assert answer.headers["date"] == "Fri, 20 Nov 2026 00:52:03 GMT"


# ---------------------------------------------------------------- users, practitioners, settings


def test_a_user_is_not_their_practitioner(practice: Practice) -> None:
    listed = practice.client.get("practitioners", params={"q[]": f"user_id:={practice.user}"}).json()
    (practitioner,) = listed["practitioners"]
    assert practitioner["id"] == practice.practitioner != practice.user
    assert last_id(practitioner, "user") == practice.user
    assert practice.ids("practitioners", f"user_id:={practice.admin}") == []


def test_a_retired_practitioner_is_listed_apart_and_writes_no_notes(practice: Practice) -> None:
    practice.cliniko.set_practitioner_active(practice.user, False)
    assert practice.ids("practitioners") == []
    inactive = practice.client.get("practitioners/inactive").json()["practitioners"]
    assert [each["id"] for each in inactive] == [practice.practitioner]
    assert practice.client.get(f"practitioners/{practice.practitioner}").json()["active"] is False
    assert practice.client.get("practitioners/1").status_code == 404
    assert practice.post().status_code == 403


def test_only_administrators_see_other_users(practice: Practice) -> None:
    admin = practice.with_key(practice.cliniko.key_of(practice.admin))
    assert practice.client.get("users").status_code == 403
    assert practice.client.get(f"users/{practice.admin}").status_code == 403
    assert practice.client.get(f"users/{practice.user}").status_code == 200
    assert {each["role"] for each in admin.get("users").json()["users"]} == {"administrator", "practitioner"}
    assert admin.get(f"users/{practice.user}").json()["time_zone"] == "Australia/Hobart"
    assert admin.get("users/1").status_code == 404


def test_public_settings_name_the_account_and_its_zone(practice: Practice) -> None:
    practice.cliniko.subdomain = "hobart"
    account = practice.client.get("settings/public").json()["account"]
    assert (account["subdomain"], account["time_zone"]) == ("hobart", "Australia/Hobart")
    assert practice.client.get("settings").status_code == 403
    admin = practice.with_key(practice.cliniko.key_of(practice.admin))
    assert admin.get("settings").json()["account"] == account
    practice.cliniko.offers_public_settings = False
    assert practice.client.get("settings/public").status_code == 404


@pytest.mark.parametrize("path", ["account", "users/me", "settings/none", "treatment_notes/1/content", ""])
def test_routes_that_other_clients_invented_do_not_exist(practice: Practice, path: str) -> None:
    admin = practice.with_key(practice.cliniko.key_of(practice.admin))
    assert admin.get(path).status_code == 404


def test_nothing_is_served_outside_the_api(practice: Practice) -> None:
    assert practice.cliniko.handle(Request("GET", "/v2/user")).status == 404
    assert practice.client.put("patients/1", json={}).status_code == 404


# ---------------------------------------------------------------- lists


def test_a_page_has_fifty_rows_unless_asked_and_never_over_a_hundred(practice: Practice) -> None:
    for _ in range(130):
        practice.cliniko.add_patient(first_name="A", last_name="B")
    assert len(practice.ids("patients")) == 50
    assert len(practice.ids("patients", per_page=500)) == 100
    assert len(practice.ids("patients", per_page=7, page=0)) == 7
    practice.cliniko.clamps_per_page = False
    assert practice.client.get("patients", params={"per_page": 101}).status_code == 400


def test_links_lead_through_all_pages_and_keep_the_filters(practice: Practice) -> None:
    wanted = [practice.cliniko.add_patient(first_name="A+B&", last_name="C") for _ in range(5)]
    params = {"q[]": "first_name:=A+B&", "per_page": 2}
    page = practice.client.get("patients", params=params).json()
    assert "previous" not in page["links"]
    seen = [each["id"] for each in page["patients"]]
    while "next" in page["links"]:
        page = practice.client.get(page["links"]["next"]).json()
        seen += [each["id"] for each in page["patients"]]
    assert seen == wanted
    assert page["total_entries"] == 5
    assert "page=2" in page["links"]["previous"]
    assert page["links"]["self"].startswith(practice.url)


def test_lists_begin_with_the_oldest_and_can_be_sorted(practice: Practice, clock: Clock) -> None:
    first = practice.patient
    clock.pass_seconds(1)
    second = practice.cliniko.add_patient(first_name="B", last_name="B", date_of_birth="1990-01-01")
    clock.pass_seconds(1)
    third = practice.cliniko.add_patient(first_name="A", last_name="B")
    assert practice.ids("patients") == [first, second, third]
    assert practice.ids("patients", order="desc") == [third, second, first]
    assert practice.ids("patients", sort="last_name,first_name") == [third, second, first]
    assert practice.ids("patients", sort="last_name:desc,first_name:asc") == [first, third, second]
    assert practice.ids("patients", sort="date_of_birth") == [third, first, second]
    assert practice.ids("patients", sort="id:desc") == [third, second, first]
    assert practice.client.get("patients", params={"sort": "phone"}).status_code == 400


def test_ids_are_strings_of_nineteen_digits_and_stamps_have_whole_seconds(practice: Practice) -> None:
    patient = practice.client.get(f"patients/{practice.patient}").json()
    assert isinstance(patient["id"], str)
    assert len(patient["id"]) == 19
    assert patient["created_at"] == NOON_STAMP
    assert patient["links"]["self"] == f"{practice.url}patients/{practice.patient}"


# ---------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("date_of_birth:=1980-01-02", True),
        ("date_of_birth:=1980-01-03", False),
        ("date_of_birth:=****-01-02", True),
        ("date_of_birth:=19**-**-*2", True),
        ("date_of_birth:=****-02-**", False),
        ("date_of_birth:>=1980-01-02", True),
        ("date_of_birth:>1980-01-02", False),
        ("date_of_birth:<=1980-01-02", True),
        ("date_of_birth:<1980-01-03", True),
        ("date_of_birth:?", True),
        ("date_of_birth:!?", False),
        ("created_at:>=2026-11-20T01:02:03Z", True),
        ("created_at:>2026-11-20T01:02:03Z", False),
        ("created_at:<=2026-11-20T01:02:03Z", True),
        ("created_at:<2026-11-20T01:02:04Z", True),
        ("created_at:?", True),
        ("created_at:!?", False),
        ("created_at:*", True),
        ("email:=zoe+physio@example.com", True),
        ("email:!=zoe+physio@example.com", False),
        ("email:~physio@", True),
        ("email:~~zoe%@example.com", True),
        ("email:~~zoe%@example.org", False),
        ("email:?", True),
        ("old_reference_id:?", False),
        ("old_reference_id:!?", True),
        ("old_reference_id:!=x", False),
        ("last_name:=O'Brien", True),
        ("last_name:=O%Brien", False),
        ("last_name:~O_Brien", True),
    ],
)
def test_filters_let_the_right_rows_through(practice: Practice, query: str, found: bool) -> None:
    assert practice.ids("patients", query) == ([practice.patient] if found else [])


def test_numbers_compare_as_numbers_and_equal_takes_a_list(practice: Practice) -> None:
    short = practice.cliniko.add_patient(first_name="S", last_name="T", patient_id="99")
    both = sorted([short, practice.patient])
    assert practice.ids("patients", "id:=99") == [short]
    assert sorted(practice.ids("patients", f"id:=99,{practice.patient}")) == both
    assert practice.ids("patients", "id:!=99") == [practice.patient]
    assert practice.ids("patients", "id:>100") == [practice.patient]
    assert practice.ids("patients", "id:<=99") == [short]
    assert sorted(practice.ids("patients", "id:?")) == both


def test_all_filters_must_hold(practice: Practice) -> None:
    assert practice.ids("patients", "first_name:=Zoë", "last_name:=O'Brien") == [practice.patient]
    assert practice.ids("patients", "first_name:=Zoë", "last_name:=Smith") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("preferred_first_name:=Zo", "preferred_first_name is not filterable"),
        ("notes:~x", "notes is not filterable"),
        ("nonsense", "nonsense is not filterable"),
        ("id:=abc", "Filter value for id must be a number"),
        ("id:=", "Filter value for id must be a number"),
        ("date_of_birth:=02/01/1980", "Filter value for date_of_birth must be a date"),
        ("date_of_birth:=1980-02-30", "Filter value for date_of_birth must be a date"),
        ("date_of_birth:>=****-01-01", "Filter value for date_of_birth must be a date"),
        ("created_at:>=2026-11-20T01:02:03+00:00", "Timestamp needs to be in UTC format."),
        ("created_at:>=2026-11-20", "Timestamp needs to be in UTC format."),
        ("created_at:>=2026-11-20T01:02:03.456Z", "Timestamp needs to be in UTC format."),
        ("created_at:>=2026-13-20T01:02:03Z", "Timestamp needs to be in UTC format."),
        ("created_at:=2026-11-20T01:02:03Z", "Filter operator for created_at is not valid"),
        ("first_name:like:Jane", "Filter operator for first_name is not valid"),
        ("first_name:?x", "Filter operator for first_name is not valid"),
    ],
)
def test_a_wrong_filter_is_refused_and_never_ignored(practice: Practice, query: str, message: str) -> None:
    assert practice.refusal("patients", query) == message


def test_fractions_of_a_second_are_taken_where_switched_on(practice: Practice) -> None:
    practice.cliniko.milliseconds_in_filters = True
    assert practice.ids("patients", "created_at:<2026-11-20T01:02:03.001Z") == [practice.patient]


def test_a_raw_plus_in_the_query_is_a_space(practice: Practice) -> None:
    encoded = practice.client.get(practice.url + "patients?q%5B%5D=email:=zoe%2Bphysio@example.com")
    raw = practice.client.get(practice.url + "patients?q%5B%5D=email:=zoe+physio@example.com")
    assert (encoded.json()["total_entries"], raw.json()["total_entries"]) == (1, 0)


@pytest.mark.parametrize(("sensitive", "found"), [(False, 1), (True, 0)])
@pytest.mark.parametrize("value", ["first_name:=zoe", "first_name:=Zoë  ", "first_name:~OË"])
def test_strings_compare_by_the_switch(practice: Practice, sensitive: bool, found: int, value: str) -> None:
    practice.cliniko.case_sensitive = sensitive
    assert len(practice.ids("patients", value)) == found


def test_booleans_and_arrays_have_filters_of_their_own(practice: Practice) -> None:
    draft, final = practice.post().json()["id"], practice.post(draft=False).json()["id"]
    assert practice.ids("treatment_notes", "draft:=true") == [draft]
    assert practice.ids("treatment_notes", "draft:!=true") == [final]
    assert practice.refusal("treatment_notes", "draft:=yes") == "Filter value for draft must be a boolean"
    booking = a_booking(practice, practice.patient)
    assert practice.ids("bookings", f"patient_ids:~{practice.patient}") == [booking]
    assert practice.ids("bookings", "patient_ids:~1") == []
    assert practice.refusal("bookings", "patient_ids:~x") == "Filter value for patient_ids must be a number"


def test_parameters_that_cliniko_does_not_know_are_ignored(practice: Practice) -> None:
    assert practice.ids("patients", search="x", limit=0) == [practice.patient]


# ---------------------------------------------------------------- patients


def test_a_chart_may_lack_everything(practice: Practice) -> None:
    bare = practice.cliniko.add_patient(first_name=None, last_name=None, email="", preferred_first_name="Zo")
    patient = practice.client.get(f"patients/{bare}").json()
    assert (patient["first_name"], patient["date_of_birth"], patient["label"]) == (None, None, "")
    assert (patient["email"], patient["preferred_first_name"]) == ("", "Zo")
    assert patient["patient_phone_numbers"] == []
    phone = practice.cliniko.add_patient(first_name="P", last_name="H", phone="0400 000 000")
    assert practice.client.get(f"patients/{phone}").json()["patient_phone_numbers"] == [
        {"phone_type": "Mobile", "number": "0400 000 000"}
    ]


def test_archived_charts_are_listed_only_when_asked_for(practice: Practice) -> None:
    practice.cliniko.archive_patient(practice.patient)
    assert practice.ids("patients", "date_of_birth:=1980-01-02") == []
    assert practice.ids("patients", "archived_at:*") == [practice.patient]
    assert practice.ids("patients", "archived_at:?") == [practice.patient]
    assert practice.ids("patients", "archived_at:!?") == []
    assert practice.client.get(f"patients/{practice.patient}").json()["archived_at"] == NOON_STAMP
    practice.cliniko.archived_patient_by_id = 404
    assert practice.client.get(f"patients/{practice.patient}").status_code == 404


def test_the_loser_of_a_merge_names_the_winner_who_gets_notes_and_bookings(practice: Practice) -> None:
    winner = practice.cliniko.add_patient(first_name="Zoe", last_name="O'Brien")
    note, booking = practice.post().json()["id"], a_booking(practice, practice.patient)
    practice.cliniko.merge_patients(practice.patient, winner)
    loser = practice.client.get(f"patients/{practice.patient}").json()
    assert last_id(loser, "merged_with_patient") == winner
    assert loser["merged_at"] == loser["archived_at"] == NOON_STAMP
    assert "merged_with_patient" not in practice.client.get(f"patients/{winner}").json()
    assert practice.ids("treatment_notes", f"patient_id:={winner}") == [note]
    assert practice.ids("bookings", f"patient_ids:~{winner}") == [booking]


def test_the_front_desk_mends_a_chart(practice: Practice, clock: Clock) -> None:
    clock.pass_seconds(5)
    practice.cliniko.edit_patient(practice.patient, date_of_birth="1981-01-02")
    patient = practice.client.get(f"patients/{practice.patient}").json()
    assert (patient["date_of_birth"], patient["updated_at"]) == ("1981-01-02", "2026-11-20T01:02:08Z")
    with pytest.raises(TypeError, match="no field 'dob'"):
        practice.cliniko.edit_patient(practice.patient, dob="1981-01-02")


# ---------------------------------------------------------------- the diary


def a_booking(practice: Practice, *patients: str, **fields: Any) -> str:
    return practice.cliniko.add_booking(
        **{
            "practitioner_id": practice.practitioner,
            "patient_ids": list(patients),
            "starts_at": NOON,
            "ends_at": NOON + timedelta(minutes=30),
        }
        | fields
    )


def test_an_appointment_names_its_patient_by_link_and_a_group_by_ids(practice: Practice) -> None:
    other = practice.cliniko.add_patient(first_name="B", last_name="C")
    single, group, block = (
        a_booking(practice, practice.patient),
        a_booking(practice, practice.patient, other),
        a_booking(practice),
    )
    one, several, nobody = (practice.client.get(f"bookings/{each}").json() for each in (single, group, block))
    assert last_id(one, "patient") == practice.patient
    assert one["patient_name"] == "Zoë O'Brien"
    assert "patient_ids" not in one
    assert several["patient_ids"] == [practice.patient, other]
    assert "patient" not in several
    assert not {"patient", "patient_ids", "attendees"} & nobody.keys()
    attendees = practice.client.get(several["attendees"]["links"]["self"]).json()["attendees"]
    assert [last_id(each, "patient") for each in attendees] == [practice.patient, other]
    assert practice.ids("individual_appointments", f"patient_id:={practice.patient}") == [single]
    assert practice.client.get(f"individual_appointments/{group}").status_code == 404
    assert len(practice.ids("attendees", f"booking_id:={group}")) == 2
    assert practice.client.get(f"attendees/{attendees[0]['id']}").status_code == 200


def test_the_diary_is_filtered_by_utc_and_hides_the_cancelled(practice: Practice) -> None:
    kept = a_booking(practice, practice.patient)
    gone = a_booking(practice, practice.patient, cancelled=True)
    window = ("starts_at:>=2026-11-20T01:00:00Z", "starts_at:<2026-11-20T02:00:00Z")
    mine = f"practitioner_id:={practice.practitioner}"
    assert practice.ids("bookings", mine, *window) == [kept]
    assert practice.ids("bookings", "cancelled_at:!?") == [kept]
    assert practice.ids("bookings", "cancelled_at:*") == [kept, gone]
    assert practice.client.get(f"bookings/{gone}").json()["cancelled_at"] == NOON_STAMP


def test_a_user_without_the_right_reads_no_bookings(practice: Practice) -> None:
    user = practice.cliniko.add_user(first_name="N", last_name="B", can_read_bookings=False)
    client = practice.with_key(practice.cliniko.key_of(user))
    for path in ("bookings", "individual_appointments", "attendees"):
        assert client.get(path).status_code == 403


def test_templates_are_listed_and_read(practice: Practice) -> None:
    template = practice.cliniko.add_template(name="Initial", content=CONTENT)
    assert practice.ids("treatment_note_templates", f"id:={template}") == [template]
    found = practice.client.get(f"treatment_note_templates/{template}").json()
    assert (found["name"], found["content"]) == ("Initial", CONTENT)


# ---------------------------------------------------------------- creating a note


def test_a_note_is_stored_under_the_author_behind_the_key(practice: Practice) -> None:
    other = practice.cliniko.add_user(first_name="Ben", last_name="Other")
    answer = practice.post(practitioner_id=practice.cliniko.practitioner_of(other), created_at="2001-01-01")
    assert answer.status_code == 201
    note = answer.json()
    assert answer.headers["location"] == f"{practice.url}treatment_notes/{note['id']}"
    assert note["author_name"] == "Ana Physio"
    assert (last_id(note, "practitioner"), last_id(note, "patient")) == (
        practice.practitioner,
        practice.patient,
    )
    assert (note["created_at"], note["draft"], note["finalized_at"]) == (NOON_STAMP, True, None)
    assert not {"booking", "attendee", "treatment_note_template", "patient_id"} & note.keys()
    assert practice.client.get(f"treatment_notes/{note['id']}").json() == note
    assert [each.title for each in practice.cliniko.live_notes()] == ["Note"]


def test_an_idempotency_key_makes_no_difference(practice: Practice) -> None:
    for _ in range(2):
        headers = {"Idempotency-Key": "same"}
        answer = practice.client.post("treatment_notes", json=practice.body(), headers=headers)
        assert answer.status_code == 201
    assert len(practice.cliniko.notes) == 2


def test_somebody_who_is_not_a_practitioner_is_refused_with_an_empty_body(practice: Practice) -> None:
    admin = practice.with_key(practice.cliniko.key_of(practice.admin))
    answer = admin.post("treatment_notes", json=practice.body())
    assert (answer.status_code, answer.content) == (403, b"")
    assert practice.cliniko.notes == {}


def test_title_and_draft_are_required(practice: Practice) -> None:
    answer = practice.client.post("treatment_notes", json={"patient_id": practice.patient})
    assert answer.status_code == 422
    assert answer.json() == {
        "message": "Validation Failed",
        "errors": {"title": "can't be blank", "draft": "is not included in the list"},
    }
    practice.cliniko.error_lists = True
    assert practice.post(title=" ").json()["errors"] == {"title": ["can't be blank"]}
    assert practice.post(title="x" * 256).status_code == 422
    assert practice.post(title="x" * 255).status_code == 201


@pytest.mark.parametrize("draft", [None, "true", 1])
def test_draft_must_be_true_or_false(practice: Practice, draft: Any) -> None:
    assert "draft" in practice.post(draft=draft).json()["errors"]


def test_links_of_a_note_must_exist_and_belong_to_the_patient(practice: Practice) -> None:
    other = practice.cliniko.add_patient(first_name="B", last_name="C")
    template = practice.cliniko.add_template(name="T", content=None)
    mine, theirs = a_booking(practice, practice.patient), a_booking(practice, other)
    attendee = practice.ids("attendees", f"booking_id:={mine}")[0]
    note = practice.post(booking_id=mine, attendee_id=attendee, treatment_note_template_id=int(template))
    links = [last_id(note.json(), name) for name in ("booking", "attendee", "treatment_note_template")]
    assert links == [mine, attendee, template]
    assert practice.ids("treatment_notes", f"treatment_note_template_id:={template}") == [note.json()["id"]]
    for field, value, shown in [
        ("patient_id", "1", "patient"),
        ("patient_id", None, "patient"),
        ("booking_id", "1", "booking"),
        ("booking_id", theirs, "booking"),
        ("attendee_id", practice.ids("attendees", f"booking_id:={theirs}")[0], "attendee"),
        ("treatment_note_template_id", "1", "treatment_note_template"),
    ]:
        answer = practice.post(**{field: value})
        assert (answer.status_code, set(answer.json()["errors"])) == (422, {shown}), field


def test_an_archived_chart_takes_notes_by_the_switch(practice: Practice) -> None:
    practice.cliniko.archive_patient(practice.patient)
    assert practice.post().status_code == 201
    practice.cliniko.archived_patient_takes_notes = False
    assert practice.post().json()["errors"] == {"patient": "must exist"}


def test_a_body_that_is_not_called_json_brings_no_fields(practice: Practice) -> None:
    body = json.dumps(practice.body())
    answer = practice.client.post("treatment_notes", content=body, headers={"Content-Type": "text/plain"})
    assert set(answer.json()["errors"]) == {"patient", "title", "draft"}


def a_question(**fields: Any) -> dict[str, Any]:
    return {"sections": [{"questions": [{"name": "Q", "type": "paragraph"} | fields]}]}


@pytest.mark.parametrize(
    "content",
    [
        a_question(),
        a_question(answer="<p>Text</p>"),
        a_question(type="text", answer="One line"),
        a_question(type="date", answer="2026-11-20"),
        a_question(type="bodycharts"),
        a_question(name="x" * 255),
        a_question(type="checkboxes", answers=[{"value": "A", "selected": True}, {"value": None}]),
        a_question(
            type="checkboxes",
            answers=[{"value": "A", "selected": True}],
            other={"enabled": True, "selected": True, "value": "B"},
        ),
        a_question(type="radiobuttons", answers=[{"value": "A", "selected": True}, {"value": "B"}]),
        a_question(type="radiobuttons", answers=[{"value": "A"}], other={"enabled": True, "selected": True}),
        {"sections": [{"name": "S", "description": "D" * 10_000}]},
        None,
    ],
)
def test_good_content_is_stored_as_it_is(content: Any) -> None:
    assert stored_content(content, "full") == content


@pytest.mark.parametrize(
    "content",
    [
        "text",
        {},
        {"sections": []},
        {"sections": ["text"]},
        {"sections": [{"questions": []}]},
        {"sections": [{"name": "x" * 256}]},
        {"sections": [{"description": "x" * 10_001}]},
        {"sections": [{"questions": [{"type": "text"}]}]},
        a_question(name=" "),
        a_question(name="x" * 256),
        a_question(type=None),
        a_question(type=["text"]),
        a_question(type="essay"),
        a_question(answer=""),
        a_question(answer=" "),
        a_question(answer=None),
        a_question(answer="<90 degrees"),
        a_question(type="date", answer="20/11/2026"),
        a_question(type="date", answer="2026-02-30"),
        a_question(answers=[{"value": "A"}]),
        a_question(type="checkboxes", answer="A"),
        a_question(type="checkboxes", answers=[]),
        a_question(type="checkboxes", answers=[{"value": "A", "selected": False}]),
        a_question(type="checkboxes", answers=[{"value": "x" * 256}]),
        a_question(type="radiobuttons", answers=[{"value": "A", "selected": True}] * 2),
        a_question(
            type="radiobuttons",
            answers=[{"value": "A", "selected": True}],
            other={"enabled": True, "selected": True},
        ),
        a_question(type="checkboxes", other={"selected": True}),
        a_question(type="checkboxes", other={"enabled": False, "selected": True}),
        a_question(type="checkboxes", other={"enabled": True, "value": "B"}),
        a_question(type="bodycharts", answer="x"),
    ],
)
def test_bad_content_is_refused(content: Any) -> None:
    with pytest.raises(Invalid):
        stored_content(content, "full")


def test_refused_content_is_named_and_nothing_is_stored(practice: Practice) -> None:
    answer = practice.post(content="a bare string")
    assert answer.json()["errors"] == {"content": "'sections' must not be empty"}
    assert practice.cliniko.notes == {}


def test_keys_that_content_does_not_know_are_dropped(practice: Practice) -> None:
    content = a_question(answer="<p>A</p>", colour="red") | {"version": 2}
    assert practice.post(content=content).json()["content"] == a_question(answer="<p>A</p>")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("<p>ROM <90 and BP >140</p><p>Rest</p>", "<p>ROM 140</p><p>Rest</p>"),
        ("<p>ROM &lt;90 and BP &gt;140</p>", "<p>ROM &lt;90 and BP &gt;140</p>"),
        ("BP > 140", "BP &gt; 140"),
        ("<p>Pain at < 30", "<p>Pain at "),
        ("a\nb\r\nc\td", "abcd"),
        ('<p style="color:red" class=x>A</p>', "<p>A</p>"),
        ("<STRONG>A</STRONG> <em>B</em> <h3>C</h3>", "A B C"),
        ("<table><tr><td>A</td></tr></table>", "A"),
        ("A<br/>B<BR />C", "A<br>B<br>C"),
        (
            '<a href="https://example.com/?a=1&amp;b=2" onclick="x()">L</a>',
            '<a href="https://example.com/?a=1&amp;b=2">L</a>',
        ),
        ('<a href="javascript:alert(1)">L</a>', "<a>L</a>"),
        ("A<script>alert('<p>')</script>B<!-- C -->D", "ABD"),
        ("Smith &amp; Jones&#39;s &quot;knee&quot; caf&eacute;", 'Smith &amp; Jones\'s "knee" café'),
        ("a &amp;lt; b", "a &amp;lt; b"),
        ("A&nbsp;B", "A\u00a0B"),
        (
            "<ul><li><b>1</b></li></ul><blockquote><h1>2</h1></blockquote>",
            "<ul><li><b>1</b></li></ul><blockquote><h1>2</h1></blockquote>",
        ),
    ],
)
def test_answers_are_sanitised_in_the_harsh_way(sent: str, kept: str) -> None:
    assert sanitised(sent) == kept
    assert sanitised(kept) == kept, "what is stored is stable"


def test_an_old_account_keeps_only_div_and_br(practice: Practice) -> None:
    practice.cliniko.html = "legacy"
    note = practice.post(content=a_question(answer="<div><p>A</p><br><b>B</b></div>")).json()
    assert note["content"] == a_question(answer="<div>A<br>B</div>")


def test_a_text_answer_is_one_plain_line(practice: Practice) -> None:
    note = practice.post(content=a_question(type="text", answer="ROM <90\n & rest")).json()
    assert note["content"] == a_question(type="text", answer="ROM <90 & rest")


def test_a_very_long_answer_is_taken(practice: Practice) -> None:
    assert practice.post(content=a_question(answer="<p>" + "word " * 200_000 + "</p>")).status_code == 201


# ---------------------------------------------------------------- what becomes of a note


def test_only_the_author_edits_a_note_and_nobody_a_final_one(practice: Practice, clock: Clock) -> None:
    note_id = practice.post().json()["id"]
    other = practice.cliniko.add_user(first_name="B", last_name="C", role="administrator")
    stranger = practice.with_key(practice.cliniko.key_of(other))
    path = f"treatment_notes/{note_id}"
    assert stranger.patch(path, json={"title": "Mine"}).status_code == 403
    clock.pass_seconds(5)
    edited = practice.client.patch(path, json={"title": "New"}).json()
    assert (edited["title"], edited["draft"], edited["content"]) == ("New", True, CONTENT)
    assert edited["updated_at"] == "2026-11-20T01:02:08Z" > edited["created_at"]
    assert practice.client.patch(path, json={"draft": "no"}).status_code == 422
    final = practice.client.patch(path, json={"draft": False}).json()
    assert final["finalized_at"] == "2026-11-20T01:02:08Z"
    assert practice.client.patch(path, json={"title": "Late"}).status_code == 403
    assert practice.client.patch("treatment_notes/1", json={}).status_code == 404


def test_archived_notes_vanish_until_asked_for(practice: Practice) -> None:
    note_id = practice.post().json()["id"]
    path = f"treatment_notes/{note_id}"
    archived = practice.client.post(f"{path}/archive")
    assert (archived.status_code, archived.content) == (204, b"")
    assert practice.client.get(path).status_code == 404
    assert practice.client.patch(path, json={}).status_code == 404
    assert practice.client.post(f"{path}/archive").status_code == 404
    assert practice.ids("treatment_notes") == []
    assert practice.ids("treatment_notes", "archived_at:*") == [note_id]
    assert practice.cliniko.live_notes() == []
    assert practice.client.post(f"{path}/unarchive").json()["archived_at"] is None
    assert practice.ids("treatment_notes") == [note_id]
    assert practice.client.delete(path).status_code == 204
    assert practice.client.get(path).status_code == 404
    assert practice.client.post("treatment_notes/1/unarchive").status_code == 404


def test_a_colleague_cannot_archive_a_note(practice: Practice) -> None:
    note_id = practice.post().json()["id"]
    other = practice.cliniko.add_user(first_name="B", last_name="C")
    stranger = practice.with_key(practice.cliniko.key_of(other))
    for verb in ("archive", "unarchive"):
        assert stranger.post(f"treatment_notes/{note_id}/{verb}").status_code == 403
    admin = practice.with_key(practice.cliniko.key_of(practice.admin))
    assert admin.post(f"treatment_notes/{note_id}/archive").status_code == 204


def test_the_physio_acts_in_between(practice: Practice, clock: Clock) -> None:
    note_id = practice.post().json()["id"]
    booking = a_booking(practice, practice.patient)
    by_hand = practice.cliniko.add_note_by_hand(practice.patient, practice.practitioner, "", None, booking_id=booking)
    clock.pass_seconds(1)
    practice.cliniko.edit_note(note_id, title="Edited", content=a_question(answer="<p>Mine</p>"))
    note = practice.client.get(f"treatment_notes/{note_id}").json()
    assert (note["title"], note["updated_at"]) == ("Edited", "2026-11-20T01:02:04Z")
    practice.cliniko.finalise_note(note_id)
    assert practice.client.get(f"treatment_notes/{note_id}").json()["draft"] is False
    practice.cliniko.archive_note(note_id)
    assert practice.ids("treatment_notes") == [by_hand]
    draft = practice.client.get(f"treatment_notes/{by_hand}").json()
    assert (draft["draft"], draft["content"], last_id(draft, "booking")) == (True, None, booking)


def test_notes_are_listed_under_their_patient_too(practice: Practice) -> None:
    other = practice.cliniko.add_patient(first_name="B", last_name="C")
    note_id = practice.post().json()["id"]
    assert practice.ids(f"patients/{practice.patient}/treatment_notes") == [note_id]
    assert practice.ids(f"patients/{other}/treatment_notes") == []
    assert practice.client.get("patients/1/treatment_notes").status_code == 404


def test_an_account_can_hide_other_peoples_notes(practice: Practice) -> None:
    note_id = practice.post().json()["id"]
    other = practice.cliniko.add_user(first_name="B", last_name="C")
    colleague = practice.with_key(practice.cliniko.key_of(other))
    admin = practice.with_key(practice.cliniko.key_of(practice.admin))
    path = f"treatment_notes/{note_id}"
    assert colleague.get(path).status_code == 200
    practice.cliniko.own_notes_only = True
    assert colleague.get(path).status_code == 404
    assert colleague.get("treatment_notes").json()["total_entries"] == 0
    assert practice.ids("treatment_notes") == [note_id]
    assert admin.get(path).status_code == 200


def test_the_front_desk_reads_no_notes(practice: Practice) -> None:
    desk = practice.cliniko.add_user(first_name="D", last_name="E", role="receptionist", practitioner=False)
    assert practice.with_key(practice.cliniko.key_of(desk)).get("treatment_notes").status_code == 403
    with pytest.raises(KeyError, match="not a practitioner"):
        practice.cliniko.practitioner_of(desk)


def test_a_fresh_note_may_be_missing_from_lists_for_a_while(practice: Practice, clock: Clock) -> None:
    practice.cliniko.list_lag_seconds = 45
    note_id = practice.post().json()["id"]
    assert practice.client.get(f"treatment_notes/{note_id}").status_code == 200
    clock.pass_seconds(44)
    assert practice.ids("treatment_notes") == []
    clock.pass_seconds(1)
    assert practice.ids("treatment_notes") == [note_id]


# ---------------------------------------------------------------- faults of a POST


@pytest.mark.parametrize(
    ("fault", "status", "stored", "is_json"),
    [
        ("commit_then_504", 504, 1, False),
        ("500", 500, 0, True),
        ("502_html", 502, 0, False),
        ("503", 503, 0, False),
        ("408", 408, 0, False),
        ("401", 401, 0, False),
        ("403", 403, 0, False),
        ("404_html", 404, 0, False),
        ("422", 422, 0, True),
        ("429", 429, 0, False),
    ],
)
def test_an_answer_to_a_post_does_not_say_what_was_stored(
    practice: Practice, fault: str, status: int, stored: int, is_json: bool
) -> None:
    practice.cliniko.fail_post(fault)
    answer = practice.post()
    assert answer.status_code == status
    assert ("json" in answer.headers.get("content-type", "")) == is_json
    assert len(practice.cliniko.notes) == stored
    assert practice.post().status_code == 201


@pytest.mark.parametrize(("fault", "stored"), [("drop", 0), ("commit_then_drop", 1), ("cut_201", 1)])
def test_a_lost_answer_leaves_the_note_stored_or_not(practice: Practice, fault: str, stored: int) -> None:
    practice.cliniko.fail_post(fault)
    with pytest.raises(httpx.RemoteProtocolError):
        practice.post()
    assert len(practice.cliniko.notes) == stored


def test_a_201_may_be_unreadable(practice: Practice) -> None:
    practice.cliniko.fail_post("bad_json_201")
    answer = practice.post()
    assert answer.status_code == 201
    with pytest.raises(ValueError, match=r"."):
        answer.json()
    assert len(practice.cliniko.notes) == 1


def test_a_slow_post_stores_first_and_answers_late(practice: Practice) -> None:
    practice.cliniko.fail_post("slow:0.3")
    with pytest.raises(httpx.ReadTimeout):
        practice.client.post("treatment_notes", json=practice.body(), timeout=0.1)
    assert len(practice.cliniko.notes) == 1


def test_silence_after_a_post_stores_nothing(practice: Practice) -> None:
    practice.cliniko.fail_post("stall")
    with pytest.raises(httpx.ReadTimeout):
        practice.client.post("treatment_notes", json=practice.body(), timeout=0.1)
    assert practice.cliniko.notes == {}


def test_a_request_frozen_in_the_network_arrives_later(practice: Practice, clock: Clock) -> None:
    practice.cliniko.fail_post("commit_late:40")
    with pytest.raises(httpx.RemoteProtocolError):
        practice.post()
    clock.pass_seconds(39)
    assert practice.ids("treatment_notes") == []
    clock.pass_seconds(21)
    (note_id,) = practice.ids("treatment_notes")
    note = practice.client.get(f"treatment_notes/{note_id}").json()
    assert note["created_at"] == "2026-11-20T01:02:43Z", "stored when it was due, not when somebody looked"


def test_a_429_names_the_moment_to_come_back(practice: Practice) -> None:
    practice.cliniko.rate_limit_reset_seconds = 7
    practice.cliniko.fail_post("429")
    answer = practice.post()
    assert int(answer.headers["x-ratelimit-reset"]) == int(NOON.timestamp()) + 8, "rounded up"
    assert answer.content == b""


def test_a_refused_note_is_refused_under_any_fault(practice: Practice) -> None:
    practice.cliniko.fail_post("commit_then_drop")
    assert practice.post(title="").status_code == 422


def test_post_faults_wait_their_turn(practice: Practice) -> None:
    practice.cliniko.fail_post("500", times=2, after=1)
    assert [practice.post().status_code for _ in range(4)] == [201, 500, 500, 201]
    with pytest.raises(ValueError, match="unknown fault"):
        practice.cliniko.fail_post("commit_then_sleep")


def test_edits_and_archiving_have_the_same_faults(practice: Practice) -> None:
    note_id = practice.post().json()["id"]
    practice.cliniko.fail("patch", "commit_then_504")
    practice.cliniko.fail("archive", "commit_then_drop")
    path = f"treatment_notes/{note_id}"
    assert practice.client.patch(path, json={"title": "New"}).status_code == 504
    assert practice.cliniko.notes[note_id].title == "New"
    with pytest.raises(httpx.RemoteProtocolError):
        practice.client.post(f"{path}/archive")
    assert practice.cliniko.live_notes() == []


# ---------------------------------------------------------------- faults of a read


@pytest.mark.parametrize(
    ("fault", "status"),
    [("401", 401), ("403", 403), ("404", 404), ("429", 429), ("500", 500), ("502_html", 502)],
)
def test_a_read_can_fail_once(practice: Practice, fault: str, status: int) -> None:
    practice.cliniko.fail("patients", fault)
    assert practice.client.get("patients").status_code == status
    assert practice.client.get("patients").status_code == 200


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("patients", "patients/{patient}"),
        ("notes", "treatment_notes"),
        ("notes", "patients/{patient}/treatment_notes"),
        ("note", "treatment_notes/1"),
        ("practitioners", "practitioners"),
        ("user", "user"),
        ("settings", "settings/public"),
        ("templates", "treatment_note_templates"),
        ("bookings", "bookings"),
        ("bookings", "individual_appointments"),
        ("bookings", "attendees"),
    ],
)
def test_every_read_can_fail(practice: Practice, route: str, path: str) -> None:
    practice.cliniko.fail(route, "502_html")
    assert practice.client.get(path.format(patient=practice.patient)).status_code == 502


def test_a_read_can_be_sent_elsewhere(practice: Practice) -> None:
    practice.cliniko.fail("notes", "redirect")
    answer = practice.client.get("treatment_notes")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://elsewhere.example/")
    practice.cliniko.fail("notes", "foreign_next")
    page = practice.client.get("treatment_notes").json()
    assert page["links"]["next"].startswith("https://elsewhere.example/")


def test_a_read_can_be_a_web_page_or_nothing_known(practice: Practice) -> None:
    practice.cliniko.fail("user", "html_200")
    practice.cliniko.fail("user", "unexpected_shape")
    assert practice.client.get("user").headers["content-type"].startswith("text/html")
    assert "id" not in practice.client.get("user").json()


def test_a_read_can_be_lost_cut_or_slow(practice: Practice) -> None:
    practice.cliniko.fail("user", "drop")
    practice.cliniko.fail("user", "cut")
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            practice.client.get("user")
    practice.cliniko.fail("user", "slow:0.1")
    start = time.monotonic()
    assert practice.client.get("user").status_code == 200
    assert time.monotonic() - start >= 0.1


# ---------------------------------------------------------------- files, and the logic without a network


def test_a_file_is_uploaded_in_three_steps_and_processed_later(practice: Practice, clock: Clock) -> None:
    form = practice.client.get(f"patients/{practice.patient}/attachment_presigned_post").json()
    stored = httpx.post(
        form["url"],
        data=form["fields"],
        files={"file": ("letter.pdf", b"%PDF", "application/pdf")},
        trust_env=False,
    )
    assert stored.status_code == 201
    key = stored.text.partition("<Key>")[2].partition("</Key>")[0]
    assert key.endswith("/letter.pdf")
    body = {"patient_id": practice.patient, "description": "Letter", "upload_url": f"{form['url']}/{key}"}
    made = practice.client.post("patient_attachments", json=body)
    assert made.status_code == 201
    assert (made.json()["processing_completed"], made.json()["filename"]) == (False, None)
    clock.pass_seconds(2)
    done = practice.client.get(f"patient_attachments/{made.json()['id']}").json()
    assert (done["processing_completed"], done["filename"]) == (True, "letter.pdf")
    assert practice.client.post("patient_attachments", json={}).status_code == 422
    assert practice.client.get("patient_attachments/1").status_code == 404
    assert practice.client.get("patients/1/attachment_presigned_post").status_code == 404
    assert httpx.post(form["url"], data={}, trust_env=False).status_code == 400


def test_the_logic_answers_without_a_network(practice: Practice) -> None:
    reply = practice.cliniko.handle(Request("GET", "/v1/user"))
    assert (reply.status, reply.headers["Date"]) == (401, "Fri, 20 Nov 2026 01:02:03 GMT")
    key = practice.cliniko.key_of(practice.user)
    authorization = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
    headers = {"authorization": authorization, "content-type": "application/json"}
    post = Request("POST", "/v1/treatment_notes", [], headers, json.dumps(practice.body()).encode())
    practice.cliniko.fail_post("slow:40")
    late = practice.cliniko.handle(post)
    assert (late.status, late.delay_seconds) == (201, 40.0)
    practice.cliniko.fail_post("commit_then_drop")
    assert practice.cliniko.handle(post).wire is Wire.DROP
    assert len(practice.cliniko.notes) == 2
    assert [each.path for each in practice.cliniko.requests] == ["/v1/user"] + ["/v1/treatment_notes"] * 2


def test_notes_posted_at_the_same_moment_are_all_kept(practice: Practice) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: practice.post(title=f"Note {n}"), range(40)))
    assert {each.status_code for each in answers} == {201}
    assert {each.json()["id"] for each in answers} == practice.cliniko.notes.keys()
    assert len(practice.cliniko.requests) == len(practice.cliniko.notes) == 40


def test_the_same_seed_gives_the_same_ids() -> None:
    def ids(seed: int) -> list[str]:
        cliniko = ClinikoSandbox(now=Clock(), seed=seed)
        user = cliniko.add_user(first_name="A", last_name="B")
        return [user, cliniko.key_of(user), cliniko.add_patient(first_name="C", last_name="D")]

    assert ids(1) == ids(1) != ids(2)
