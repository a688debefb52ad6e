"""`log`: the trail as a person reads it, and as somebody else's program proves it."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sync_worker.commands.log import WORDS
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.moves import WORKER
from sync_worker.ledger.storage import open_engine, writing
from sync_worker.ledger.trail import Event, append
from sync_worker.records import Wish
from sync_worker.web.history import sentence
from tests.conftest import Clinic
from tests.test_cli import Terminal

COLUMNS = ["number", "clinician", "at", "entry", "event", "from", "to", "reason", "actor", "details", "hash"]


@pytest.fixture(autouse=True)
def _engines_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the end of a command's own process would close."""
    opened: list[sa.Engine] = []

    def open_and_remember(url: str, **how: bool) -> sa.Engine:
        opened.append(open_engine(url, **how))
        return opened[-1]

    monkeypatch.setattr("sync_worker.commands.setup.open_engine", open_and_remember)
    yield
    for engine in opened:
        engine.dispose()


@pytest.fixture
def terminal(clinic: Clinic) -> Terminal:
    """A clinic in which one note was filed after a doubt and taken back, and another document waits."""
    return worked(clinic)


def worked(clinic: Clinic) -> Terminal:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("commit_then_drop")
    clinic.ticks(4)
    decisions = Decisions(clinic.ledger.engine, "person Zoë")
    decisions.pause(None, clinic.clock.now())
    decisions.resume(None, clinic.clock.now())
    decisions.withdraw(1, "wrong_patient", clinic.clock.now())
    clinic.a_document(clinic.a_session("Nobody Known"), "# Plan\n\nSomething else.")
    clinic.tick()
    return Terminal(Path.cwd(), clinic.sandbox, clinic.environment() | {"SYNC_TIMEZONE": "Australia/Hobart"})


def rows(terminal: Terminal, *arguments: str) -> list[dict[str, str]]:
    done = terminal.run("log", *arguments, "--csv")
    assert done.returncode == 0
    return list(csv.DictReader(io.StringIO(done.stdout)))


def first_that_does_not_fit(found: list[dict[str, str]]) -> int | None:
    """What the command's own words say: nothing of the program is used."""
    before = bytes(32)
    for place, row in enumerate(found, start=1):
        numbers = {name: int(row[name]) if row[name] else None for name in ("clinician", "number", "entry")}
        texts = {name: value or None for name, value in row.items()}
        told = [(numbers | {k: v for k, v in texts.items() if k not in numbers})[name] for name in ORDER]
        before = hashlib.sha256(before + json.dumps(told).encode()).digest()
        if numbers["number"] != place or row["hash"] != before.hex():
            return place
    return None


ORDER = ("clinician", "number", "at", "entry", "event", "from", "to", "reason", "actor", "details")


def test_a_question_that_was_passed_on_waits_on_whom_it_was_passed_to(terminal: Terminal, clinic: Clinic) -> None:
    def waits_on() -> list[str]:
        [item] = terminal.json("review", "list")["entries"]
        return [item["waiting_on"], terminal.json("review", "show", "2")["waiting_on"]]

    assert waits_on() == ["desk", "desk"]
    Decisions(clinic.ledger.engine, "person Zoë").ask_clinician(2, clinic.clock.now())
    assert waits_on() == ["clinician", "clinician"]
    assert terminal.json("review", "show", "1")["waiting_on"] is None


def test_an_entrys_whole_life_is_told_in_words(terminal: Terminal) -> None:
    done = terminal.run("log", "1")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "Entry 1 is withdrawn."
    [note] = terminal.sandbox.cliniko.notes
    assert any(f"note {note} on patient" in line for line in lines)
    assert any(line.startswith("  attempt 1 to create: begun 2026-11-19 09:30:00") for line in lines)
    assert any(line.startswith("  attempt 2 to archive") and line.endswith("accepted") for line in lines)
    told = [line for line in lines if line.startswith("2026-11-19")]
    words = [
        "the document was found, new -> pending, by worker",
        "a request to create its note was about to leave, pending -> posting, by worker, agrees",
        "moved, posting -> in_doubt, by worker",
        "moved, in_doubt -> posted, by worker",
        "its note is to be changed, because wrong_patient, by person Zoë, wish withdraw",
        "a request to change its note was about to leave, by worker",
        "that request ended, posted -> withdrawn, by worker",
    ]
    assert len(told) == len(words)
    assert all(word in line for word, line in zip(words, told, strict=True))
    assert told[0].startswith("2026-11-19 09:30:00, ")  # in Hobart


