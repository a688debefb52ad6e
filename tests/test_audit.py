"""The audit: each thing that can be off is really done to the stand-ins or the ledger, and is found."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sync_worker.cliniko import ClinikoClient
from sync_worker.errors import Unavailable
from sync_worker.heidi import HeidiClient
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.storage import open_engine, writing
from sync_worker.model import ListedSession, StoredNote
from tests.conftest import Clinic, TestClock
from tests.test_cli import Terminal

LETTER = (
    "# History\n\nFell off a ladder on Sunday, cannot lift the left arm.\n\n# Plan\n\nRest, ice, and an X-ray first."
)
NEWER = LETTER.replace("an X-ray first", "a sling for a week")
OTHER = {"sections": [{"questions": [{"name": "Plan", "type": "text", "answer": "Words of the clinician's own."}]}]}
FINDING = {"code", "clinician", "entry", "session_id", "document_id", "note_id", "hint"}


@pytest.fixture(autouse=True)
def _commands(monkeypatch: pytest.MonkeyPatch, clock: TestClock) -> Iterator[None]:
    """Commands go by the test's clock, and what their own process's end would close is closed."""
    opened: list[sa.Engine] = []

    def open_and_remember(url: str, **how: bool) -> sa.Engine:
        opened.append(open_engine(url, **how))
        return opened[-1]

    monkeypatch.setattr("sync_worker.commands.setup.SystemClock", lambda: clock)
    monkeypatch.setattr("sync_worker.commands.setup.open_engine", open_and_remember)
    yield
    for engine in opened:
        engine.dispose()


@pytest.fixture
def filed(clinic: Clinic) -> Clinic:
    """A clinic with one note, filed an hour ago."""
    clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.clock.advance(3600)
    return clinic


def audit(clinic: Clinic, *arguments: str, **settings: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON of the command."""
    terminal = Terminal(Path.cwd(), clinic.sandbox, clinic.environment())
    done = terminal.run("audit", "--json", *arguments, **settings)
    return done.returncode, json.loads(done.stdout)


def off(clinic: Clinic, *arguments: str, **settings: str) -> list[dict[str, Any]]:
    """What the audit finds; the exit code says whether there is any."""
    code, told = audit(clinic, *arguments, **settings)
    assert [one["error"] for one in told["clinicians"]] == [None]
    assert code == bool(told["findings"])
    assert all(one.keys() == FINDING and one["hint"].endswith(".") for one in told["findings"])
    return list(told["findings"])


def codes(clinic: Clinic, *arguments: str, **settings: str) -> list[str]:
    return [one["code"] for one in off(clinic, *arguments, **settings)]


def decisions(clinic: Clinic) -> Decisions:
    return Decisions(clinic.ledger.engine, "person test")


def tamper(clinic: Clinic, statement: str) -> None:
    with writing(clinic.ledger.engine) as db:
        db.execute(sa.text(statement))


# ---------------------------------------------------------------- nothing is off


def a_week(clinic: Clinic) -> None:
    """What a practice does in a week, none of which is wrong."""
    clinic.restart(SYNC_REVISIONS="update_draft")
    patient = clinic.a_patient()
    for day in range(7):
        clinic.a_document(clinic.a_session(), f"# Plan\n\nOn day {day} the knee bends {day * 10} degrees.")
        clinic.ticks(2)
        clinic.clock.advance(86_400)
    clinic.a_document(clinic.a_session("Nobody Known"), LETTER)  # waits for a person
    kept, finished, archived, taken_back, updated, *_ = [note.note_id for note in clinic.notes()]
    clinic.cliniko.finalise_note(kept)
    clinic.cliniko.edit_note(finished, content=OTHER)
    clinic.cliniko.finalise_note(finished)
    clinic.cliniko.archive_note(archived)
    by_note = {clinic.ledger.entries.get(number).note_id: number for number in range(1, 8)}
    decisions(clinic).withdraw(by_note[taken_back], "wrong_patient", clinic.clock.now())
    document = clinic.ledger.entries.get(by_note[updated]).document_id
    clinic.heidi.edit_document(document, "# Plan\n\nOn that day it bent further than expected.", touch=True)
    clinic.cliniko.fail_post("commit_then_drop")  # one doubt, ended by looking
    clinic.a_document(clinic.a_session(), LETTER)
    clinic.ticks(4)
    clinic.cliniko.merge_patients(patient, clinic.a_patient(first="Mary Ann"))
    clinic.clock.advance(3600)


