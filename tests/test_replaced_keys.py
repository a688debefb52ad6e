"""A key that is replaced in its file while the worker works: nothing lost, nothing filed twice, nobody restarts it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sync_worker.model import Practitioner
from sync_worker.settings.keys import Key
from tests.conftest import Clinic
from tests.processes import clinic as processes


@pytest.fixture
def key_file(clinic: Clinic, tmp_path: Path) -> Path:
    """The file in which the clinician's Cliniko key stands."""
    file = tmp_path / "cliniko.key"
    file.write_text(clinic.cliniko.key_of(clinic.user_id))
    clinic.restart(CLINIKO_API_KEY="", CLINIKO_API_KEY_FILE=str(file))
    assert clinic.worker  # its settings are read by now
    return file


@pytest.fixture
def revoke(clinic: Clinic) -> Callable[[], str]:
    """Makes the clinician's user another key, revokes the first, and gives back the other."""

    def replace() -> str:
        old, new = clinic.cliniko.key_of(clinic.user_id), clinic.cliniko.add_key(clinic.user_id)
        clinic.cliniko.revoke(old)
        return new

    return replace


def statuses(clinic: Clinic) -> list[str]:
    with clinic.ledger.engine.connect() as db:
        return list(db.exec_driver_sql("SELECT status FROM entries ORDER BY id").scalars())


def test_a_replaced_key_is_taken_up_and_the_next_tick_files(
    clinic: Clinic, key_file: Path, revoke: Callable[[], str]
) -> None:
    clinic.a_finished_document()
    clinic.tick()
    clinic.a_document(clinic.a_session(), "# Plan\n\nWalk.")
    key_file.write_text(revoke())
    refused = clinic.tick()
    assert (refused.trouble, refused.is_cut_short, len(clinic.notes())) == (None, True, 1)
    assert clinic.tick().tally.posted == 1
    assert (statuses(clinic), clinic.posts()) == (["posted", "posted"], 2)


def test_a_key_that_is_refused_at_the_very_request_files_once(clinic: Clinic, key_file: Path) -> None:
    clinic.a_finished_document()
    key_file.write_text(clinic.cliniko.add_key(clinic.user_id))
    clinic.cliniko.fail_post("401")
    assert clinic.tick().is_cut_short
    assert statuses(clinic) == ["pending"]
    clinic.ticks(2)
    assert (statuses(clinic), len(clinic.notes())) == (["posted"], 1)


def test_a_doubt_is_looked_for_with_the_replaced_key(clinic: Clinic, key_file: Path, revoke: Callable[[], str]) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("commit_then_drop")
    clinic.tick()
    assert statuses(clinic) == ["in_doubt"]
    key_file.write_text(revoke())
    clinic.clock.advance(60)
    assert clinic.tick().is_cut_short
    assert statuses(clinic) == ["in_doubt"]
    clinic.ticks(2)
    assert (statuses(clinic), len(clinic.notes())) == (["posted"], 1)


