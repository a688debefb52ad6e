"""What Cliniko's patient button opens: the documents filed for this patient, and those that may be theirs.

The button only opens an address with a number in it. It proves nothing, gives no access and changes nothing.
"""

from starlette.responses import Response

from sync_worker.cliniko_values import CLINIKO_ID
from sync_worker.errors import NotPossible, RemoteError
from sync_worker.model import Patient
from sync_worker.web import access
from sync_worker.web.access import Action
from sync_worker.web.visit import Refusal, Visit


def page(visit: Visit) -> Response:
    """One patient's page."""
    patient_id = _patient_id(visit.request.query_params.get("patient_id", ""))
    office, account = visit.office, visit.account
    whose, number = access.whose(account), visit.page()
    office.decisions(account).saw(_concerned(visit, patient_id), office.clock.now(), patient_id=patient_id)
    patient, merged, troubles = _chart(visit, patient_id)
    rows, has_more = office.pages.of_patient(patient_id, whose, merged=merged, page=number)
    perhaps = office.pages.perhaps_of_patient(patient_id, whose)
    return visit.show(
        "patient.html",
        patient_id=patient_id,
        patient=patient,
        troubles=troubles,
        rows=rows,
        has_more=has_more,
        number=number,
        perhaps=[row for row in perhaps if row.patient_id != patient_id],
        can_look=any(Action.RETRY in access.actions(account, row) for row in perhaps),
        note_address=office.note_address,
        patient_address=next((office.patient_address(id_, patient_id) for id_ in _visible(visit)), None),
    )


def look(visit: Visit) -> Response:
    """Ask again at once about all that may be this patient's: somebody has just mended the chart."""
    patient_id = _patient_id(visit.form.get("patient_id", ""))
    office, account = visit.office, visit.account
    for row in office.pages.perhaps_of_patient(patient_id, access.whose(account)):
        if Action.RETRY in access.actions(account, row):
            try:
                office.decisions(account).retry(row.entry_id, office.clock.now())
            except NotPossible:
                continue  # somebody decided about it meanwhile
    return visit.to(f"/patients?patient_id={patient_id}&done=look")


def _concerned(visit: Visit, patient_id: str) -> list[int]:
    """In whose trails the look is told: of those who have documents of this patient, else of the first one seen."""
    account, office = visit.account, visit.office
    owners = office.pages.clinicians_of(patient_id, access.whose(account))
    seen = [state.clinician_id for id_, state in office.states().items() if access.may_see(account, id_)]
    return owners or seen[:1]


def _patient_id(given: str) -> str:
    """Raises `Refusal` for what is no number: an untrusted key to look up, and no more."""
    if not CLINIKO_ID.fullmatch(given):
        raise Refusal(400, "patient_id must be the number of a Cliniko chart: open this page by Cliniko's button.")
    return given


def _chart(visit: Visit, patient_id: str) -> tuple[Patient | None, list[str], list[str]]:
    """The chart as Cliniko has it now, those merged into it, and what could not be read, by whichever key answers."""
    troubles: list[str] = []
    for user_id in _visible(visit):
        live = visit.office.live[user_id]
        try:
            patient = live.patient(patient_id)
            merged = live.merged_into(patient) if patient is not None else []
        except RemoteError as error:
            troubles.append(error.sentence)
            continue
        return patient, merged, [] if patient else ["Cliniko shows no chart of this number."]
    return None, [], list(dict.fromkeys(troubles))


def _visible(visit: Visit) -> list[str]:
    return [user_id for user_id in visit.office.live if access.may_see(visit.account, user_id)]
