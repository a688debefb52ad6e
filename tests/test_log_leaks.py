"""What libraries would say by themselves: each known leak is closed where this program runs, and open beside it."""

import json
import threading
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from apscheduler.events import EVENT_JOB_ERROR
from apscheduler.schedulers.background import BackgroundScheduler
from pydantic import BaseModel, ValidationError
from typer.testing import CliRunner

from sync_worker.__main__ import app
from sync_worker.errors import LedgerError, LedgerUnavailable
from sync_worker.ledger.storage import open_engine, reading, writing
from sync_worker.logs import configure_logging
from sync_worker.settings import Settings
from sync_worker.upkeep import on_trouble
from tests.loopback import everything_said_by
from tests.test_logs import _logging_as_it_was  # noqa: F401 - puts back what logging changes

MARKED = "Marigold-Testpatient-1980"
BROKEN = [
    "INSERT INTO leases (clinician_id, epoch, holder, taken_at) VALUES (99, 1, :value, '2026-01-01')",
    "INSERT INTO accounts (name, role) VALUES (:value, 'nobody')",
    "SELECT * FROM no_such_table WHERE name = :value",
    "SELECT CAST(:value AS INTEGER) / 0, no_such_column FROM entries",
]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """Everything at DEBUG."""
    configure_logging(level="DEBUG", fmt="json")
    return capsys


@pytest.mark.parametrize("statement", BROKEN)
def test_a_failure_of_the_database_holds_no_value(ledger_url: str, statement: str) -> None:
    engine = open_engine(ledger_url)
    with pytest.raises((LedgerError, LedgerUnavailable)) as raised, writing(engine) as db:
        db.execute(sa.text(statement), {"value": MARKED})
    assert MARKED not in everything_said_by(raised.value)
    assert raised.value.__suppress_context__


def test_sqlalchemy_itself_hides_what_it_was_given(ledger_url: str) -> None:
    for engine, hidden in ((open_engine(ledger_url), True), (sa.create_engine(ledger_url), False)):
        with pytest.raises(sa.exc.DBAPIError) as raised, engine.connect() as db:
            db.execute(sa.text(BROKEN[2]), {"value": MARKED})
        assert (MARKED not in str(raised.value)) is hidden
        engine.dispose()


def test_a_reader_hides_it_too(ledger_url: str) -> None:
    with pytest.raises(LedgerUnavailable) as raised, reading(open_engine(ledger_url, read_only=True)) as db:
        db.execute(sa.text(BROKEN[2]), {"value": MARKED})
    assert MARKED not in everything_said_by(raised.value)


def test_pydantic_hides_what_it_refuses() -> None:
    class Careless(BaseModel):
        heidi_timeout_seconds: float

    said: list[str] = []
    models: tuple[Any, ...] = (Settings, Careless)
    for model in models:
        with pytest.raises(ValidationError) as raised:
            model.model_validate({"heidi_timeout_seconds": MARKED})
        said.append(str(raised.value))
    assert [MARKED in one for one in said] == [False, True]


def test_a_job_that_fails_is_told_by_its_class(log: pytest.CaptureFixture[str]) -> None:
    over = threading.Event()

    def fail(patient: str) -> None:
        raise LookupError(patient)

    scheduler = BackgroundScheduler()
    scheduler.add_listener(on_trouble, EVENT_JOB_ERROR)
    scheduler.add_listener(lambda _: over.set(), EVENT_JOB_ERROR)
    scheduler.start()
    scheduler.add_job(fail, args=[MARKED], name=MARKED)
    assert over.wait(10)
    scheduler.shutdown()
    said = log.readouterr().err
    assert MARKED not in said
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line["error"] for line in lines if line["event"] == "job.failed"] == ["LookupError"]
    assert [line["logger"] for line in lines if line["event"] == "library.log"] == ["apscheduler.executors.default"]


def test_a_command_that_breaks_shows_no_value_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        born = date(1980, 4, 7)
        raise RuntimeError(f"{MARKED} {born}")

    monkeypatch.setattr("sync_worker.commands.setup.load", load)
    done = CliRunner().invoke(app, ["status"])
    assert done.exit_code == 1
    assert "RuntimeError" in done.output
    assert not [word for word in (MARKED, "1980", "Traceback", "born") if word in done.output]
    assert app.pretty_exceptions_enable is False