def test_a_week_in_which_nothing_went_wrong_finds_nothing(
    make_clinic: Callable[[str], Clinic], ledger_url: str
) -> None:
    clinic = make_clinic(ledger_url)
    a_week(clinic)
    code, told = audit(clinic)
    [clinician] = told["clinicians"]
    assert (code, told["findings"], clinician["error"]) == (0, [], None)
    assert (clinician["documents"], clinician["entries"], clinician["notes"]) == (9, 9, 6)
    assert (clinician["finished_differently"], clinician["archived"]) == (1, 1)
    assert told["since"] == f"{clinic.clock.now() - timedelta(days=14):%Y-%m-%dT%H:%M:%SZ}"


def test_a_clean_audit_says_so_in_one_sentence(filed: Clinic) -> None:
    done = Terminal(Path.cwd(), filed.sandbox, filed.environment()).run("audit")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "agree since 2026-11-05 10:30: documents 1, entries 1, notes 1" in done.stdout  # in Hobart


def test_an_audit_writes_nothing_anywhere(filed: Clinic, tmp_path: Path) -> None:
    filed.cliniko.edit_note(filed.notes()[0].note_id, content=OTHER)
    before, asked = (tmp_path / "ledger.db").read_bytes(), len(filed.cliniko.requests)
    audit(filed)
    assert (tmp_path / "ledger.db").read_bytes() == before
    assert len(filed.cliniko.requests) > asked
    assert {one.method for one in filed.cliniko.requests[asked:]} == {"GET"}


def test_what_is_off_is_told_with_what_to_do(filed: Clinic) -> None:
    note = filed.notes()[0].note_id
    filed.cliniko.edit_note(note, content=OTHER)
    done = Terminal(Path.cwd(), filed.sandbox, filed.environment()).run("audit")
    assert done.returncode == 1
    for word in ("notes in Cliniko", "changed", "entry 1", f"note {note}", "The draft does not say what was filed"):
        assert word in done.stdout


# ---------------------------------------------------------------- missing


def test_a_note_that_is_gone_from_cliniko_is_missing(filed: Clinic) -> None:
    note = filed.notes()[0]
    del filed.cliniko.notes[note.note_id]
    [finding] = off(filed)
    entry = filed.ledger.entries.get(1)
    assert finding["code"] == "missing"
    assert (finding["entry"], finding["note_id"]) == (1, note.note_id)
    assert (finding["session_id"], finding["document_id"]) == (entry.session_id, entry.document_id)


def test_a_note_older_than_the_list_is_asked_for_by_its_id(filed: Clinic) -> None:
    filed.clock.advance(20 * 86_400)
    filed.heidi.edit_patient(filed.ledger.entries.get(1).session_id, patient_name="Nora Quinn")
    filed.tick()  # the entry is put before a person today: it belongs to this audit
    assert codes(filed) == []
    del filed.cliniko.notes[filed.notes()[0].note_id]
    assert codes(filed) == ["missing"]


def test_a_note_under_another_id_with_the_reference_is_there(filed: Clinic) -> None:
    note = filed.notes()[0]
    filed.cliniko.add_note_by_hand(note.patient_id, note.practitioner_id, note.title, note.content)
    del filed.cliniko.notes[note.note_id]
    assert codes(filed) == []


def test_a_document_that_the_ledger_does_not_know_is_missing(filed: Clinic) -> None:
    session = filed.a_session()
    document = filed.a_document(session, NEWER)
    filed.clock.advance(1700)
    assert codes(filed) == []  # still on its way
    filed.clock.advance(200)
    [finding] = off(filed)
    assert (finding["code"], finding["entry"], finding["note_id"]) == ("missing", None, None)
    assert (finding["session_id"], finding["document_id"]) == (session, document)
    assert codes(filed, SYNC_SETTLE_SECONDS="3600") == []
    filed.tick()
    assert codes(filed) == []


