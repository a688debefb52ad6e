"""The commands as a person or a script meets them: one clear sentence, the right exit code, and never a traceback."""

import gc
import io
import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from sync_worker.__main__ import main
from sync_worker.sandbox import Sandbox
from tests.loopback import Service


@dataclass
class Terminal:
    """A folder, an environment and a sandbox that the console script meets."""

    folder: Path
    sandbox: Sandbox
    environment: dict[str, str]

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """The command as `main` runs it, in this process: a process of its own takes a second to start."""
        stdout, stderr, code = io.StringIO(), io.StringIO(), 0
        with _untouched(), pytest.MonkeyPatch.context() as patch:
            for name in os.environ:
                patch.delenv(name)
            for name, value in (self.environment | settings).items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            patch.setattr("sys.argv", ["sync-worker", *arguments])
            patch.setattr("sync_worker.__main__._started", [])
            with redirect_stdout(stdout), redirect_stderr(stderr):
                try:
                    main()
                except SystemExit as stopped:
                    code = int(stopped.code or 0)
        done = subprocess.CompletedProcess(arguments, code, stdout.getvalue(), stderr.getvalue())
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def process(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """The same in a process of its own, as a shell starts it."""
        with self.start(*arguments, **settings) as started:
            stdout, stderr = started.communicate(timeout=60)
        assert "Traceback" not in stdout + stderr
        return subprocess.CompletedProcess(arguments, started.returncode, stdout, stderr)

    def json(self, *arguments: str, code: int = 0, **settings: str) -> Any:
        done = self.run(*arguments, "--json", **settings)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "sync_worker", *arguments],
            cwd=self.folder,
            env=self.environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def a_document(self, content: str = "# Plan\n\nRest.", name: str = "Mary Jones", born: str = "1980-02-03") -> str:
        session = self.sandbox.heidi.add_session(
            clinician="physio-1",
            patient_name=name,
            birth_date=born,
            created_at=datetime.now(UTC) - timedelta(hours=1),
        )
        return self.sandbox.heidi.add_document(session, name="Letter", content=content)


