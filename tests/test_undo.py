"""`undo`, and what `status`, `check` and `plan` say of what changed."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.test_cli import Terminal, terminal  # noqa: F401 - a fixture


@pytest.fixture
def filed(terminal: Terminal) -> Terminal:  # noqa: F811
    """A practice with one filed document: entry 1."""
    terminal.a_document()
    terminal.run("once")
    assert len(terminal.sandbox.cliniko.notes) == 1
    return terminal


def note_of(terminal: Terminal) -> str:  # noqa: F811
    [note_id] = terminal.sandbox.cliniko.notes
    return note_id


def test_a_note_that_nobody_touched_is_archived_with_the_next_tick(filed: Terminal) -> None:
    done = filed.run("undo", "1", "--reason", "wrong_patient")
    assert done.returncode == 0
    assert "archived with the next tick" in done.stdout
    assert 'Posting is paused for physio-1 until `sync-worker resume "physio-1"`.' in done.stdout
    filed.run("once")
    assert filed.sandbox.cliniko.notes[note_of(filed)].archived_at is not None
    assert filed.json("status")["entries"]["withdrawn"] == 1
    assert filed.run("undo", "1", "--reason", "wrong_patient").returncode == 1


def test_a_note_that_was_touched_is_not_and_the_steps_by_hand_are_told(filed: Terminal) -> None:
    filed.sandbox.cliniko.finalise_note(note_of(filed))
    done = filed.run("undo", "1", "--reason", "wrong_patient")
    assert done.returncode == 1
    assert "By hand: 1. open note" in done.stderr
    filed.run("once")
    assert filed.sandbox.cliniko.notes[note_of(filed)].archived_at is None


def test_the_wrong_patient_stops_the_clinician_though_cliniko_is_down_and_the_note_goes_later(filed: Terminal) -> None:
    filed.sandbox.cliniko.fail("notes", "drop", times=10)
    done = filed.run("undo", "1", "--reason", "wrong_patient")
    assert done.returncode == 1
    assert "Posting is paused" in done.stderr
    assert "archived once Cliniko can be asked" in done.stderr
    assert filed.json("status")["clinicians"][0]["paused"]
    filed.sandbox.cliniko.faults.clear()
    filed.a_document("# Plan\n\nAnother one.")
    filed.run("once")
    assert filed.sandbox.cliniko.notes[note_of(filed)].archived_at is not None
    told = filed.json("status")["entries"]
    assert (told["withdrawn"], told["posted"], told["pending"] + told["review"]) == (1, 0, 1)


def test_the_wrong_patient_stops_the_clinician_in_a_rehearsal_too(filed: Terminal) -> None:
    done = filed.run("undo", "1", "--reason", "wrong_patient", SYNC_MODE="rehearse")
    assert (done.returncode, "Posting is paused" in done.stderr, "by hand" in done.stderr) == (1, True, True)
    assert filed.json("status")["clinicians"][0]["paused"]
    assert filed.run("undo", "1", "--reason", "wrong_document", SYNC_MODE="rehearse").returncode == 1


def test_who_runs_it_again_after_the_steps_by_hand_pauses_nobody_anew(filed: Terminal) -> None:
    filed.sandbox.cliniko.finalise_note(note_of(filed))
    filed.run("undo", "1", "--reason", "wrong_patient")
    filed.run("once")
    filed.run("resume")
    filed.sandbox.cliniko.archive_note(note_of(filed))
    done = filed.run("undo", "1", "--reason", "wrong_patient")
    assert (done.returncode, "paused" in done.stdout) == (0, False)
    assert filed.json("once")["clinicians"][0]["error"] is None
    told = filed.json("status")
    assert (told["entries"]["withdrawn"], told["clinicians"][0]["paused"]) == (1, False)


def test_another_reason_takes_back_one_note_and_stops_nobody(filed: Terminal) -> None:
    assert filed.run("undo", "1", "--reason", "wrong_document").returncode == 0
    assert not filed.json("status")["clinicians"][0]["paused"]


def test_a_note_archived_by_hand_is_recorded_as_taken_back(filed: Terminal) -> None:
    filed.sandbox.cliniko.edit_note(note_of(filed), title="Mine")
    filed.sandbox.cliniko.archive_note(note_of(filed))
    assert filed.run("undo", "1", "--reason", "wrong_patient").returncode == 0
    filed.run("once")
    assert filed.json("status")["entries"]["withdrawn"] == 1


@pytest.mark.parametrize(("reason", "code"), [("Mary Jones asked", 2), ("wrong_patient", 1)])
def test_a_reason_is_a_code_and_an_entry_has_to_be_there(terminal: Terminal, reason: str, code: int) -> None:  # noqa: F811
    terminal.run("db", "upgrade")
    done = terminal.run("undo", "7", "--reason", reason)
    assert done.returncode == code
    assert "Mary" not in done.stderr


# ---------------------------------------------------------------- what is told


def test_the_brake_is_told_by_once_and_status_until_somebody_resumes(terminal: Terminal) -> None:  # noqa: F811
    for number in range(3):
        terminal.a_document(f"# Plan\n\nDocument {number} {'again ' * number}.")
    done = terminal.json("once", code=1, SYNC_BRAKE_POSTS_PER_HOUR="2")
    assert done["clinicians"][0]["error"]["code"] == "brake"
    told = terminal.json("status")
    assert (told["clinicians"][0]["paused"], [one["code"] for one in told["alarms"]]) == (True, ["brake"])
    assert "sync-worker resume NAME" in terminal.run("status").stdout
    [paused] = [one for one in terminal.json("check", code=1)["checks"] if one["name"] == "paused"]
    assert (paused["level"], "SYNC_BRAKE_POSTS_PER_HOUR" in paused["message"]) == ("problem", True)
    terminal.run("resume")
    assert terminal.json("once")["totals"]["posted"] == 1
    assert terminal.json("status")["alarms"] == []


def test_check_tells_a_pause_that_somebody_asked_for(terminal: Terminal) -> None:  # noqa: F811
    def told() -> list[tuple[str, str]]:
        checks = terminal.json("check")["checks"]
        return [(one["level"], one["message"].split(":")[0]) for one in checks if one["name"] == "paused"]

    terminal.run("db", "upgrade")
    assert told() == []
    paused = terminal.run("pause", "physio-1").stdout
    assert '`sync-worker resume "physio-1"` ends it.' in paused, "which ends nobody else's pause"
    assert told() == [("warning", "Posting is paused for physio-1")]
    terminal.run("pause")
    assert told() == [("warning", "Posting is paused for everybody")]
    terminal.run("resume")
    assert told() == []


@pytest.mark.parametrize(("days", "level"), [(4, []), (6, ["warning"]), (9, ["alarm"])])
def test_a_waiting_document_that_heidi_may_soon_delete_is_told(
    terminal: Terminal,  # noqa: F811
    days: int,
    level: list[str],
) -> None:
    session = terminal.sandbox.heidi.add_session(
        clinician="physio-1",
        patient_name="Nobody Known",
        birth_date="1980-02-03",
        created_at=datetime.now(UTC) - timedelta(days=days),
    )
    terminal.sandbox.heidi.add_document(session, name="Letter", content="# Plan\n\nRest.")
    terminal.run("once")
    told = terminal.json("status", HEIDI_RETENTION_DAYS="10")
    assert [one["level"] for one in told["alarms"]] == level


def test_check_asks_for_the_retention_age(terminal: Terminal) -> None:  # noqa: F811
    assert "HEIDI_RETENTION_DAYS is not set" in terminal.run("check").stdout
    assert "HEIDI_RETENTION_DAYS" not in terminal.run("check", HEIDI_RETENTION_DAYS="60").stdout
    assert "within SYNC_LOOKBACK_DAYS" in terminal.run("check", HEIDI_RETENTION_DAYS="7").stdout


def test_plan_knows_what_is_filed_although_the_ledger_is_lost(filed: Terminal) -> None:
    elsewhere = f"sqlite:///{filed.folder / 'elsewhere.db'}"
    [entry] = filed.json("plan", DATABASE_URL=elsewhere)["entries"]
    assert (entry["action"], entry["reason"]) == ("skip", "already_filed")