def test_documents_before_the_start_are_in_scope_only_if_a_person_brought_them_in(filed: Clinic) -> None:
    filed.restart(SYNC_START_AT="2026-11-15")
    older = filed.clock.now() - timedelta(days=8)
    session = filed.a_session(created_at=older)
    filed.a_document(session, NEWER, touch=False)
    assert codes(filed) == []
    decisions(filed).backfill(1, older - timedelta(days=1), older + timedelta(days=1), filed.clock.now())
    assert codes(filed) == []  # not walked yet
    filed.tick()
    assert codes(filed) == []
    filed.a_document(session, "# Exercises\n\nPendulum swings.", touch=False)  # no tick since
    assert codes(filed) == ["missing"]


def test_an_older_period_is_audited_where_it_is_asked_for(filed: Clinic) -> None:
    filed.a_document(filed.a_session(created_at=filed.clock.now() - timedelta(days=16)), NEWER, touch=False)
    assert codes(filed) == []
    assert codes(filed, "--since", "2026-11-02") == ["missing"]
    assert codes(filed, "--since", "2026-11-19") == []
    _, told = audit(filed, "--since", "2026-11-02")
    assert told["since"] == "2026-11-01T13:00:00Z"  # midnight in Hobart


def test_a_list_without_stamps_is_audited_by_the_sessions_own(filed: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    filed.a_document(filed.a_session(created_at=filed.clock.now() - timedelta(days=16)), NEWER, touch=False)
    missed = filed.a_document(filed.a_session(), NEWER)
    filed.clock.advance(2000)
    listed = HeidiClient.walk_sessions

    def without_stamps(heidi: HeidiClient) -> Iterator[ListedSession]:
        return (replace(row, created_at=None, updated_at=None) for row in listed(heidi))

    monkeypatch.setattr(HeidiClient, "walk_sessions", without_stamps)
    assert [one["document_id"] for one in off(filed)] == [missed]


def test_a_request_whose_end_nobody_saw_is_missing_after_a_quarter_of_an_hour(clinic: Clinic) -> None:
    clinic.a_finished_document(LETTER)
    clinic.cliniko.fail_post("commit_then_drop")
    clinic.tick()
    clinic.clock.advance(600)
    assert codes(clinic) == []
    clinic.clock.advance(600)
    [finding] = off(clinic)
    assert (finding["code"], finding["entry"]) == ("missing", 1)
    clinic.clock.advance(20 * 86_400)
    assert codes(clinic) == ["missing"]  # however old
    clinic.ticks(2)
    assert codes(clinic) == []


class Died(BaseException):
    """The process ends here."""


def test_a_worker_that_died_within_a_request_leaves_it_missing(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise Died

    clinic.a_finished_document(LETTER)
    monkeypatch.setattr(clinic.worker.pipelines["physio-1"].cliniko, "create_treatment_note", die)
    with pytest.raises(Died):
        clinic.worker.pipelines["physio-1"].tick(full=True)
    clinic.clock.advance(1000)
    assert codes(clinic) == ["missing"]


def test_a_ledger_of_many_pages_is_compared_whole(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_worker.ledger.views.PAGE", 2)
    clinic.a_patient()
    for number in range(5):
        clinic.a_document(clinic.a_session(), f"# Plan\n\nDocument {number} says {'again ' * number}.")
    clinic.tick()
    clinic.clock.advance(30 * 86_400)
    first = clinic.notes()[0]
    clinic.cliniko.add_note_by_hand(first.patient_id, first.practitioner_id, first.title, first.content)
    for note in clinic.notes()[1:5]:
        clinic.cliniko.add_note_by_hand(note.patient_id, note.practitioner_id, note.title, OTHER)
    assert codes(clinic) == ["duplicate"] * 5  # of entries of which nothing happened in the period
    for note in clinic.notes()[:]:
        del clinic.cliniko.notes[note.note_id]
    _, told = audit(clinic, "--since", "2026-11-10")
    assert [one["entry"] for one in told["findings"]] == [1, 2, 3, 4, 5]
    assert told["clinicians"][0]["entries"] == 5


# ---------------------------------------------------------------- duplicate


@pytest.mark.parametrize("copied", ["title", "content"])
@pytest.mark.parametrize("days", [0, 30])
def test_a_second_live_note_of_a_document_is_a_duplicate(filed: Clinic, copied: str, days: int) -> None:
    filed.clock.advance(days * 86_400)
    note = filed.notes()[0]
    title, content = (note.title, OTHER) if copied == "title" else ("My own title", note.content)
    second = filed.cliniko.add_note_by_hand(note.patient_id, note.practitioner_id, title, content)
    [finding] = off(filed)
    assert (finding["code"], finding["entry"], finding["note_id"]) == ("duplicate", 1, second)
    assert note.note_id in finding["hint"]
    filed.cliniko.archive_note(second)
    assert codes(filed) == []


def test_every_note_too_many_is_told(filed: Clinic) -> None:
    note = filed.notes()[0]
    more = [
        filed.cliniko.add_note_by_hand(note.patient_id, note.practitioner_id, note.title, note.content)
        for _ in range(2)
    ]
    assert [one["note_id"] for one in off(filed)] == more


def test_a_copy_in_place_of_an_archived_note_is_no_duplicate_and_two_copies_are_one(filed: Clinic) -> None:
    note = filed.notes()[0]
    filed.cliniko.archive_note(note.note_id)
    filed.cliniko.add_note_by_hand(note.patient_id, note.practitioner_id, note.title, note.content)
    assert codes(filed) == []
    second = filed.cliniko.add_note_by_hand(note.patient_id, note.practitioner_id, note.title, note.content)
    assert [one["note_id"] for one in off(filed)] == [second]


def test_a_cliniko_whose_clock_is_behind_hides_no_duplicate(clinic: Clinic) -> None:
    clinic.cliniko.clock_offset_seconds = -3600
    clinic.a_finished_document(LETTER)
    clinic.tick()
    note = clinic.notes()[0]
    clinic.cliniko.add_note_by_hand(note.patient_id, note.practitioner_id, note.title, note.content)
    clinic.clock.advance(14 * 86_400 - 1800)  # by its own clock both are older than the period, by ours neither
    assert codes(clinic) == ["duplicate"]


# ---------------------------------------------------------------- changed


def test_a_draft_that_says_something_else_is_changed_until_it_is_finished(filed: Clinic) -> None:
    note = filed.notes()[0].note_id
    filed.cliniko.edit_note(note, content=OTHER)
    [finding] = off(filed)
    assert (finding["code"], finding["entry"], finding["note_id"]) == ("changed", 1, note)
    filed.cliniko.finalise_note(note)
    code, told = audit(filed)
    assert (code, told["clinicians"][0]["finished_differently"]) == (0, 1)


def test_what_the_clinician_archived_is_theirs_whatever_it_says(filed: Clinic) -> None:
    note = filed.notes()[0].note_id
    stranger = filed.a_patient(first="Nora", last="Quinn", born="1971-01-02")
    filed.cliniko.edit_note(note, content=OTHER, patient_id=stranger)
    filed.cliniko.archive_note(note)
    code, told = audit(filed)
    assert (code, told["clinicians"][0]["archived"], told["clinicians"][0]["notes"]) == (0, 1, 0)


def test_a_new_title_alone_changes_nothing(filed: Clinic) -> None:
    filed.cliniko.edit_note(filed.notes()[0].note_id, title="My own title")
    code, told = audit(filed)
    assert (code, told["clinicians"][0]["notes"]) == (0, 1)


def test_a_note_that_a_lost_ledger_takes_for_its_own_is_not_judged_by_its_words(filed: Clinic, tmp_path: Path) -> None:
    filed.cliniko.edit_note(filed.notes()[0].note_id, content=OTHER)
    filed.restart()
    filed.ledger_url = f"sqlite:///{tmp_path / 'another.db'}"
    filed.tick()
    assert codes(filed) == []  # that ledger never knew what was filed


@pytest.mark.parametrize("finished", [False, True])
def test_a_note_on_another_patient_is_changed(filed: Clinic, finished: bool) -> None:
    note = filed.notes()[0]
    meant, other = note.patient_id, filed.a_patient(first="Nora", last="Quinn", born="1971-01-02")
    filed.cliniko.edit_note(note.note_id, patient_id=other)
    if finished:
        filed.cliniko.finalise_note(note.note_id)
    [finding] = off(filed)
    assert (finding["code"], finding["note_id"]) == ("changed", note.note_id)
    assert meant in finding["hint"]
    assert other in finding["hint"]


def test_a_note_follows_its_patient_through_merges(filed: Clinic) -> None:
    first = filed.notes()[0].patient_id
    second, third = filed.a_patient(), filed.a_patient()
    filed.cliniko.merge_patients(first, second)
    filed.cliniko.merge_patients(second, third)
    assert filed.notes()[0].patient_id == third
    assert codes(filed) == []


def test_charts_that_name_each_other_as_survivor_end_the_search(filed: Clinic) -> None:
    first, second = filed.notes()[0].patient_id, filed.a_patient()
    stranger = filed.a_patient(first="Nora", last="Quinn", born="1971-01-02")
    filed.cliniko.merge_patients(first, second)
    filed.cliniko.merge_patients(second, first)
    filed.cliniko.edit_note(filed.notes()[0].note_id, patient_id=stranger)
    assert codes(filed) == ["changed"]


def test_a_revision_that_nobody_noticed_is_changed(filed: Clinic) -> None:
    document = filed.ledger.entries.get(1).document_id
    filed.heidi.edit_document(document, NEWER, touch=True)
    assert codes(filed) == []  # the next tick takes it up
    filed.clock.advance(2000)
    [finding] = off(filed)
    assert (finding["code"], finding["document_id"]) == ("changed", document)
    assert codes(filed, SYNC_REVISIONS="ignore") == []
    filed.tick()
    assert codes(filed) == []  # it waits for the clinician now


def test_a_document_that_waits_and_was_changed_is_filed_as_it_is_then(clinic: Clinic) -> None:
    document = clinic.a_document(clinic.a_session("Nobody Known"), LETTER)
    clinic.tick()
    clinic.heidi.edit_document(document, NEWER)
    clinic.clock.advance(2000)
    assert codes(clinic) == []


def test_a_draft_that_is_about_to_be_updated_is_not_changed(filed: Clinic) -> None:
    filed.restart(SYNC_REVISIONS="update_draft")
    filed.heidi.edit_document(filed.ledger.entries.get(1).document_id, NEWER)
    filed.cliniko.fail("patch", "commit_then_drop")
    filed.tick()
    filed.clock.advance(2000)
    assert codes(filed) == []
    filed.ticks(3)
    assert codes(filed) == []


def test_an_old_note_that_was_updated_lately_is_compared_with_its_update(filed: Clinic) -> None:
    filed.restart(SYNC_REVISIONS="update_draft")
    filed.clock.advance(20 * 86_400)
    filed.heidi.edit_document(filed.ledger.entries.get(1).document_id, NEWER, touch=True)
    filed.tick()
    assert codes(filed) == []
    filed.cliniko.edit_note(filed.notes()[0].note_id, content=OTHER)
    assert codes(filed) == ["changed"]


def test_a_draft_that_the_worker_updates_while_the_audit_runs_is_not_changed(
    filed: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed.restart(SYNC_REVISIONS="update_draft")
    filed.heidi.edit_document(filed.ledger.entries.get(1).document_id, NEWER, touch=True)
    listed = ClinikoClient.walk_notes

    def list_and_let_the_worker_tick(*asked: Any) -> Iterator[StoredNote]:
        yield from list(listed(*asked))
        monkeypatch.undo()
        filed.tick()

    monkeypatch.setattr(ClinikoClient, "walk_notes", list_and_let_the_worker_tick)
    Terminal(Path.cwd(), filed.sandbox, filed.environment()).json("audit")
    assert "sling for a week" in str(filed.notes()[0].content)


# ---------------------------------------------------------------- foreign, and the chain


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Letter · 19 Nov 2026 · ref 7ABC9DEF", ["foreign"]),
        ("Referral, ref 12345678", []),
        ("Letter · ref 7ABC9DEF, copied", []),
    ],
)
def test_a_note_of_this_program_that_this_ledger_does_not_know_is_foreign(
    filed: Clinic, title: str, found: list[str]
) -> None:
    note = filed.cliniko.add_note_by_hand(filed.notes()[0].patient_id, filed.practitioner_id, title, OTHER)
    findings = off(filed)
    assert [one["code"] for one in findings] == found
    assert [one["note_id"] for one in findings] == [note] * len(found)
    filed.cliniko.archive_note(note)
    assert codes(filed) == []


def test_a_ledger_that_took_the_place_of_a_lost_one_and_leaves_all_unfiled_is_told(
    filed: Clinic, tmp_path: Path
) -> None:
    filed.ledger_url = f"sqlite:///{tmp_path / 'another.db'}"
    filed.restart(SYNC_START_AT=filed.clock.now().isoformat())
    filed.tick()
    code, told = audit(filed)
    assert (code, [one["code"] for one in told["findings"]]) == (1, ["foreign"])
    assert "whether the ledger was begun anew" in told["findings"][0]["hint"]


def test_a_foreign_note_older_than_the_period_is_not_told_again(filed: Clinic) -> None:
    title = "Letter · 19 Nov 2026 · ref 7ABC9DEF"
    filed.cliniko.add_note_by_hand(filed.notes()[0].patient_id, filed.practitioner_id, title, OTHER)
    filed.clock.advance(14 * 86_400 - 60)
    assert codes(filed) == ["foreign"]
    filed.clock.advance(120)  # the list begins a day before the period
    assert codes(filed) == []


def test_a_trail_that_somebody_changed_is_a_broken_chain_and_check_says_so(filed: Clinic) -> None:
    terminal = Terminal(Path.cwd(), filed.sandbox, filed.environment())
    tamper(filed, "UPDATE trail SET actor = 'somebody else' WHERE number = 2")
    [finding] = off(filed)
    assert finding["code"] == "broken_chain"
    assert "step 2" in finding["hint"]
    told = json.loads(terminal.run("check", "--json").stdout)
    [check] = [one for one in told["checks"] if one["name"] == "trail"]
    assert (check["level"], "step 2" in check["message"], told["ok"]) == ("problem", True, False)


def test_check_proves_the_trail_where_there_is_a_ledger(filed: Clinic, tmp_path: Path) -> None:
    terminal = Terminal(Path.cwd(), filed.sandbox, filed.environment())
    checks = json.loads(terminal.run("check", "--json").stdout)["checks"]
    assert [one["level"] for one in checks if one["name"] == "trail"] == ["ok"]
    without = terminal.run("check", "--json", DATABASE_URL=f"sqlite:///{tmp_path / 'none.db'}")
    assert "trail" not in {one["name"] for one in json.loads(without.stdout)["checks"]}


# ---------------------------------------------------------------- what does not answer


@pytest.mark.parametrize(
    ("breaking", "code", "unknown"),
    [
        (lambda clinic: clinic.heidi.fail("sessions", "500", times=9), "heidi_unavailable", {"documents"}),
        (lambda clinic: clinic.heidi.unlink("a.physio@example.com"), "heidi_not_linked", {"documents"}),
        (lambda clinic: clinic.cliniko.fail("notes", "500", times=9), "cliniko_unavailable", {"entries", "notes"}),
        (lambda clinic: clinic.cliniko.revoke(clinic.environment()["CLINIKO_API_KEY"]), None, {"entries", "notes"}),
    ],
)
def test_a_service_that_does_not_answer_is_told_and_the_other_is_compared(
    filed: Clinic, breaking: Callable[[Clinic], None], code: str | None, unknown: set[str]
) -> None:
    environment = filed.environment()
    breaking(filed)
    done = Terminal(Path.cwd(), filed.sandbox, environment).run("audit", "--json")
    told = json.loads(done.stdout)
    [clinician] = told["clinicians"]
    assert done.returncode == 1
    assert told["findings"] == []  # what was not read is not missing
    assert clinician["error"]["code"] == (code or "cliniko_key_refused")
    assert {name for name in ("documents", "entries", "notes") if clinician[name] is None} == unknown


def test_one_session_that_cannot_be_read_does_not_hide_the_others(filed: Clinic) -> None:
    missed = filed.a_document(filed.a_session(), NEWER)
    filed.clock.advance(2000)
    filed.heidi.order = "oldest"
    filed.heidi.fail("documents", "422")
    code, told = audit(filed)
    assert (code, [one["document_id"] for one in told["findings"]]) == (1, [missed])
    assert "could not be read in Heidi, and were not compared: 1." in told["clinicians"][0]["error"]["hint"]
    done = Terminal(Path.cwd(), filed.sandbox, filed.environment()).run("audit")
    assert "was not audited wholly" not in done.stdout


@pytest.mark.parametrize(("in_a_row", "documents"), [(True, None), (False, 3)])
def test_a_heidi_that_reads_no_session_is_down_and_bad_sessions_between_good_ones_are_not(
    filed: Clinic, monkeypatch: pytest.MonkeyPatch, in_a_row: bool, documents: int | None
) -> None:
    for _ in range(5):
        filed.a_document(filed.a_session(), NEWER)
    reads = iter(range(99))
    find = HeidiClient.find_documents

    def fail_often(heidi: HeidiClient, session_id: str) -> Any:
        if in_a_row or next(reads) % 2:
            raise Unavailable("heidi", "list_documents")
        return find(heidi, session_id)

    monkeypatch.setattr(HeidiClient, "find_documents", fail_often)
    code, told = audit(filed)
    assert (code, told["clinicians"][0]["documents"]) == (1, documents)
    assert told["clinicians"][0]["error"]["code"] == "heidi_unavailable"


def test_another_practitioners_key_is_not_an_audit_of_this_clinician(filed: Clinic) -> None:
    other = filed.cliniko.add_user(first_name="Ben", last_name="Physio")
    code, told = audit(filed, CLINIKO_API_KEY=filed.cliniko.key_of(other))
    assert (code, told["findings"]) == (1, [])
    assert told["clinicians"][0]["error"]["code"] == "cliniko_another_key"


@pytest.fixture
def two_clinicians(filed: Clinic, tmp_path: Path) -> tuple[Clinic, Terminal]:
    """The clinic, and a terminal in whose folder a file lists two clinicians."""
    filed.heidi.add_clinician(email="b.physio@example.com", user_id="physio-2")
    other = filed.cliniko.add_user(first_name="Ben", last_name="Physio")
    people = [
        ("A. Physio", "a.physio@example.com", "physio-1", "KEY_A"),
        ("B. Physio", "b.physio@example.com", "physio-2", "KEY_B"),
    ]
    (tmp_path / "clinic.toml").write_text(
        "".join(
            f'[[clinicians]]\nname = "{name}"\nheidi_email = "{email}"\nheidi_user_id = "{user}"\n'
            f'cliniko_api_key = {{ env = "{key}" }}\n\n'
            for name, email, user, key in people
        )
    )
    environment = filed.environment()
    environment |= {"KEY_A": environment.pop("CLINIKO_API_KEY"), "KEY_B": filed.cliniko.key_of(other)}
    del environment["HEIDI_USER_EMAIL"], environment["HEIDI_USER_ID"]
    return filed, Terminal(tmp_path, filed.sandbox, environment)


def test_one_clinicians_trouble_does_not_hide_what_is_off_at_the_other(
    two_clinicians: tuple[Clinic, Terminal],
) -> None:
    clinic, terminal = two_clinicians
    del clinic.cliniko.notes[clinic.notes()[0].note_id]
    clinic.cliniko.revoke(terminal.environment["KEY_B"])
    told = terminal.json("audit", code=1)
    assert [one["name"] for one in told["clinicians"]] == ["A. Physio", "B. Physio"]
    assert [one["error"] and one["error"]["code"] for one in told["clinicians"]] == [None, "cliniko_key_refused"]
    assert [(one["code"], one["clinician"]) for one in told["findings"]] == [("missing", "A. Physio")]
    shown = terminal.run("audit").stdout
    assert "B. Physio was not audited wholly" in shown


@pytest.mark.parametrize("own_notes_only", [False, True])
def test_a_document_filed_by_two_clinicians_is_a_duplicate(
    two_clinicians: tuple[Clinic, Terminal], own_notes_only: bool
) -> None:
    clinic, terminal = two_clinicians
    clinic.cliniko.own_notes_only = own_notes_only
    note = clinic.notes()[0]
    author = clinic.cliniko.practitioner_of(list(clinic.cliniko.users)[1])
    second = clinic.cliniko.add_note_by_hand(note.patient_id, author, note.title, note.content)
    told = terminal.json("audit", code=1)
    assert [(one["code"], one["clinician"], one["note_id"]) for one in told["findings"]] == [
        ("duplicate", "B. Physio", second)
    ]


def test_a_session_in_two_lists_is_told_of_once(two_clinicians: tuple[Clinic, Terminal]) -> None:
    clinic, terminal = two_clinicians
    entry = clinic.ledger.entries.get(1)
    clinic.heidi.share_session(entry.session_id, "physio-2")
    clinic.heidi.edit_document(entry.document_id, NEWER, touch=True)
    clinic.clock.advance(2000)
    told = terminal.json("audit", code=1)
    assert [(one["code"], one["clinician"]) for one in told["findings"]] == [("changed", "A. Physio")]
    assert [(one["documents"], one["entries"]) for one in told["clinicians"]] == [(1, 1), (1, 0)]


def test_nothing_is_missing_at_a_clinician_who_has_not_begun(two_clinicians: tuple[Clinic, Terminal]) -> None:
    clinic, terminal = two_clinicians
    begun = clinic.clock.now() - timedelta(days=2)
    session = clinic.heidi.add_session(clinician="physio-2", patient_name="Mary Jones", created_at=begun)
    clinic.a_document(session, NEWER, touch=False)
    told = terminal.json("audit", SYNC_START_AT="")
    assert [one["documents"] for one in told["clinicians"]] == [1, 1]
    told = terminal.json("audit", code=1)  # with a day set for all, whoever is late has something to take in
    assert [(one["code"], one["clinician"]) for one in told["findings"]] == [("missing", "B. Physio")]


def test_wrong_settings_and_a_ledger_that_is_not_there_are_told(filed: Clinic, tmp_path: Path) -> None:
    terminal = Terminal(Path.cwd(), filed.sandbox, filed.environment())
    assert terminal.run("audit", "--since", "yesterday").returncode == 2
    assert terminal.run("audit", HEIDI_API_KEY="").returncode == 2
    without = terminal.run("audit", DATABASE_URL=f"sqlite:///{tmp_path / 'none.db'}")
    assert (without.returncode, "no ledger yet" in without.stderr) == (1, True)


# ---------------------------------------------------------------- privacy

FIRST, LAST, BORN, EMAIL, TEXT, DOCUMENT = (
    "Quillabeth",
    "Zantberry",
    "1961-07-13",
    "quilla.zant@marked.example",
    "CANARYTEXT",
    "Marked letter name",
)


def test_no_output_holds_a_patients_data(clinic: Clinic) -> None:
    clinic.a_patient(FIRST, LAST, BORN, email=EMAIL)
    for number in range(4):
        session = clinic.a_session(f"{FIRST} {LAST}", BORN, email=EMAIL)
        clinic.a_document(session, f"# {TEXT} {number}\n\n{TEXT * (number + 1)}", name=f"{DOCUMENT} {number}")
    clinic.cliniko.fail_post("drop")
    clinic.a_document(clinic.a_session(f"{LAST} {FIRST}", "1999-01-02"), TEXT, name=DOCUMENT)
    clinic.ticks(4)
    edited, moved, copied, gone = [note.note_id for note in clinic.notes()]
    clinic.cliniko.edit_note(edited, title=FIRST, content=OTHER)
    clinic.cliniko.edit_note(moved, patient_id=clinic.a_patient(first=FIRST, last=LAST))
    note = clinic.cliniko.notes[copied]
    clinic.cliniko.add_note_by_hand(note.patient_id, note.practitioner_id, note.title, note.content)
    clinic.cliniko.add_note_by_hand(note.patient_id, note.practitioner_id, f"{LAST} · ref 7ABC9DEF", note.content)
    del clinic.cliniko.notes[gone]
    clinic.a_document(clinic.a_session(f"{FIRST} {LAST}", BORN), TEXT, name=DOCUMENT)
    clinic.clock.advance(2000)
    tamper(clinic, "UPDATE trail SET at = created_at FROM (SELECT at AS created_at FROM trail LIMIT 1)")
    terminal = Terminal(Path.cwd(), clinic.sandbox, clinic.environment())
    found = {one["code"] for one in terminal.json("audit", code=1)["findings"]}
    assert found == {"missing", "duplicate", "changed", "foreign", "broken_chain"}
    for command in (["audit"], ["audit", "--json"], ["log"], ["log", "1"], ["log", "--csv"], ["check"]):
        done = terminal.run(*command, SYNC_LOG_LEVEL="DEBUG")
        told = (done.stdout + done.stderr).casefold()
        assert told
        for mark in (FIRST, LAST, BORN, "13/07/1961", EMAIL, "quilla", TEXT, DOCUMENT):
            assert mark.casefold() not in told, (command, mark)