def test_an_answer_about_the_key_before_proves_nothing_of_the_new_one(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = clinic.worker.pipelines["physio-1"].identity
    identify, asked = clinic.worker.pipelines["physio-1"].cliniko.identify, []

    def overtaken() -> Practitioner:
        asked.append(identify())
        if len(asked) == 1:
            identity.forget()  # the tick takes up another key while the evening's look is being answered
        return asked[-1]

    monkeypatch.setattr(clinic.worker.pipelines["physio-1"].cliniko, "identify", overtaken)
    identity.practitioner()
    identity.prove()
    assert len(asked) == 2


def test_until_it_is_replaced_a_refused_key_is_the_clinicians_trouble(
    clinic: Clinic, key_file: Path, revoke: Callable[[], str]
) -> None:
    clinic.a_finished_document()
    new = revoke()
    for _ in range(2):
        report = clinic.tick()
        assert (report.trouble.code if report.trouble else None, report.is_cut_short) == ("cliniko_key_refused", False)
    key_file.write_text(new)
    clinic.ticks(2)
    assert statuses(clinic) == ["posted"]


def test_somebody_elses_key_is_refused_in_words_and_the_entries_stay_until_the_right_one_is_there(
    clinic: Clinic, key_file: Path, revoke: Callable[[], str]
) -> None:
    clinic.a_finished_document()
    clinic.tick()
    clinic.a_document(clinic.a_session(), "# Plan\n\nWalk.")
    new = revoke()
    other = clinic.cliniko.add_user(first_name="Bo", last_name="Other")
    key_file.write_text(clinic.cliniko.key_of(other))
    assert clinic.tick().is_cut_short
    report = clinic.tick()
    assert report.trouble is not None
    assert report.trouble.code == "cliniko_another_key"
    assert "put the right clinician's key back" in report.trouble.hint
    assert (statuses(clinic), clinic.posts()) == (["posted", "pending"], 1)
    key_file.write_text(new)
    clinic.ticks(2)
    assert (statuses(clinic), clinic.posts()) == (["posted", "posted"], 2)
    assert {note.practitioner_id for note in clinic.notes()} == {clinic.practitioner_id}


def test_somebody_elses_key_amends_nothing(clinic: Clinic, key_file: Path, revoke: Callable[[], str]) -> None:
    clinic.restart(SYNC_REVISIONS="update_draft")
    *_, document_id = clinic.a_finished_document()
    clinic.tick()
    clinic.heidi.edit_document(document_id, "# Plan\n\nRest, then walk.", touch=True)
    revoke()
    key_file.write_text(clinic.cliniko.key_of(clinic.cliniko.add_user(first_name="Bo", last_name="Other")))
    assert clinic.tick().is_cut_short
    assert [report.trouble.code for report in clinic.ticks(2) if report.trouble] == ["cliniko_another_key"] * 2
    assert not [one for one in clinic.cliniko.requests if one.method in ("PATCH", "PUT")]


@pytest.mark.parametrize("found", ["MS0x-somewhere-us1", 'KEY="quoted"', "", "two words-au1"])
def test_what_is_no_key_of_the_same_place_is_not_taken_up(
    clinic: Clinic, key_file: Path, revoke: Callable[[], str], found: str
) -> None:
    clinic.a_finished_document()
    revoke()
    key_file.write_text(found)
    report = clinic.tick()
    assert report.trouble is not None
    assert (report.trouble.code, report.is_cut_short) == ("cliniko_key_refused", False)


def test_a_key_file_that_is_gone_leaves_the_trouble_as_it_is(
    clinic: Clinic, key_file: Path, revoke: Callable[[], str]
) -> None:
    clinic.a_finished_document()
    revoke()
    key_file.unlink()
    report = clinic.tick()
    assert report.trouble is not None
    assert report.trouble.code == "cliniko_key_refused"


def test_the_practices_heidi_key_is_taken_up_too(clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "heidi.key"
    file.write_text(clinic.heidi.api_key)
    clinic.extra |= {"HEIDI_API_KEY": "", "HEIDI_API_KEY_FILE": str(file)}
    clinic.tick()
    clinic.a_finished_document()
    clinic.heidi.api_key = "another-heidi-key"
    clinic.clock.advance(86_400)  # no token outlives its key for long
    assert clinic.tick().trouble is not None
    file.write_text("another-heidi-key")
    assert clinic.tick().is_cut_short
    assert clinic.tick().tally.posted == 1


def test_a_key_in_the_environment_stays_as_it_is(clinic: Clinic, revoke: Callable[[], str]) -> None:
    clinic.a_finished_document()
    assert clinic.worker
    revoke()
    report = clinic.tick()
    assert report.trouble is not None
    assert (report.trouble.code, report.is_cut_short) == ("cliniko_key_refused", False)


def test_a_key_never_shows_itself() -> None:
    assert "secret" not in repr(Key("secret-au1"))


def test_a_running_service_goes_on_with_a_replaced_key(tmp_path: Path) -> None:
    with processes.Clinic(tmp_path, f"sqlite:///{tmp_path}/ledger.db") as clinic:
        key_file, (user_id,) = tmp_path / "cliniko.key", clinic.cliniko.users
        key_file.write_text(clinic.environment.pop("CLINIKO_API_KEY_1"))
        clinic.environment["CLINIKO_API_KEY_1_FILE"] = str(key_file)
        clinic.a_document()
        process = clinic.start("run")
        process.wait_for_good_tick()
        new = clinic.cliniko.add_key(user_id)
        key_file.write_text(new)
        clinic.cliniko.revoke(clinic.cliniko.key_of(user_id))
        clinic.a_document()
        clinic.let_settle()
        assert process.end() == 0
        assert [event["service"] for event in process.events("key.replaced")] == ["cliniko"]
        assert new not in process.said()
        verdict = clinic.judge()
    assert (verdict.documents, verdict.notes, verdict.posts, verdict.duplicates, verdict.stuck) == (2, 2, 2, 0, 0)
