"""No patient's data in logs, errors, ledger or JSON: marked strings through the whole worker, and nothing comes out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from sync_worker.commands.review import _item_json, _life_json
from sync_worker.ledger.tables import Base
from sync_worker.ledger.views import Views
from sync_worker.logs import configure_logging
from tests.conftest import Clinic

FIRST, LAST, BORN, EMAIL, TEXT, DOCUMENT = (
    "Quillabeth",
    "Zantberry",
    "1961-07-13",
    "quilla.zant@marked.example",
    "CANARYTEXT",
    "Marked letter name",
)
MARKS = (FIRST, LAST, BORN, "13/07/1961", EMAIL, "quilla", TEXT, DOCUMENT)


@pytest.fixture
def debug_log(capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    configure_logging(level="DEBUG", fmt="json")
    return lambda: "".join(capfd.readouterr())


def test_marked_strings_reach_cliniko_and_nothing_else(clinic: Clinic, debug_log: Callable[[], str]) -> None:
    clinic.a_patient(FIRST, LAST, BORN, email=EMAIL)
    for fault in (None, "drop", "commit_then_drop", "422", "500"):
        session = clinic.a_session(f"{FIRST} {LAST}", BORN, email=EMAIL, ehr_patient_id="77")
        clinic.a_document(session, f"# {TEXT} heading\n\n{TEXT} <90", name=DOCUMENT)
        if fault:
            clinic.cliniko.fail_post(fault)
        clinic.tick()
    clinic.a_document(clinic.a_session(f"{FIRST} {LAST}", "1999-01-02"), TEXT, name=DOCUMENT)
    clinic.a_document(clinic.a_session(f"{FIRST} {LAST}", "1961-07-31", email=EMAIL), TEXT, name=DOCUMENT)
    clinic.a_document(clinic.a_session(f"{FIRST} {LAST}", None, email=EMAIL.upper()), TEXT, name=DOCUMENT)
    clinic.a_document(clinic.a_session(f"{LAST} {FIRST}", BORN), "<div>" * 400 + TEXT, name=DOCUMENT)
    clinic.heidi.fail("session", "html_200")
    clinic.cliniko.fail("patients", "500", times=3)
    clinic.ticks(6)
    clinic.cliniko.fail("bookings", "502_html", times=3)
    clinic.ticks(3, every=3600)
    assert TEXT in str([note.content for note in clinic.notes()])
    logged = debug_log()
    assert logged.count("\n") > 20
    for where, text in (("log", logged), ("ledger", _ledger_text(clinic)), ("views", _views_text(clinic))):
        for mark in MARKS:
            assert mark.casefold() not in text.casefold(), (where, mark)


def test_the_ledgers_file_holds_no_marked_string(clinic: Clinic, tmp_path: Path) -> None:
    clinic.a_patient(FIRST, LAST, BORN)
    clinic.a_document(clinic.a_session(f"{FIRST} {LAST}", BORN), TEXT, name=DOCUMENT)
    clinic.ticks(2)
    for path in tmp_path.glob("ledger.db*"):
        held = path.read_bytes()
        assert not [mark for mark in MARKS if mark.encode() in held], path.name


def _ledger_text(clinic: Clinic) -> str:
    with clinic.ledger.engine.connect() as db:
        rows = [db.execute(sa.select(table)).all() for table in Base.metadata.tables.values()]
    return repr(rows)


def _views_text(clinic: Clinic) -> str:
    views = Views(clinic.ledger.engine)
    items = views.review_list()
    lives = [views.entry_life(item.entry) for item in items]
    assert items
    return json.dumps([[_item_json(item, {}) for item in items], [_life_json(life) for life in lives if life]])