@contextmanager
def _untouched() -> Iterator[None]:
    """Leave this process as it was: commands set handlers, hooks and the umask as a process of their own may."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, level = logging.root.handlers[:], logging.root.level
    logs = structlog.get_config() if structlog.is_configured() else None
    mask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(mask)
        gc.unfreeze()
        for number, handler in signals.items():
            signal.signal(number, handler)
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        logging.captureWarnings(False)
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        structlog.reset_defaults()
        if logs is not None:
            structlog.configure(**logs)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with Sandbox() as sandbox:
        sandbox.heidi.add_clinician(email="a.physio@example.com", user_id="physio-1")
        user = sandbox.cliniko.add_user(first_name="Ada", last_name="Physio")
        sandbox.cliniko.add_patient(first_name="Mary", last_name="Jones", date_of_birth="1980-02-03")
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parent.parent),
            **sandbox.environment(),
            "HEIDI_USER_EMAIL": "a.physio@example.com",
            "HEIDI_USER_ID": "physio-1",
            "CLINIKO_API_KEY": sandbox.cliniko.key_of(user),
            "DATABASE_URL": f"sqlite:///{tmp_path / 'ledger.db'}",
            "SYNC_START_AT": "2020-01-01",
            "SYNC_SETTLE_SECONDS": "0",
            "SYNC_DOUBT_FIRST_LOOK_SECONDS": "0",
            "SYNC_DOUBT_SECOND_LOOK_SECONDS": "0",
            "CLINIKO_RATE_PER_MINUTE": "1000",
        }
        yield Terminal(tmp_path, sandbox, environment)


# ---------------------------------------------------------------- the main job


def test_once_files_and_tells_as_agreed(terminal: Terminal) -> None:
    terminal.a_document()
    told = terminal.json("once")
    counts = {"sessions_seen", "documents_seen", "posted", "review", "pending", "in_doubt", "skipped"}
    assert told["totals"].keys() == counts
    assert (told["totals"]["posted"], told["clinicians"][0]["error"]) == (1, None)
    assert told["clinicians"][0].keys() == {"name", "error"} | counts
    assert terminal.json("once")["totals"]["posted"] == 0
    assert len(terminal.sandbox.cliniko.notes) == 1


def test_once_names_every_count_on_a_terminal_of_eighty_columns(terminal: Terminal) -> None:
    head = terminal.run("once", COLUMNS="80").stdout
    names = ["Clinician", "sessions", "documents", "posted", "review", "pending", "in doubt", "skipped"]
    assert [name for name in names if name not in head] == []


def test_a_process_of_its_own_does_the_same(terminal: Terminal) -> None:
    terminal.a_document()
    done = terminal.process("once", "--json")
    assert (done.returncode, json.loads(done.stdout)["totals"]["posted"]) == (0, 1)
    wrong = terminal.process("once", "--json", HEIDI_API_KEY="")
    assert (wrong.returncode, list(json.loads(wrong.stdout))) == (2, ["error"])


def test_plan_writes_nothing_anywhere(terminal: Terminal) -> None:
    document = terminal.a_document()
    terminal.a_document(name="Nobody Known")
    planned = terminal.json("plan")["entries"]
    assert sorted((one["action"], one["reason"]) for one in planned) == [("post", None), ("review", "no_match")]
    assert [one["document_id"] for one in planned if one["action"] == "post"] == [document]
    assert not (terminal.folder / "ledger.db").exists()
    terminal.run("db", "upgrade")
    before = (terminal.folder / "ledger.db").read_bytes()
    terminal.json("plan")
    assert (terminal.folder / "ledger.db").read_bytes() == before
    requests = [*terminal.sandbox.cliniko.requests, *terminal.sandbox.heidi.requests]
    assert {one.method for one in requests} == {"GET"}


def test_plan_and_once_agree(terminal: Terminal) -> None:
    terminal.a_document()
    terminal.a_document("x", name="Nobody Known")
    planned = {one["document_id"]: one["action"] for one in terminal.json("plan")["entries"]}
    terminal.json("once")
    waiting = {one["document_id"] for one in terminal.json("review", "list")["entries"]}
    assert {document for document, action in planned.items() if action == "review"} == waiting
    assert {one["action"] for one in terminal.json("plan")["entries"]} == {"review"}


def test_status_tells_why_entries_wait_and_why_they_were_skipped(terminal: Terminal) -> None:
    for name in ("Nora Newcomer", "Nobody Known"):
        terminal.a_document(name=name)
    terminal.run("once")
    terminal.run("review", "dismiss", "2", "--reason", "filed_by_hand")
    assert terminal.json("status")["reasons"] == [
        {"status": "review", "reason": "no_match", "entries": 1},
        {"status": "skipped", "reason": "dismissed", "entries": 1},
    ]
    told = terminal.run("status").stdout
    assert told.index("no_match") < told.index("skipped") < told.index("dismissed")


def test_status_tells_a_rehearsal(terminal: Terminal) -> None:
    terminal.run("db", "upgrade")
    for mode, is_rehearsal in (("auto", False), ("rehearse", True)):
        assert terminal.json("status", SYNC_MODE=mode)["mode"] == mode
        told = terminal.run("status", SYNC_MODE=mode).stdout
        assert ("This is a rehearsal: nothing is filed." in told) == is_rehearsal


def test_status_tells_as_agreed(terminal: Terminal) -> None:
    terminal.a_document()
    terminal.json("once")
    told = terminal.json("status")
    agreed = {"version", "schema", "entries", "oldest_waiting_seconds", "clinicians"}
    assert told.keys() == agreed | {"mode", "reasons", "alarms", "heidi_templates_without_route", "queue"}
    assert told["entries"]["posted"] == 1
    assert told["oldest_waiting_seconds"] is None
    [clinician] = told["clinicians"]
    assert clinician.keys() == {"name", "last_poll_at", "cursor", "linked", "paused", "error"}
    assert (clinician["linked"], clinician["paused"], clinician["error"]) == (True, False, None)


def test_a_person_decides_and_the_next_tick_files(terminal: Terminal) -> None:
    terminal.a_document(name="Marie Jonas")
    terminal.json("once")
    [entry] = terminal.json("review", "list")["entries"]
    assert entry.keys() == {
        "entry",
        "reason",
        "waiting_on",
        "clinician",
        "session_id",
        "document_id",
        "waiting_since",
        "candidates",
    }
    [patient] = terminal.sandbox.cliniko.patients
    number = str(entry["entry"])
    assert terminal.json("review", "assign", number, "--patient", patient)["status"] == "pending"
    assert terminal.json("once")["totals"]["posted"] == 1
    life = terminal.json("review", "show", number)
    assert [step["to_status"] for step in life["history"]] == ["pending", "review", "pending", "posting", "posted"]


def test_a_doubt_is_resolved_by_a_person_only_with_a_note_that_is_there(terminal: Terminal) -> None:
    terminal.a_document()
    terminal.sandbox.cliniko.fail_post("drop", times=2)
    for _ in range(6):
        terminal.json("once")
    [entry] = terminal.json("review", "list")["entries"]
    number = str(entry["entry"])
    assert entry["reason"] == "twice_in_doubt"
    refused = terminal.json("review", "resolve", number, "--note", "123", code=1)
    assert "Cliniko shows no note 123" in refused["error"]["problems"][0]
    terminal.json("review", "resolve", number, "--not-there")
    assert terminal.json("once")["totals"]["posted"] == 1
    assert len(terminal.sandbox.cliniko.notes) == 1


def test_pause_and_resume_hold_over_restarts(terminal: Terminal) -> None:
    terminal.a_document()
    terminal.run("db", "upgrade")
    assert "paused" in terminal.run("pause", "physio-1").stdout
    assert terminal.json("once")["totals"] | {"sessions_seen": 0, "documents_seen": 0} == {
        "sessions_seen": 0,
        "documents_seen": 0,
        "posted": 0,
        "review": 0,
        "pending": 1,
        "in_doubt": 0,
        "skipped": 0,
    }
    terminal.run("resume")
    assert terminal.json("once")["totals"]["posted"] == 1


def test_check_proves_each_setting(terminal: Terminal) -> None:
    told = terminal.json("check")
    assert told["ok"]
    proved = {"settings", "ledger", "heidi", "heidi_link", "cliniko", "diary", "clock"}
    assert {one["name"] for one in told["checks"]} >= proved


def diary_check(terminal: Terminal, code: int = 0, **settings: str) -> tuple[str, str]:
    """What `check` says of the diary: a level and a sentence."""
    ((level, sentence),) = [
        (one["level"], one["message"])
        for one in terminal.json("check", code=code, **settings)["checks"]
        if one["name"] == "diary"
    ]
    return level, sentence


def checked(terminal: Terminal, name: str, **settings: str) -> list[tuple[str, str]]:
    """What `check` says about one thing, where something is to be done."""
    checks = terminal.json("check", code=1, **settings)["checks"]
    return [(one["level"], one["message"]) for one in checks if one["name"] == name]


def test_check_finds_a_ledger_that_can_be_read_and_not_written(terminal: Terminal, tmp_path: Path) -> None:
    terminal.json("once")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        db.execute("CREATE TRIGGER stop AFTER UPDATE ON installation BEGIN INSERT INTO nowhere VALUES (1); END")
    [(level, _)] = checked(terminal, "ledger")
    assert level == "problem"


def test_check_finds_a_full_disk_below_the_ledger(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.json("once")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    assert checked(terminal, "ledger") == [
        ("problem", "The disk of the ledger is full: free some space; nothing was lost.")
    ]


def test_check_refuses_a_start_that_is_to_come(terminal: Terminal) -> None:
    [(level, sentence)] = checked(terminal, "start", SYNC_START_AT=f"{datetime.now(UTC).year + 1}-03-01")
    assert level == "problem"
    assert sentence.startswith("SYNC_START_AT is to come")


def test_check_asks_a_service_that_is_away_once_for_all_clinicians(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "clinic.toml").write_text(
        "".join(
            f'[[clinicians]]\nname = "{name}"\nheidi_email = "{name}@example.com"\nheidi_user_id = "{name}"\n'
            f'cliniko_api_key = {{ env = "CLINIKO_API_KEY" }}\n'
            for name in ("ada", "bo")
        )
    )
    terminal.sandbox.cliniko.fail("user", "500", times=99)
    told = checked(terminal, "cliniko", SYNC_CONFIG_FILE=str(tmp_path / "clinic.toml"))
    assert [sentence.partition(": ")[0] for _, sentence in told] == ["ada", "bo"]
    assert told[1][1] == "bo: not asked, since Cliniko did not answer just now."


@pytest.mark.parametrize("command", ["plan", "audit", "backfill"])
def test_a_day_that_is_to_come_is_refused(terminal: Terminal, command: str) -> None:
    done = terminal.run(command, "--since", f"{datetime.now(UTC).year + 1}-03-01")
    assert (done.returncode, "--since is to come" in done.stderr) == (2, True)


def test_a_plan_that_could_read_nothing_does_not_say_that_there_is_nothing_to_do(terminal: Terminal) -> None:
    terminal.sandbox.heidi.fail("sessions", "500", times=99)
    done = terminal.run("plan")
    assert (done.returncode, "not all could be read" in done.stdout) == (1, True)
    assert terminal.json("plan", code=1)["errors"]


def test_check_says_where_nobody_would_hear_of_trouble(terminal: Terminal) -> None:
    assert "Nobody is told when something is wrong" in terminal.run("check").stdout
    with Service() as hook:
        told = {"SYNC_ALERT_WEBHOOK_URL": hook.url}
        assert "Alarms are sent" in terminal.run("check", **told).stdout
        assert "look whether it arrived" in terminal.run("alarms", "test", **told).stdout
        assert len(hook.requests) == 1
    gone, unset = terminal.run("alarms", "test", **told), terminal.run("alarms", "test")
    assert (gone.returncode, "cannot be reached" in gone.stdout) == (1, True)
    assert (unset.returncode, "Nobody is told of alarms" in unset.stdout) == (1, True)


def test_check_tells_whether_a_key_may_read_the_diary_and_what_goes_without(terminal: Terminal) -> None:
    level, sentence = diary_check(terminal)
    assert (level, sentence.partition(":")[0]) == ("ok", "physio-1")
    (user,) = terminal.sandbox.cliniko.users.values()
    user.can_read_bookings = False
    level, sentence = diary_check(terminal)
    assert level == "warning"
    assert "not linked to bookings" in sentence
    assert "SYNC_DIARY_VETO" in sentence
    assert "role" in sentence
    assert "third identifier" not in sentence
    assert "third identifier" in diary_check(terminal, SYNC_MATCH_IDENTIFIERS="3")[1]
    assert "SYNC_DIARY_VETO" not in diary_check(terminal, SYNC_DIARY_VETO="false")[1]


def test_check_takes_no_fault_for_a_role_that_may_not_read_the_diary(terminal: Terminal) -> None:
    terminal.sandbox.cliniko.fail("bookings", "404")
    level, sentence = diary_check(terminal, code=1)
    assert level == "problem"
    assert sentence.endswith("refused list_bookings.")


# ---------------------------------------------------------------- the service


def wait_for(is_so: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 20) -> None:
    """Poll until something is so."""
    ends = time.monotonic() + seconds
    while not is_so():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < ends, "waited too long"
        time.sleep(0.05)


def test_the_service_files_notices_decisions_and_stops_when_asked(terminal: Terminal) -> None:
    terminal.a_document()
    terminal.a_document(name="Marie Jonas")
    service = terminal.start("run")
    try:
        wait_for(lambda: len(terminal.sandbox.cliniko.notes) == 1, service)
        wait_for(lambda: len(terminal.json("review", "list")["entries"]) == 1, service)
        [entry] = terminal.json("review", "list")["entries"]
        [patient] = terminal.sandbox.cliniko.patients
        terminal.run("review", "assign", str(entry["entry"]), "--patient", patient)
        wait_for(lambda: len(terminal.sandbox.cliniko.notes) == 2, service)
        held = terminal.json("once", code=3)
        assert held["error"]["code"] == "held"
        assert str(service.pid) in held["error"]["problems"][0]
        assert "or stop it first" in held["error"]["problems"][-1]
        assert "or stop it first" in terminal.process("run").stderr
    finally:
        service.terminate()
        output = service.communicate(timeout=40)
    assert service.returncode == 0, output
    assert "Traceback" not in "".join(output)


# ---------------------------------------------------------------- what goes wrong


def test_missing_settings_are_listed_all_at_once(terminal: Terminal) -> None:
    told = terminal.json(
        "once", code=2, HEIDI_API_KEY="", CLINIKO_API_KEY="", HEIDI_REGION="us", SYNC_SETTLE_SECONDS="soon"
    )
    text = " ".join(told["error"]["problems"])
    for name in ("HEIDI_API_KEY", "CLINIKO_API_KEY", "HEIDI_REGION", "SYNC_SETTLE_SECONDS"):
        assert name in text
    assert not terminal.sandbox.heidi.requests


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"CLINIKO_API_KEY": "MS0abc-us1"}, "Australia"),
        ({"HEIDI_REGION": "us"}, "HEIDI_REGION"),
        ({"CLINIKO_BASE_URL": "https://api.us1.cliniko.com/v1/"}, "CLINIKO_BASE_URL"),
    ],
)
def test_nothing_leaves_australia(terminal: Terminal, settings: dict[str, str], word: str) -> None:
    done = terminal.run("once", **settings)
    assert done.returncode == 2
    assert word in done.stderr


@pytest.mark.parametrize(
    ("breaking", "code"),
    [
        (lambda sandbox: sandbox.heidi.unlink("a.physio@example.com"), "heidi_not_linked"),
        (lambda sandbox: setattr(sandbox.heidi, "api_key", "another"), "heidi_key_refused"),
        (lambda sandbox: sandbox.cliniko.fail("user", "401", times=9), "cliniko_key_refused"),
        (lambda sandbox: sandbox.heidi.fail("sessions", "html_200", times=9), "heidi_invalid_response"),
        (lambda sandbox: sandbox.cliniko.fail("patients", "html_200", times=9), "cliniko_invalid_response"),
        (lambda sandbox: sandbox.cliniko.fail("patients", "redirect", times=9), "cliniko_invalid_response"),
        (lambda sandbox: sandbox.cliniko.fail("patients", "foreign_next", times=9), "cliniko_invalid_response"),
    ],
)
def test_a_service_in_trouble_is_told_and_nothing_is_lost(
    terminal: Terminal, breaking: Callable[[Sandbox], None], code: str
) -> None:
    terminal.a_document()
    breaking(terminal.sandbox)
    told = terminal.json("once", code=1)
    error = told["clinicians"][0]["error"]
    assert error["code"] == code
    assert error["hint"].endswith(".")
    assert len(error["hint"]) > 30
    assert not terminal.sandbox.cliniko.notes
    assert terminal.run("check").returncode in (0, 1)


def test_a_key_whose_user_is_no_practitioner_is_explained(terminal: Terminal) -> None:
    terminal.a_document()
    desk = terminal.sandbox.cliniko.add_user(
        first_name="Di", last_name="Desk", role="administrator", practitioner=False
    )
    key = terminal.sandbox.cliniko.key_of(desk)
    told = terminal.json("once", code=1, CLINIKO_API_KEY=key)
    assert told["clinicians"][0]["error"]["code"] == "cliniko_not_a_practitioner"
    checked = terminal.run("check", CLINIKO_API_KEY=key)
    assert (checked.returncode, "practitioner" in checked.stdout) == (1, True)


def test_a_huge_and_a_deep_document_are_filed_or_held_and_nothing_is_lost(terminal: Terminal) -> None:
    terminal.a_document("word " * 400_000)
    terminal.a_document("<ul><li>" * 500 + "deep")
    terminal.a_document("> " * 500 + "deep")
    told = terminal.json("once")
    assert told["totals"]["posted"] + told["totals"]["review"] == 3


def test_a_ledger_of_a_newer_version_is_left_alone(terminal: Terminal) -> None:
    terminal.run("db", "upgrade")
    with sqlite3.connect(terminal.folder / "ledger.db") as db:
        db.execute("UPDATE alembic_version SET version_num = '9999_future'")
    db.close()
    listing = (["review", "list"], ["users", "list"])
    for command in (["once"], ["run"], ["status"], *listing, ["db", "upgrade"], ["db", "current"]):
        done = terminal.run(*command)
        assert done.returncode == 2, command
        assert "newer" in done.stderr
    assert terminal.run("check").returncode == 1


@pytest.mark.parametrize("command", [["status"], ["review", "list"], ["pause"], ["review", "retry", "1"]])
def test_without_a_ledger_the_others_say_so(terminal: Terminal, command: list[str]) -> None:
    done = terminal.run(*command)
    assert done.returncode == 1
    assert "no ledger yet" in done.stderr
    assert not (terminal.folder / "ledger.db").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False).returncode:
        pytest.skip("this machine mounts no tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_told_and_nothing_is_sent(terminal: Terminal, small_disk: Path) -> None:
    url = f"sqlite:///{small_disk / 'ledger.db'}"
    terminal.run("db", "upgrade", DATABASE_URL=url)
    terminal.a_document()
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize))
    done = terminal.run("once", DATABASE_URL=url)
    assert done.returncode == 1
    assert "full" in done.stderr or "free space" in done.stderr
    assert not terminal.sandbox.cliniko.notes
    (small_disk / "filler").unlink()
    assert terminal.json("once", DATABASE_URL=url)["totals"]["posted"] == 1


def test_a_read_only_disk_is_told_and_nothing_is_sent(terminal: Terminal, small_disk: Path) -> None:
    url = f"sqlite:///{small_disk / 'ledger.db'}"
    terminal.run("db", "upgrade", DATABASE_URL=url)
    terminal.a_document()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = terminal.run("once", DATABASE_URL=url)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr or "cannot be" in done.stderr
    assert terminal.run("status", DATABASE_URL=url).returncode == 0
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert terminal.json("once", DATABASE_URL=url)["totals"]["posted"] == 1


def test_a_full_disk_at_the_first_start_is_told(terminal: Terminal, small_disk: Path) -> None:
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize))
    done = terminal.run("once", "--json", DATABASE_URL=f"sqlite:///{small_disk / 'new' / 'ledger.db'}")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "ledger_unavailable"


def test_wrong_arguments_are_refused_before_anything_happens(terminal: Terminal) -> None:
    terminal.run("db", "upgrade")
    assert terminal.run("review", "assign", "1", "--patient", "Mary Jones").returncode == 2
    assert terminal.run("review", "dismiss", "1", "--reason", "It is Mary's").returncode == 2
    assert terminal.run("review", "resolve", "1").returncode == 2
    assert terminal.run("review", "show", "7").returncode == 1
    assert terminal.run("plan", "--since", "yesterday").returncode == 2
    assert terminal.run("pause", "nobody").returncode == 2


def test_stand_ins_leave_nothing_behind(terminal: Terminal) -> None:
    with terminal.start("sandbox", TMPDIR=str(terminal.folder)) as started:
        assert started.stdout is not None
        said = list(iter(started.stdout.readline, "# Ctrl-C ends it, and deletes that folder.\n"))
        assert any(line.startswith("CLINIKO_BASE_URL=http://127.0.0.1:") for line in said)
        [written] = terminal.folder.glob("sync-worker-sandbox-*/.env")
        [worker] = [line for line in said if line.startswith("# In another terminal: ")]
        assert worker.startswith(f"# In another terminal: cd {written.parent} && /")
        assert worker.endswith(" run\n")
        started.terminate()
        assert started.wait(timeout=20) == 0
    assert not list(terminal.folder.glob("sync-worker-sandbox-*"))


@pytest.mark.parametrize("option", ["--heidi-port", "--cliniko-port"])
def test_stand_ins_on_a_port_that_cannot_be_used_are_one_sentence(terminal: Terminal, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = terminal.run("sandbox", option, port)
    assert (done.returncode, done.stderr) == (2, f"sync-worker: Port {port} cannot be used: choose another.\n")
    assert terminal.run("sandbox", option, "70000").returncode == 2


def test_garbage_is_collected_while_a_command_works(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    collects: list[bool] = []
    monkeypatch.setattr("sync_worker.commands.run.run", lambda: collects.append(gc.isenabled()) or 0)
    assert terminal.run("run").returncode == 0
    assert terminal.run("no-such-command").returncode == 2
    assert [*collects, gc.isenabled()] == [True, True]


def test_no_garbage_is_looked_for_while_a_command_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    collects: list[bool] = []
    monkeypatch.setattr("sync_worker.__main__.app", lambda: collects.append(gc.isenabled()))
    main()
    assert [*collects, gc.isenabled()] == [False, True]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['sync-worker', '--help']\n"
        "from sync_worker.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'httpx', 'sqlalchemy', 'alembic', 'apscheduler', 'pydantic', 'rich', 'bs4', 'structlog', 'argon2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_every_reason_to_wait_has_its_words() -> None:
    from sync_worker.advice import ADVICE
    from sync_worker.lifecycle import WAITS_ON
    from sync_worker.records import Reason
    from sync_worker.web.words import TITLES

    assert set(TITLES) == set(Reason)
    assert ADVICE.keys() == WAITS_ON.keys()
    assert all(sentence.endswith(".") for sentence in ADVICE.values())
