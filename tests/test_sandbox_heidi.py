"""The Heidi stand-in behaves as its reference pages and its clients say, over real sockets."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sync_worker.sandbox import Sandbox
from sync_worker.sandbox.heidi import BASE_PATH, HeidiSandbox
from sync_worker.sandbox.wire import LoopbackServer, Reply, Request, Wire

NOON = datetime(2026, 11, 20, 1, 2, 3, 456789, tzinfo=UTC)


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment

    def pass_seconds(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def heidi(clock: Clock) -> HeidiSandbox:
    heidi = HeidiSandbox(now=clock)
    heidi.add_clinician(email="a.physio@example.com", user_id="physio-1")
    heidi.add_clinician(email="b.physio@example.com", user_id="physio-2")
    return heidi


@pytest.fixture
def client(heidi: HeidiSandbox) -> Iterator[httpx.Client]:
    with (
        LoopbackServer(heidi.handle) as server,
        httpx.Client(base_url=server.url + BASE_PATH, trust_env=False, timeout=5) as client,
    ):
        yield client


def sign_in(client: httpx.Client, email: str = "a.physio@example.com", user_id: str = "physio-1") -> dict[str, str]:
    params = {"email": email, "third_party_internal_id": user_id}
    answer = client.get("jwt", params=params, headers={"Heidi-Api-Key": "sandbox-heidi-key"})
    assert answer.status_code == 200
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def a_session(heidi: HeidiSandbox, clinician: str = "physio-1", **fields: Any) -> str:
    return heidi.add_session(**{"clinician": clinician, "patient_name": "Test Person", "created_at": NOON} | fields)


def list_ids(client: httpx.Client, **params: Any) -> list[str]:
    answer = client.get("sessions/linked-user", params=params, headers=sign_in(client))
    return [row["session_id"] for row in answer.json()["data"]]


# ---------------------------------------------------------------- sign-in and link


def test_a_token_is_given_for_key_and_user_and_says_when_it_ends(client: httpx.Client) -> None:
    params = {"email": "a.physio@example.com", "third_party_internal_id": "physio-1"}
    answer = client.get("jwt", params=params, headers={"heidi-api-key": "sandbox-heidi-key"}).json()
    assert answer["token"].count(".") == 2
    assert answer["expiration_time"] == "2026-11-20T02:02:03.456Z"


def test_a_wrong_key_gets_no_token(client: httpx.Client) -> None:
    params = {"email": "a.physio@example.com", "third_party_internal_id": "physio-1"}
    assert client.get("jwt", params=params, headers={"Heidi-Api-Key": "wrong"}).status_code == 401
    assert client.get("jwt", params=params).status_code == 401


def test_sign_in_without_a_user_is_a_validation_error(client: httpx.Client) -> None:
    answer = client.get("jwt", headers={"Heidi-Api-Key": "sandbox-heidi-key"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "email"]


def test_a_token_works_until_it_expires(client: httpx.Client, heidi: HeidiSandbox, clock: Clock) -> None:
    heidi.token_lifetime_seconds = 60
    token = sign_in(client)
    clock.pass_seconds(59)
    assert client.get("sessions/linked-user", headers=token).status_code == 200
    clock.pass_seconds(1)
    assert client.get("sessions/linked-user", headers=token).status_code == 401
    assert client.get("sessions/linked-user", headers=sign_in(client)).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic abc"])
def test_without_a_good_token_nothing_is_read(client: httpx.Client, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    for path in ("sessions/linked-user", "users/linked-account/access", "sessions/1", "sessions/1/documents"):
        assert client.get(path, headers=headers).status_code == 401


@pytest.mark.parametrize("status", [400, 403])
def test_a_clinician_who_is_not_linked_gets_a_token_and_reads_nothing(
    client: httpx.Client, heidi: HeidiSandbox, status: int
) -> None:
    heidi.unlinked_status = status
    heidi.unlink("a.physio@example.com")
    token = sign_in(client)
    access = client.get("users/linked-account/access", headers=token).json()
    assert access == {"is_valid": True, "is_linked": False, "account": None}
    answer = client.get("sessions/linked-user", headers=token)
    assert answer.status_code == status
    assert answer.json()["detail"]["msg"] == "Linked Account is required"


def test_linking_opens_the_clinicians_sessions(client: httpx.Client, heidi: HeidiSandbox) -> None:
    session_id = a_session(heidi)
    heidi.unlink("a.physio@example.com")
    heidi.link("a.physio@example.com")
    access = client.get("users/linked-account/access", headers=sign_in(client)).json()
    assert access["is_linked"] is True
    assert re.fullmatch(r"kp_[0-9a-f]{32}", access["account"]["user_id"])
    assert list_ids(client) == [session_id]


@pytest.mark.parametrize(
    ("email", "user_id"), [("a.phisio@example.com", "physio-1"), ("a.physio@example.com", "physio-l")]
)
def test_a_typing_error_in_the_user_is_another_user_who_is_not_linked(
    client: httpx.Client, heidi: HeidiSandbox, email: str, user_id: str
) -> None:
    a_session(heidi)
    token = sign_in(client, email, user_id)
    assert client.get("users/linked-account/access", headers=token).json()["is_linked"] is False
    assert client.get("sessions/linked-user", headers=token).status_code == 400


def test_an_account_is_linked_by_its_id_to_one_user_only(client: httpx.Client, heidi: HeidiSandbox) -> None:
    heidi.unlink("a.physio@example.com")
    body = {"kinde_user_id": heidi.clinicians["physio-1"].kinde_user_id}
    first, second = sign_in(client), sign_in(client, "c.physio@example.com", "physio-3")
    account = client.post("users/linked-account", json=body, headers=first).json()["account"]
    assert re.fullmatch(r"[0-9a-f]{24}", account["_id"])
    assert account["created_at"] == "2026-11-20T01:02:03.456789"
    refused = client.post("users/linked-account", json=body, headers=second)
    assert refused.json()["detail"]["type"] == "OpenAPIHeidiAccountAlreadyLinkedError"
    assert client.delete("users/linked-account:unlink", headers=first).json() == {"is_success": True}
    assert client.get("users/linked-account/access", headers=first).json()["is_linked"] is False


def test_linking_needs_a_known_account(client: httpx.Client) -> None:
    token = sign_in(client)
    assert client.post("users/linked-account", json={}, headers=token).status_code == 422
    unknown = client.post("users/linked-account", json={"kinde_user_id": "kp_x"}, headers=token)
    assert unknown.status_code == 404


# ---------------------------------------------------------------- the session list


def test_ids_are_long_decimal_strings_and_stamps_have_no_zone(client: httpx.Client, heidi: HeidiSandbox) -> None:
    session_id = a_session(heidi, created_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC), duration=60)
    assert re.fullmatch(r"[1-9]\d{37}", session_id)
    row = client.get("sessions/linked-user", headers=sign_in(client)).json()["data"][0]
    assert row["session_id"] == session_id
    assert (row["created_at"], row["updated_at"]) == (
        "2026-11-20T12:00:00.000000",
        "2026-11-20T12:01:00.000000",
    )


def test_the_list_comes_in_pages(client: httpx.Client, heidi: HeidiSandbox) -> None:
    all_ids = {a_session(heidi, created_at=NOON - timedelta(minutes=n)) for n in range(7)}
    pages = [list_ids(client, page=page, page_size=3) for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert {each for page in pages for each in page} == all_ids


def test_a_page_is_never_larger_than_allowed(client: httpx.Client, heidi: HeidiSandbox) -> None:
    heidi.max_page_size = 2
    for _ in range(3):
        a_session(heidi)
    assert len(list_ids(client, page_size=200)) == 2


@pytest.mark.parametrize("params", [{"page": "0"}, {"page": "x"}, {"page_size": "-1"}])
def test_a_page_that_is_no_number_is_a_validation_error(client: httpx.Client, params: dict[str, str]) -> None:
    answer = client.get("sessions/linked-user", params=params, headers=sign_in(client))
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], list)


def test_a_server_without_pages_gives_the_first_page_for_ever(client: httpx.Client, heidi: HeidiSandbox) -> None:
    heidi.ignores_page = True
    for _ in range(3):
        a_session(heidi)
    assert list_ids(client, page=1, page_size=2) == list_ids(client, page=2, page_size=2)


def test_the_list_can_be_wrapped_in_three_ways(client: httpx.Client, heidi: HeidiSandbox) -> None:
    for _ in range(3):
        a_session(heidi)

    def page() -> Any:
        params = {"page": 1, "page_size": 2}
        return client.get("sessions/linked-user", params=params, headers=sign_in(client)).json()

    data = page()
    assert {"count": 2, "total_count": 3, "has_next": True, "has_previous": False}.items() <= data.items()
    heidi.envelope = "sessions"
    assert set(page()) == {"sessions", "count", "has_next_page"}
    heidi.envelope = "bare"
    assert [row["session_id"] for row in page()] == [row["session_id"] for row in data["data"]]


def test_the_list_can_come_in_four_orders(client: httpx.Client, heidi: HeidiSandbox) -> None:
    ids = [
        a_session(heidi, created_at=NOON - timedelta(days=n), updated_at=NOON + timedelta(days=n % 3)) for n in range(6)
    ]
    seen = {}
    for order in ("newest", "oldest", "updated", "random"):
        heidi.order = order
        seen[order] = list_ids(client)
        assert sorted(seen[order]) == sorted(ids)
    assert seen["newest"] == ids
    assert seen["oldest"] == ids[::-1]
    assert seen["updated"][0] in (ids[2], ids[5])
    assert len({tuple(each) for each in seen.values()}) == 4
    assert list_ids(client) == seen["random"], "the same from page to page"


def test_rows_carry_the_patient_only_when_switched_on(client: httpx.Client, heidi: HeidiSandbox) -> None:
    a_session(heidi, birth_date="1980-01-02")

    def row() -> dict[str, Any]:
        return client.get("sessions/linked-user", headers=sign_in(client)).json()["data"][0]

    assert "patient" not in row()
    heidi.rows_carry_patient = True
    assert row()["patient"] == {"name": "Test Person", "gender": None, "dob": "1980-01-02"}


def test_rows_come_twice_while_the_list_shifts(client: httpx.Client, heidi: HeidiSandbox) -> None:
    heidi.shifts_pages = True
    ids = [a_session(heidi, created_at=NOON - timedelta(minutes=n)) for n in range(4)]
    first, second, third = (list_ids(client, page=page, page_size=2) for page in (1, 2, 3))
    assert (first, second, third) == (ids[0:2], ids[1:3], ids[2:4])


def test_a_filter_that_heidi_does_not_know_does_not_filter(client: httpx.Client, heidi: HeidiSandbox) -> None:
    a_session(heidi)
    assert len(list_ids(client, updated_since="2099-01-01", status="x", cursor="y", sort="z")) == 1


def test_a_clinician_sees_only_their_own_sessions(client: httpx.Client, heidi: HeidiSandbox) -> None:
    theirs = a_session(heidi, clinician="physio-2")
    heidi.add_document(theirs, name="Letter", content="Text")
    token = sign_in(client)
    assert list_ids(client) == []
    for path in (f"sessions/{theirs}", f"sessions/{theirs}/documents"):
        answer = client.get(path, headers=token)
        assert answer.status_code == 404
        assert answer.json()["detail"]["type"] == "SessionNotFoundError"


def test_a_shared_session_is_in_both_lists(client: httpx.Client, heidi: HeidiSandbox) -> None:
    shared = a_session(heidi, clinician="physio-2")
    heidi.share_session(shared, "physio-1")
    assert list_ids(client) == [shared]


# ---------------------------------------------------------------- a session


def get_session(client: httpx.Client, session_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"sessions/{session_id}", headers=sign_in(client)).json()["session"]
    return answer


def test_a_session_without_anything_known_of_the_patient(client: httpx.Client, heidi: HeidiSandbox) -> None:
    session = get_session(client, a_session(heidi, patient_name=""))
    assert session["patient"] == {"name": "", "gender": None, "dob": None}
    for name in ("documents", "ehr_patient_id", "ehr_appt_id", "consult_note"):
        assert session[name] is None
    assert "patient_profile" not in session
    assert "consent_obtained" not in session


def test_a_session_with_everything_known(client: httpx.Client, heidi: HeidiSandbox) -> None:
    session_id = a_session(
        heidi,
        birth_date="1980-01-02",
        gender="MALE",
        ehr_patient_id="77",
        email="p@example.com",
        consent_obtained=False,
        session_id="123",
    )
    session = get_session(client, session_id)
    assert session["session_id"] == "123"
    assert session["ehr_patient_id"] == "77"
    assert session["consent_obtained"] is False
    profile_id = session["patient_profile"]["id"]
    profile = client.get(f"patient-profiles/{profile_id}", headers=sign_in(client)).json()["data"]
    assert (profile["email"], profile["birth_date"]) == ("p@example.com", "1980-01-02")


def test_the_session_may_come_without_its_envelope(client: httpx.Client, heidi: HeidiSandbox) -> None:
    session_id = a_session(heidi)
    heidi.session_envelope = False
    assert client.get(f"sessions/{session_id}", headers=sign_in(client)).json()["session_id"] == session_id


def test_a_consult_note_has_a_status_that_says_little(client: httpx.Client, heidi: HeidiSandbox) -> None:
    session_id = a_session(heidi, consult_note="")
    assert get_session(client, session_id)["consult_note"]["status"] == "CREATED"
    assert get_session(client, session_id)["consult_note"]["result"] == ""
    for status, result in (("CREATED", "Text"), ("COMPLETED", "Text"), ("NEVER_SEEN", "Text")):
        heidi.edit_consult_note(session_id, status=status, result=result)
        note = get_session(client, session_id)["consult_note"]
        assert (note["status"], note["result"]) == (status, result)


def test_a_corrected_patient_changes_the_session_and_a_corrected_profile_does_not(
    client: httpx.Client, heidi: HeidiSandbox, clock: Clock
) -> None:
    session_id = a_session(heidi, email="p@example.com")
    before = get_session(client, session_id)
    clock.pass_seconds(3600)
    heidi.edit_profile(session_id, birth_date="1970-01-01")
    assert get_session(client, session_id)["updated_at"] == before["updated_at"]
    heidi.edit_patient(session_id, patient_name="Other Person")
    after = get_session(client, session_id)
    assert after["patient"]["name"] == "Other Person"
    assert after["updated_at"] > before["updated_at"]
    with pytest.raises(TypeError, match="no field 'nmae'"):
        heidi.edit_patient(session_id, nmae="x")


def test_a_deleted_session_is_not_found(client: httpx.Client, heidi: HeidiSandbox) -> None:
    session_id = a_session(heidi)
    heidi.delete_session(session_id)
    assert client.get(f"sessions/{session_id}", headers=sign_in(client)).status_code == 404


def test_profiles_are_found_by_the_linked_id(client: httpx.Client, heidi: HeidiSandbox) -> None:
    a_session(heidi, email="p@example.com", ehr_patient_id="77")
    a_session(heidi, email="q@example.com")
    answer = client.get("patient-profiles", params={"ehr_patient_id": "77"}, headers=sign_in(client)).json()
    assert [each["email"] for each in answer["data"]] == ["p@example.com"]
    assert answer["total_pages"] == 1
    assert client.get("patient-profiles/none", headers=sign_in(client)).status_code == 404


def test_templates_are_listed_by_sort(client: httpx.Client, heidi: HeidiSandbox) -> None:
    letter, note = heidi.add_template(name="Letter"), heidi.add_template(name="SOAP", document=False)
    for path, expected in (("document-templates", letter), ("consult-note-templates", note)):
        listed = client.get(f"templates/{path}", headers=sign_in(client)).json()["templates"]
        assert [each["id"] for each in listed] == [expected]


# ---------------------------------------------------------------- documents


def get_documents(client: httpx.Client, session_id: str) -> list[dict[str, Any]]:
    answer = client.get(f"sessions/{session_id}/documents", headers=sign_in(client))
    listed: list[dict[str, Any]] = answer.json()["documents"]
    return listed


def test_documents_lack_a_content_type_unless_switched_on(client: httpx.Client, heidi: HeidiSandbox) -> None:
    session_id = a_session(heidi)
    heidi.add_document(session_id, name="Letter", content="<p>Hi</p>", content_type="HTML", template_id="t")
    heidi.add_document(session_id, name="Plan", content="Hi")
    assert all("content_type" not in each for each in get_documents(client, session_id))
    heidi.documents_carry_content_type = True
    letter, plan = get_documents(client, session_id)
    assert letter["content_type"] == "HTML"
    assert "content_type" not in plan
    assert (letter["name"], letter["template_id"], letter["index"]) == ("Letter", "t", 0)
    assert re.fullmatch(r"[0-9a-f]{24}", letter["id"])
    assert not {"status", "created_at", "updated_at"} & letter.keys()


@pytest.mark.parametrize("envelope", ["documents", "data", "bare"])
def test_documents_can_be_wrapped_in_three_ways(client: httpx.Client, heidi: HeidiSandbox, envelope: str) -> None:
    session_id = a_session(heidi)
    document_id = heidi.add_document(session_id, name="Letter", content="Text")
    heidi.documents_envelope = envelope
    answer = client.get(f"sessions/{session_id}/documents", headers=sign_in(client)).json()
    items = answer if envelope == "bare" else answer[envelope]
    assert [each["id"] for each in items] == [document_id]


def test_a_document_is_empty_first_then_filled_then_edited_under_one_id(
    client: httpx.Client, heidi: HeidiSandbox
) -> None:
    session_id = a_session(heidi)
    document_id = heidi.add_document(session_id, name="Letter", content=None)
    seen = []
    for content in (None, "First", "Second"):
        heidi.edit_document(document_id, content)
        seen += [(each["id"], each["content"]) for each in get_documents(client, session_id)]
    assert seen == [(document_id, None), (document_id, "First"), (document_id, "Second")]


def test_a_regenerated_document_has_a_new_id_and_the_same_name(client: httpx.Client, heidi: HeidiSandbox) -> None:
    session_id = a_session(heidi)
    old = heidi.add_document(session_id, name="Letter", content="Old")
    new = heidi.regenerate_document(old, "New")
    assert [(each["id"], each["name"]) for each in get_documents(client, session_id)] == [
        (old, "Letter"),
        (new, "Letter"),
    ]
    newest = heidi.regenerate_document(new, "Newest", replaces=True)
    assert [(each["id"], each["index"]) for each in get_documents(client, session_id)] == [
        (old, 0),
        (newest, 1),
    ]


def test_reordering_changes_the_index_and_deleting_removes(client: httpx.Client, heidi: HeidiSandbox) -> None:
    session_id = a_session(heidi)
    first, second = (heidi.add_document(session_id, name=name, content=name) for name in ("A", "B"))
    heidi.reorder_documents(session_id)
    assert [(each["id"], each["index"]) for each in get_documents(client, session_id)] == [
        (second, 0),
        (first, 1),
    ]
    heidi.delete_document(second)
    assert [(each["id"], each["index"]) for each in get_documents(client, session_id)] == [(first, 0)]
    with pytest.raises(KeyError):
        heidi.edit_document(second, "gone")


def test_a_document_added_days_later_may_leave_the_session_unchanged(
    client: httpx.Client, heidi: HeidiSandbox, clock: Clock
) -> None:
    session_id = a_session(heidi)
    before = get_session(client, session_id)["updated_at"]
    clock.pass_seconds(3 * 86400)
    heidi.add_document(session_id, name="Late", content="Text", touch=False)
    assert get_session(client, session_id)["updated_at"] == before
    heidi.add_document(session_id, name="Later", content="Text")
    assert get_session(client, session_id)["updated_at"] == "2026-11-23T01:02:03.456789"


@pytest.mark.parametrize(
    "content",
    [
        "# Heading\n- glued to a list\n  - nested",
        "| A | B |\n|---|---|\n| 1 | 2 |",
        '<p style="color:red">a&nbsp;b &amp; c</p><script>alert(1)</script>',
        "Zoë Nguyễn 🦵 ROM <90°",
        "x" * 300_000,
        " \n\t ",
    ],
    ids=["markdown", "table", "html", "unicode", "long", "blank"],
)
def test_any_body_arrives_as_it_was_written(client: httpx.Client, heidi: HeidiSandbox, content: str) -> None:
    session_id = a_session(heidi)
    heidi.add_document(session_id, name="Letter", content=content, content_type="MARKDOWN")
    assert get_documents(client, session_id)[0]["content"] == content


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("fault", "status", "detail"),
    [
        ("404", 404, {"msg": "Session not found", "type": "SessionNotFoundError"}),
        ("422", 422, list),
        ("detail_text", 400, str),
        ("401", 401, str),
        ("429", 429, str),
        ("429_retry_after", 429, str),
        ("500", 500, str),
    ],
)
def test_an_error_fault_spoils_one_request_and_no_more(
    client: httpx.Client, heidi: HeidiSandbox, fault: str, status: int, detail: Any
) -> None:
    token = sign_in(client)
    heidi.fail("sessions", fault)
    answer = client.get("sessions/linked-user", headers=token)
    assert answer.status_code == status
    found = answer.json()["detail"]
    assert isinstance(found, detail) if isinstance(detail, type) else found == detail
    assert ("retry-after" in answer.headers) == (fault == "429_retry_after")
    assert client.get("sessions/linked-user", headers=token).status_code == 200


def test_a_gateway_page_and_a_sign_in_page_are_html(client: httpx.Client, heidi: HeidiSandbox) -> None:
    heidi.fail("jwt", "502_html")
    heidi.fail("jwt", "html_200")
    for status in (502, 200):
        answer = client.get("jwt")
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")


def test_an_unexpected_shape_is_good_json_with_nothing_known(client: httpx.Client, heidi: HeidiSandbox) -> None:
    heidi.fail("documents", "unexpected_shape")
    answer = client.get("sessions/1/documents")
    assert answer.status_code == 200
    assert not {"documents", "data"} & answer.json().keys()


def test_a_slow_reply_outlasts_a_short_timeout(client: httpx.Client, heidi: HeidiSandbox) -> None:
    token = sign_in(client)
    heidi.fail("sessions", "slow:0.3")
    with pytest.raises(httpx.ReadTimeout):
        client.get("sessions/linked-user", headers=token, timeout=0.1)
    heidi.fail("sessions", "slow:0.2")
    start = time.monotonic()
    assert client.get("sessions/linked-user", headers=token).status_code == 200
    assert time.monotonic() - start >= 0.2


def test_a_dropped_line_gives_no_answer(client: httpx.Client, heidi: HeidiSandbox) -> None:
    heidi.fail("access", "drop")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.get("users/linked-account/access")


def test_a_cut_body_is_shorter_than_promised(client: httpx.Client, heidi: HeidiSandbox) -> None:
    token, session_id = sign_in(client), a_session(heidi)
    heidi.fail("session", "cut")
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        client.get(f"sessions/{session_id}", headers=token)


def test_silence_lasts_until_the_client_gives_up(client: httpx.Client, heidi: HeidiSandbox) -> None:
    heidi.fail("profile", "stall")
    with pytest.raises(httpx.ReadTimeout):
        client.get("patient-profiles/1", timeout=0.1)


def test_a_dripping_reply_never_times_out_between_bytes_yet_takes_long(heidi: HeidiSandbox) -> None:
    heidi.fail("templates", "drip")
    assert heidi.handle(Request("GET", f"{BASE_PATH}templates/document-templates")).wire is Wire.DRIP
    with LoopbackServer(lambda _: Reply(200, body=b"slow", wire=Wire.DRIP)) as server:
        start = time.monotonic()
        assert httpx.get(server.url, trust_env=False, timeout=0.5).text == "slow"
        assert time.monotonic() - start > 0.7


def test_faults_wait_their_turn_and_repeat(client: httpx.Client, heidi: HeidiSandbox) -> None:
    heidi.fail("jwt", "500", times=2, after=1)
    heidi.fail("jwt", "429")
    statuses = [client.get("jwt").status_code for _ in range(5)]
    assert statuses == [401, 500, 500, 429, 401]


def test_a_mistyped_fault_is_refused(heidi: HeidiSandbox) -> None:
    for route, fault in (("nowhere", "500"), ("jwt", "501"), ("jwt", "slow"), ("jwt", "slow:soon")):
        with pytest.raises(ValueError, match=r"unknown|convert"):
            heidi.fail(route, fault)


# ---------------------------------------------------------------- the wire


def test_every_request_is_remembered_and_an_unknown_route_is_not_found(
    client: httpx.Client, heidi: HeidiSandbox
) -> None:
    answer = client.get("nowhere", params={"a": "1+2 &"}, headers={"X-Case": "Kept"})
    assert answer.status_code == 404
    seen = heidi.requests[-1]
    assert (seen.method, seen.path, seen.query) == ("GET", BASE_PATH + "nowhere", [("a", "1+2 &")])
    assert seen.headers["x-case"] == "Kept"
    assert heidi.handle(Request("GET", "/elsewhere")).status == 404


def test_the_logic_answers_without_a_network(heidi: HeidiSandbox) -> None:
    query = [("email", "a.physio@example.com"), ("third_party_internal_id", "physio-1")]
    reply = heidi.handle(Request("GET", f"{BASE_PATH}jwt", query, {"heidi-api-key": "sandbox-heidi-key"}))
    assert (reply.status, reply.wire, reply.delay_seconds) == (200, Wire.WHOLE, 0.0)
    heidi.fail("jwt", "drop")
    assert heidi.handle(Request("GET", f"{BASE_PATH}jwt")).wire is Wire.DROP


def test_a_stopped_server_hangs_up_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    server = LoopbackServer(lambda _: Reply(0, wire=Wire.STALL))
    server.start()
    gone = threading.Event()

    def wait_for_silence_to_end() -> None:
        with pytest.raises(httpx.TransportError):
            httpx.get(server_url, trust_env=False, timeout=20)
        gone.set()

    server_url = server.url
    waiting = threading.Thread(target=wait_for_silence_to_end)
    waiting.start()
    with httpx.Client(trust_env=False) as idle:
        with pytest.raises(httpx.ReadTimeout):
            idle.get(server_url, timeout=0.1)
        start = time.monotonic()
        server.stop()
    assert time.monotonic() - start < 1
    assert gone.wait(2)
    waiting.join()
    assert set(threading.enumerate()) <= before
    server.stop()
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.url
    with pytest.raises(httpx.ConnectError):
        httpx.get(server_url, trust_env=False)


def test_a_body_of_unknown_length_is_refused(client: httpx.Client) -> None:
    assert client.post("users/linked-account", content=iter([b"{}"])).status_code == 411


def test_a_malformed_request_is_refused_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    with LoopbackServer(lambda _: Reply(204)) as server:
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=2) as line:
            line.sendall(b"GET /patients?name=secret HTTP/9.9\r\n\r\n")
            assert b" 505 " in line.recv(4096)
    assert capfd.readouterr() == ("", "")


def test_both_stand_ins_start_together_and_say_where_they_are() -> None:
    with Sandbox() as sandbox:
        environment = sandbox.environment()
        assert environment["HEIDI_BASE_URL"] == sandbox.heidi_url
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/v2/ml-scribe/open-api/", sandbox.heidi_url)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1/", environment["CLINIKO_BASE_URL"])
        assert environment["HEIDI_API_KEY"] == sandbox.heidi.api_key
        assert (environment["HEIDI_REGION"], "@" in environment["CLINIKO_CONTACT_EMAIL"]) == ("au", True)
        for address in (sandbox.heidi_url + "jwt", sandbox.cliniko_url + "user"):
            assert httpx.get(address, trust_env=False).status_code == 401


def test_a_taken_port_is_an_error_and_leaves_nothing_open() -> None:
    with LoopbackServer(lambda _: Reply(204)) as taken:
        port = int(taken.url.rpartition(":")[2])
        sandbox = Sandbox(cliniko_port=port)
        with pytest.raises(OSError, match=f"port {port} cannot be used"):
            sandbox.start()
        with pytest.raises(RuntimeError):
            _ = sandbox.heidi_url
