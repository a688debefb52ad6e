"""A case of every category through the whole worker: Heidi's session, Cliniko's searches, the rules, the note."""

from collections import Counter
from collections.abc import Iterable

import pytest

from sync_worker.model import Hint, Patient
from sync_worker.records import Status
from tests.conftest import Clinic
from tests.matching.cases import LIMITS, made, names
from tests.matching.clinic import Case, LabelledSet, Right
from tests.matching.report import Verdict, judge

TIMES = 1
"""Cases of each category."""


def some_of_each(one_set: LabelledSet) -> list[Case]:
    met = Counter[str]()
    chosen = []
    for case in one_set.cases:
        met[case.category] += 1
        if met[case.category] <= TIMES and case.category not in LIMITS:
            chosen.append(case)
    return chosen


def found_for(one_set: LabelledSet, hint: Hint) -> list[Patient]:
    return [*one_set.candidates(hint), *one_set.namesakes(hint)]


def fill(clinic: Clinic, charts: Iterable[Patient]) -> None:
    """Put charts into the stand-in of Cliniko, merged ones with what they were merged into."""
    for chart in charts:
        clinic.cliniko.add_patient(
            first_name=chart.first_name or None,
            last_name=chart.last_name or None,
            date_of_birth=chart.birth_date.isoformat() if chart.birth_date else None,
            email=chart.email,
            preferred_first_name=chart.preferred_first_name or None,
            archived=chart.archived,
            patient_id=chart.patient_id,
        )
        record = clinic.cliniko.patients[chart.patient_id]
        record.merged_into, record.merged_at = chart.merged_into, record.archived_at if chart.merged_into else None


def session_of(clinic: Clinic, hint: Hint) -> str:
    born = hint.birth_date.isoformat() if hint.birth_date else None
    return clinic.a_session(hint.name, born, email=hint.email, ehr_patient_id=hint.linked_patient_id)


@pytest.mark.proof
@pytest.mark.parametrize("case_sensitive", [False, True])
def test_every_category_ends_as_its_label_says(clinic: Clinic, case_sensitive: bool) -> None:
    clinic.cliniko.case_sensitive = case_sensitive
    one_set = made(1)
    cases = some_of_each(one_set)
    fill(clinic, {chart.patient_id: chart for case in cases for chart in found_for(one_set, case.hint)}.values())
    sessions = {session_of(clinic, case.hint): case for case in cases}
    documents = {session: clinic.a_document(session, f"# Plan\n\nRest {n}.") for n, session in enumerate(sessions)}
    clinic.tick()
    verdicts: dict[str, list[Verdict]] = {}
    for session, case in sessions.items():
        entry = clinic.ledger.entries.find(session, documents[session])
        assert entry is not None
        chosen = entry.patient_id if entry.status is Status.POSTED else None
        assert entry.status in (Status.POSTED, Status.REVIEW)
        verdicts.setdefault(case.category, []).append(judge(case, chosen, one_set.owners))
    wrong = {category: found for category, found in verdicts.items() if {Verdict.FALSE, Verdict.UNSAFE} & set(found)}
    assert wrong == {}
    missed = [name for name, found in verdicts.items() if names()[name] is Right.PLAIN and Verdict.MISSED in found]
    assert missed == []
    assert len(verdicts) == len(names()) - len(LIMITS)
