"""Looks at patients' data: each is told in the trail once, and none buries what was done."""

import json

from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.pages import Told
from sync_worker.records import Role
from tests.conftest import MORNING
from tests.web.house import House


def looks(house: House) -> list[Told]:
    return [one for one in house.pages.history() if one.step.event == "viewed"]


def test_one_person_s_looks_at_an_entry_are_one_step_for_five_minutes(house: House) -> None:
    entry = house.a_question()
    reception, owner = house.person(Role.DESK), house.person(Role.ADMIN)
    for _ in range(3):
        reception.get(f"/review/{entry}")
    owner.get(f"/review/{entry}")
    assert [one.step.actor for one in looks(house)] == ["admin owner", "desk reception"]
    house.clinic.clock.advance(301)
    reception.get(f"/review/{entry}")
    assert [one.step.actor for one in looks(house)] == ["desk reception", "admin owner", "desk reception"]
    assert house.clinic.ledger.trail.breaks() == []


def test_the_review_list_is_told_as_one_look(house: House) -> None:
    house.a_question()
    reception = house.person(Role.DESK)
    reception.get("/review")
    reception.get("/review?for=desk")
    [look] = looks(house)
    assert (look.step.entry_id, look.step.details) == (None, '{"list": "review"}')
    assert "desk reception looked at the names on the review list" in reception.get("/history?looks=1").text


def test_a_patient_s_page_is_told_in_the_trails_of_whoever_has_their_documents(house: House) -> None:
    patient_id, _, _ = house.clinic.a_finished_document()
    house.clinic.tick()
    house.clinic.ledger.clinicians.enter("physio-9")
    reception = house.person(Role.DESK)
    for one in (patient_id, "12345"):
        reception.get(f"/patients?patient_id={one}")
    told = [(one.heidi_user_id, json.loads(one.step.details or "{}")) for one in looks(house)]
    assert told == [("physio-1", {"patient_id": "12345"}), ("physio-1", {"patient_id": patient_id})]


def test_the_charts_of_a_search_are_told(house: House) -> None:
    entry = house.a_question()
    state = house.clinic.ledger.clinicians.enter("physio-1")
    by = Decisions(house.clinic.ledger.engine, "desk reception")
    by.saw([state.clinician_id], MORNING, entry_id=entry, found=["12", "11"])
    [look] = looks(house)
    assert (look.step.entry_id, look.step.details) == (entry, '{"found": ["11", "12"]}')


def test_the_history_leaves_looks_out_unless_they_are_wanted(house: House) -> None:
    entry = house.a_question()
    reception = house.person(Role.DESK)
    reception.get(f"/review/{entry}")
    assert "looked at a patient" not in reception.page.text
    reception.get(f"/history?entry={entry}")
    assert "looked at a patient" not in reception.page.text
    assert f'href="/history?looks=1&amp;entry={entry}"' in reception.page.text
    reception.get(f"/history?looks=1&entry={entry}")
    assert "desk reception looked at a patient" in reception.page.text
    assert f'href="/history?entry={entry}">Hide looks' in reception.page.text
    newest = house.pages.history()[0].trail_id
    reception.get(f"/history?looks=1&entry={entry}&before={newest}")
    assert f'href="/history?entry={entry}&amp;looks=1">Newest' in reception.page.text
