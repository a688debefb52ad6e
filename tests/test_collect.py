"""Taking in sessions: every order and envelope, sessions that cannot be read, and what comes late."""

from datetime import timedelta

import pytest

from sync_worker.ledger.views import Views
from sync_worker.sandbox.wire import Reply, Request, json_reply
from tests.conftest import Clinic


def unreadable(clinic: Clinic, sessions: list[str], status: int) -> list[str]:
    """Let the documents of these sessions answer with a status, for good; the answer lists what was asked in vain."""
    answer = clinic.heidi.handle
    in_vain: list[str] = []

    def handle(request: Request) -> Reply:
        if request.path.endswith("/documents") and any(one in request.path for one in sessions):
            in_vain.append(request.path)
            return json_reply(status, {"detail": "no"})
        return answer(request)

    clinic.sandbox._heidi_server._server.app = handle
    return in_vain


def filed(clinic: Clinic) -> int:
    return Views(clinic.ledger.engine).entry_counts()["posted"]


@pytest.mark.parametrize("order", ["newest", "oldest", "updated", "random"])
@pytest.mark.parametrize("envelope", ["data", "sessions", "bare"])
def test_every_session_of_several_pages_is_found_whatever_the_order(clinic: Clinic, order: str, envelope: str) -> None:
    clinic.heidi.order, clinic.heidi.envelope, clinic.heidi.max_page_size = order, envelope, 10
    clinic.a_patient()
    for number in range(22):
        clinic.a_document(
            clinic.a_session(created_at=clinic.clock.now() - timedelta(minutes=number)), f"# N\n\n{number}"
        )
    report = clinic.tick()
    assert (report.tally.sessions_seen, report.tally.posted, report.trouble) == (22, 22, None)
    clinic.a_document(clinic.a_session(), "# One more")
    assert clinic.tick().tally.posted == 1


def test_sessions_of_one_equal_stamp_are_all_found(clinic: Clinic) -> None:
    clinic.heidi.max_page_size = 20
    clinic.a_patient()
    at = clinic.clock.now() - timedelta(hours=1)
    for number in range(70):
        session = clinic.a_session(created_at=at, updated_at=at)
        clinic.a_document(session, f"# N\n\n{number}", touch=False)
    assert clinic.tick().tally.posted == 70


def test_a_poll_between_sweeps_reads_only_what_brings_news(clinic: Clinic) -> None:
    clinic.heidi.max_page_size = 20
    for number in range(60):
        at = clinic.clock.now() - timedelta(hours=5, minutes=number)
        clinic.a_session(created_at=at, updated_at=at)
    clinic.tick()
    clinic.clock.advance(120)
    before = len(clinic.heidi.requests)
    clinic.tick(full=False)
    asked = [request.path.rpartition("/")[2] for request in clinic.heidi.requests[before:]]
    assert asked == ["linked-user"]


def test_a_server_that_does_not_turn_pages_is_told(clinic: Clinic) -> None:
    clinic.heidi.max_page_size, clinic.heidi.ignores_page = 20, True
    for _ in range(30):
        clinic.a_session()
    assert clinic.tick().trouble.code == "heidi_list_repeats"


@pytest.mark.parametrize("status", [403, 404, 500])
def test_sessions_that_cannot_be_read_stop_no_other_one(clinic: Clinic, status: int) -> None:
    clinic.a_patient()
    sessions = [clinic.a_session() for _ in range(8)]
    for session in sessions:
        clinic.a_document(session)
    unreadable(clinic, sessions[1:6:2], status)
    clinic.tick()
    clinic.clock.advance(120)
    clinic.tick()
    assert filed(clinic) == 5
    clinic.a_document(clinic.a_session(), "# New")
    clinic.clock.advance(120)
    clinic.tick()
    assert filed(clinic) == 6
    unreadable(clinic, [], status)
    clinic.ticks(3, every=4000)
    assert filed(clinic) == 9


def test_three_entries_that_always_fail_starve_no_later_one(clinic: Clinic) -> None:
    bad = clinic.a_patient(first="Slow", born="1955-05-05")
    for _ in range(3):
        clinic.a_document(clinic.a_session("Slow Jones", "1955-05-05"))
    answer = clinic.cliniko.handle

    def handle(request: Request) -> Reply:
        if any("1955-05-05" in value for _, value in request.query):
            return json_reply(500, {})
        return answer(request)

    clinic.sandbox._cliniko_server._server.app = handle
    clinic.tick()
    clinic.a_patient()
    clinic.a_document(clinic.a_session())
    clinic.clock.advance(120)
    clinic.ticks(3)
    assert filed(clinic) == 1
    assert bad not in {note.patient_id for note in clinic.notes()}


def test_a_session_that_was_gone_for_a_moment_is_filed_when_it_is_back(clinic: Clinic) -> None:
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    _, session, _ = clinic.a_finished_document()
    clinic.tick()
    answer = clinic.heidi.handle
    clinic.sandbox._heidi_server._server.app = lambda request: (
        json_reply(404, {"detail": "gone"}) if session in request.path else answer(request)
    )
    clinic.clock.advance(120)
    clinic.tick()
    assert Views(clinic.ledger.engine).review_reasons() == {"source_gone": 1}
    clinic.sandbox._heidi_server._server.app = answer
    clinic.heidi.touch_session(session)
    clinic.ticks(8)
    assert filed(clinic) == 1


def test_a_text_rests_between_two_reads_however_long_the_walk_took(clinic: Clinic) -> None:
    clinic.restart(SYNC_SETTLE_SECONDS="30", HEIDI_TIMEOUT_SECONDS="100")
    clinic.a_patient()
    answer = clinic.heidi.handle

    def slowly(request: Request) -> Reply:
        if request.path.endswith("/documents"):
            clinic.clock.advance(15)
        return answer(request)

    clinic.sandbox._heidi_server._server.app = slowly
    for _ in range(3):
        clinic.a_document(clinic.a_session())
    clinic.tick()  # the first text is 45 seconds old by then, and was read once
    assert filed(clinic) == 0
    clinic.clock.advance(60)
    clinic.tick()
    assert filed(clinic) == 3


def test_a_heidi_whose_documents_are_down_is_left_alone_after_three_tries(clinic: Clinic) -> None:
    clinic.a_patient()
    sessions = [clinic.a_session() for _ in range(10)]
    for session in sessions:
        clinic.a_document(session)
    clinic.tick()
    in_vain = unreadable(clinic, sessions, 500)  # all of them are read again at every poll, since they changed lately
    clinic.clock.advance(120)
    assert clinic.tick(full=False).trouble.code == "heidi_unavailable"
    assert len(set(in_vain)) == 3


def test_the_cursor_stays_where_it_is_when_the_ledger_cannot_take_the_documents(clinic: Clinic) -> None:
    clinic.tick()
    before = clinic.ledger.clinicians.enter("physio-1")
    clinic.a_patient()
    clinic.a_document(clinic.a_session())
    clinic.clock.advance(120)
    with clinic.ledger.engine.begin() as db:
        db.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'full'); END")
    assert clinic.tick(full=False).trouble is not None
    after = clinic.ledger.clinicians.enter("physio-1")
    assert (after.cursor_at, after.last_poll_at) == (before.cursor_at, before.last_poll_at)
    with clinic.ledger.engine.begin() as db:
        db.exec_driver_sql("DROP TRIGGER full")
    clinic.tick(full=False)
    assert filed(clinic) == 1