@pytest.mark.parametrize(
    ("wish", "at_the_terminal", "on_the_page"),
    [
        (Wish.UPDATE, "its note is to be changed, by worker", "The worker is to change the note"),
        (Wish.RECHECK, "its patient is to be looked at again, by worker", "The worker is to look at its patient again"),
        (None, "nothing more is to be done to its note, by worker", "The worker has nothing more to do to the note"),
    ],
)
def test_a_wish_says_what_is_to_be_done(
    clinic: Clinic, terminal: Terminal, wish: Wish | None, at_the_terminal: str, on_the_page: str
) -> None:
    with writing(clinic.ledger.engine) as db:
        what = {"at": clinic.clock.now(), "actor": WORKER, "entry_id": 1, "details": {"was": Wish.UPDATE, "wish": wish}}
        append(db, 1, Event.WISHED, **what)
    assert at_the_terminal in terminal.run("log", "1").stdout.splitlines()[-1]
    *_, (step, _hash) = clinic.ledger.trail.steps(1)
    assert sentence(step) == on_the_page


def test_without_an_entry_every_step_is_told_oldest_first(terminal: Terminal) -> None:
    lines = terminal.run("log").stdout.splitlines()
    assert len(lines) == len(rows(terminal))
    assert sorted(lines, key=lambda line: line[:19]) == lines
    assert "a.physio@example.com" not in lines[0]
    assert sum("posting was paused" in line for line in lines) == 1
    assert {line.split(", ")[2] for line in lines if " -> " in line} == {"entry 1", "entry 2"}
    as_cliniko_told = terminal.run("log", SYNC_TIMEZONE="").stdout
    assert as_cliniko_told.startswith("2026-11-19 09:30:00, ")


def test_the_file_alone_proves_the_chain(make_clinic: Callable[[str], Clinic], ledger_url: str) -> None:
    terminal = worked(make_clinic(ledger_url))
    found = rows(terminal)
    assert list(found[0]) == COLUMNS
    assert len(found) > 8
    assert first_that_does_not_fit(found) is None
    assert "person Zoë" in {row["actor"] for row in found}
    assert {row["at"][-6:] for row in found} == {"+00:00"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trail SET actor = 'somebody else' WHERE number = 3",
        "UPDATE trail SET at = '2026-11-18 00:00:00' WHERE number = 3",
        "DELETE FROM trail WHERE number = 3",
    ],
)
def test_the_file_shows_what_somebody_changed(terminal: Terminal, clinic: Clinic, statement: str) -> None:
    with writing(clinic.ledger.engine) as db:
        db.execute(sa.text(statement))
    assert first_that_does_not_fit(rows(terminal)) == 3


def test_details_that_somebody_made_unreadable_stop_nothing(terminal: Terminal, clinic: Clinic) -> None:
    with writing(clinic.ledger.engine) as db:
        db.execute(sa.text("UPDATE trail SET details = '{' WHERE number = 2"))
    done = terminal.run("log")
    assert (done.returncode, "details that cannot be read" in done.stdout) == (0, True)


def test_one_entrys_steps_come_as_csv_too(terminal: Terminal) -> None:
    assert {row["entry"] for row in rows(terminal, "2")} == {"2"}


def test_a_trail_of_many_pages_is_told_whole(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(terminal)
    monkeypatch.setattr("sync_worker.ledger.trail.PAGE", 3)
    assert rows(terminal) == whole
    assert len(whole) > 3 * 3


@pytest.mark.parametrize("arguments", [["log", "77"], ["log", "77", "--csv"]])
def test_an_entry_that_is_not_there_is_one_sentence(terminal: Terminal, arguments: list[str]) -> None:
    done = terminal.run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no entry 77" in done.stderr


def test_every_kind_of_step_has_its_words() -> None:
    assert WORDS.keys() == set(Event)


def test_without_a_ledger_it_says_so(terminal: Terminal, tmp_path: Path) -> None:
    done = terminal.run("log", DATABASE_URL=f"sqlite:///{tmp_path / 'none.db'}")
    assert (done.returncode, "no ledger yet" in done.stderr) == (1, True)
