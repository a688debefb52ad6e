"""The support bundle: what helps is in it, and nothing that names anybody."""

import json
import re
import stat
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync_worker.settings import Settings
from tests.test_cli import Terminal, terminal  # noqa: F401 - a fixture

CLINIC = """
[practice]
name = "Marmalade Physiotherapy"
timezone = "Australia/Hobart"

[[clinicians]]
name = "Zelda Quibble"
heidi_email = "zelda.quibble@practice.example"
heidi_user_id = "zq-internal-77"
cliniko_api_key = { env = "KEY_OF_ZELDA" }

[[routes]]
document_name = "Marigold letter*"
action = "skip"
"""
ADDRESS = "postmaster@marked.example"
PASSWORD = "Quincunx-secret-9"
WEBHOOK = "https://hooks.marked.example/T0KENT0KEN"


@pytest.fixture
def practice(terminal: Terminal) -> Terminal:  # noqa: F811
    """A practice with a filed note, a question with two charts, and settings that hold something to hide."""
    sandbox = terminal.sandbox
    sandbox.heidi.add_clinician(email="zelda.quibble@practice.example", user_id="zq-internal-77")
    (terminal.folder / "clinic.toml").write_text(CLINIC)
    key = terminal.environment.pop("CLINIKO_API_KEY")
    for name in ("HEIDI_USER_EMAIL", "HEIDI_USER_ID"):
        del terminal.environment[name]
    terminal.environment |= {
        "KEY_OF_ZELDA": key,
        "CLINIKO_CONTACT_EMAIL": ADDRESS,
        "SYNC_ALERT_EMAIL_TO": ADDRESS,
        "SYNC_ALERT_EMAIL_FROM": ADDRESS,
        "SYNC_ALERT_SMTP_HOST": "mail.marked.example",
        "SYNC_ALERT_SMTP_USER": "mailuser-marked",
        "SYNC_ALERT_SMTP_PASSWORD": PASSWORD,
        "SYNC_ALERT_WEBHOOK_URL": WEBHOOK,
        "SYNC_ALLOWED_HOSTS": "mail.marked.example,hooks.marked.example",
    }
    for born in ("1961-07-13", "1961-07-13"):
        sandbox.cliniko.add_patient(first_name="Quillabeth", last_name="Zantberry", date_of_birth=born)
    for name, day in (("Mary Jones", "1980-02-03"), ("Quillabeth Zantberry", "1961-07-13")):
        session = sandbox.heidi.add_session(
            clinician="zq-internal-77",
            patient_name=name,
            birth_date=day,
            created_at=datetime.now(UTC) - timedelta(hours=1),
        )
        sandbox.heidi.add_document(session, name="Canary letter", content="# CANARYTEXT\n\nRest.")
    assert terminal.run("once").returncode == 0
    assert len(sandbox.cliniko.notes) == 1
    return terminal


def bundle(terminal: Terminal) -> dict[str, Any]:  # noqa: F811
    done = terminal.run("support-bundle", "bundle.zip")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(terminal.folder / "bundle.zip") as opened:
        assert sorted(opened.namelist()) == ["README.txt", "about.json", "ledger.json", "settings.json"]
        texts = {name: opened.read(name).decode() for name in opened.namelist()}
    return {name: json.loads(text) if name.endswith(".json") else text for name, text in texts.items()}


def marks(terminal: Terminal) -> list[str]:  # noqa: F811
    """Everything of this practice that says who somebody is, or opens a door."""
    heidi, cliniko = terminal.sandbox.heidi, terminal.sandbox.cliniko
    documents = [document.document_id for session in heidi.sessions.values() for document in session.documents]
    [user] = cliniko.users.values()
    keys = [value for name, value in terminal.environment.items() if "KEY" in name]
    people = ["Quillabeth", "Zantberry", "Mary", "Jones", "1961", "1980-02-03", "CANARYTEXT", "Canary letter", "Rest."]
    practice = ["Zelda", "Quibble", "zq-internal", "Marmalade", "Marigold", "practice.example", "marked", "T0KEN"]
    ids = [*heidi.sessions, *documents, *cliniko.patients, *cliniko.notes, user.practitioner_id]
    titles = [note.title[-8:] for note in cliniko.notes.values()]
    places = [str(terminal.folder), "127.0.0.1", "localhost", ADDRESS, PASSWORD, WEBHOOK]
    return [*people, *practice, *ids, *titles, *keys, *places]


