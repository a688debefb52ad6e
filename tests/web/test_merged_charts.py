"""A patient's page after a merge in Cliniko: documents filed on the chart that is gone are the survivor's."""

from sync_worker.records import Role
from tests.web.house import House


def test_the_surviving_chart_has_the_documents_of_those_merged_into_it(house: House) -> None:
    clinic = house.clinic
    lost, _, _ = clinic.a_finished_document()
    clinic.tick()
    between, survivor = (clinic.a_patient("Mary", "Jones-Ng", "1980-02-03") for _ in range(2))
    other = clinic.a_patient("Maria", "Jonson", "1980-02-03")
    reception = house.person(Role.DESK)
    assert "None yet." in reception.get(f"/patients?patient_id={survivor}").text
    clinic.cliniko.merge_patients(lost, between)
    clinic.cliniko.merge_patients(between, survivor)
    clinic.clock.advance(61)
    reception.get(f"/patients?patient_id={survivor}")
    assert 'href="/review/1">Filed<' in reception.page.text
    assert f"Filed on chart {lost}, merged into this one since." in reception.page.text
    assert "None yet." in reception.get(f"/patients?patient_id={other}").text
    assert "This chart was merged into" in reception.get(f"/patients?patient_id={lost}").text
    assert "merged into this one since" not in reception.page.text
