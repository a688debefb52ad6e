"""The audit trail: every step is there, tells no patient's data, and shows when somebody changed it."""

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.storage import writing
from sync_worker.lifecycle import REREAD_FOR
from tests.conftest import Clinic

TAMPERINGS = {
    "a step changed": "UPDATE trail SET actor = 'somebody else' WHERE number = 2",
    "a step's details changed": "UPDATE trail SET details = '{}' WHERE event = 'claimed'",
    "a step removed": "DELETE FROM trail WHERE number = 2",
    "the newest step removed": "DELETE FROM trail WHERE number = (SELECT max(number) FROM trail)",
    "the whole trail removed": "DELETE FROM trail",
    "a step slipped in at the end": (
        "INSERT INTO trail (clinician_id, number, at, event, actor, hash)"
        " SELECT clinician_id, number + 1, at, 'resumed', actor, hash FROM trail ORDER BY number DESC LIMIT 1"
    ),
    "the tip changed": "UPDATE clinicians SET trail_number = trail_number - 1",
}


@pytest.fixture
def worked(make_clinic: Callable[[str], Clinic], ledger_url: str) -> Clinic:
    """A clinic on each database in which a note was filed, paused about, and taken back."""
    clinic = make_clinic(ledger_url)
    clinic.a_finished_document()
    clinic.tick()
    decisions = Decisions(clinic.ledger.engine, "person test")
    decisions.pause(None, clinic.clock.now())
    decisions.resume(None, clinic.clock.now())
    decisions.withdraw(1, "wrong_patient", clinic.clock.now())
    clinic.tick()
    return clinic


def test_a_documents_whole_life_is_there_in_its_order(worked: Clinic) -> None:
    steps = [step for step, _ in worked.ledger.trail.steps(1)]
    assert [step.event for step in steps] == ["entered", "claimed", "moved", "wished", "amending", "amended"]
    assert [step.actor for step in steps if step.event == "wished"] == ["person test"]
    assert [step.reason for step in steps if step.event == "wished"] == ["wrong_patient"]
    everything = [step.event for step, _ in worked.ledger.trail.steps()]
    assert everything.count("paused") == everything.count("resumed") == 1


def test_a_claim_says_why_before_the_request_leaves(worked: Clinic) -> None:
    [claim] = [step for step, _ in worked.ledger.trail.steps(1) if step.event == "claimed"]
    told = claim.details or ""
    for word in ('"rule": 2', '"version"', '"settings"', '"birth_date"', '"missing"', '"candidates"', '"document"'):
        assert word in told
    for word in ("Mary", "Jones", "1980-02", "Rest"):
        assert word not in told


def test_a_claim_names_the_text_that_is_filed_though_it_changed_unseen(clinic: Clinic) -> None:
    _, _, document = clinic.a_finished_document("Rest.")
    decisions = Decisions(clinic.ledger.engine, "person test")
    decisions.pause(None, clinic.clock.now())
    clinic.tick()
    clinic.clock.advance(REREAD_FOR.total_seconds() + 1)
    clinic.heidi.edit_document(document, "Rest, and ice.")
    decisions.resume(None, clinic.clock.now())
    clinic.tick()
    assert "Rest, and ice." in str(clinic.notes()[0].content)
    [claim] = [step for step, _ in clinic.ledger.trail.steps(1) if step.event == "claimed"]
    assert json.loads(claim.details or "{}")["document"] == clinic.ledger.keyed_hash("Rest, and ice.").hex()


def test_an_untouched_trail_holds(worked: Clinic) -> None:
    assert worked.ledger.trail.breaks() == []


@pytest.mark.parametrize("statement", TAMPERINGS.values(), ids=TAMPERINGS)
def test_a_trail_that_somebody_changed_shows_it(worked: Clinic, statement: str) -> None:
    with writing(worked.ledger.engine) as db:
        db.execute(sa.text(statement))
    assert [one.heidi_user_id for one in worked.ledger.trail.breaks()] == ["physio-1"]