def test_it_holds_nothing_that_names_anybody_or_opens_a_door(practice: Terminal) -> None:
    told = bundle(practice)
    everything = json.dumps(told)
    found = [mark for mark in marks(practice) if mark.casefold() in everything.casefold()]
    assert found == []
    assert re.findall(r"[\w.]+@[\w.]+", everything) == []
    raw = (practice.folder / "bundle.zip").read_bytes()
    assert [mark for mark in marks(practice) if mark.encode() in raw] == []


def test_it_tells_versions_counts_ages_and_what_is_wrong(practice: Terminal) -> None:
    practice.run("pause")
    told = bundle(practice)
    assert told["about.json"]["database"] == "sqlite"
    ledger = told["ledger.json"]
    assert (ledger["rows"]["entries"], ledger["rows"]["attempts"], ledger["paused_for_everybody"]) == (2, 1, True)
    assert [(one["clinician"], one["status"], one["reason"], one["count"]) for one in ledger["entries"]] == [
        (1, "posted", None, 1),
        (1, "review", "several_charts", 1),
    ]
    [waiting] = ledger["waiting"]
    assert (waiting["entry"] in (1, 2), waiting["reason"], waiting["outcomes"]) == (True, "several_charts", [])
    [clinician] = ledger["clinicians"]
    assert (clinician["linked"], clinician["trail_broken_at"]) == (True, None)
    assert len(clinician["trail_hash"]) == 64
    assert "journalctl -u sync-worker" in told["README.txt"]


def test_every_setting_is_in_it_and_only_numbers_switches_and_choices_with_their_value(practice: Terminal) -> None:
    told = bundle(practice)["settings.json"]
    settings = told["settings"]
    assert settings.keys() == {name.upper() for name in Settings.model_fields}
    assert settings["SYNC_POLL_INTERVAL_SECONDS"] == 120
    assert (settings["HEIDI_REGION"], settings["SYNC_DATA_RESIDENCY"], settings["SYNC_MODE"]) == ("au", "AU", "auto")
    assert (settings["HEIDI_API_KEY"], settings["HEIDI_USER_EMAIL"]) == ("set", "not set")
    assert settings["SYNC_ALLOWED_HOSTS"] == {"count": 2}
    assert "SYNC_ALERT_SMTP_PASSWORD" in told["given"]
    assert (told["clinicians"], told["routes"]) == (1, {"skip": 1})


def test_it_is_for_its_user_alone_and_replaces_no_file(practice: Terminal) -> None:
    bundle(practice)
    file = practice.folder / "bundle.zip"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    again = practice.run("support-bundle", "bundle.zip")
    assert (again.returncode, again.stderr) == (1, "sync-worker: bundle.zip is there already: name another file.\n")
    assert file.read_bytes() == before


def test_it_asks_no_service_and_helps_without_a_ledger_too(terminal: Terminal) -> None:  # noqa: F811
    terminal.sandbox.heidi.requests.clear()
    assert "There is no ledger yet" in bundle(terminal)["ledger.json"]["error"]
    assert [*terminal.sandbox.heidi.requests, *terminal.sandbox.cliniko.requests] == []


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(terminal: Terminal, tmp_path: Path) -> None:  # noqa: F811
    done = terminal.run("support-bundle", str(tmp_path / "nowhere" / "bundle.zip"))
    assert done.returncode == 1
    assert "cannot be written (No such file or directory)" in done.stderr
