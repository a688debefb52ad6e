"""Routes: which document goes where, in which of the practice's templates, and how `check` and `status` tell of it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync_worker import lifecycle
from tests.test_cli import Terminal, terminal  # noqa: F401 - a fixture

PRACTICE = """
[[clinicians]]
name = "A. Physio"
heidi_email = "a.physio@example.com"
heidi_user_id = "physio-1"
cliniko_api_key = { env = "CLINIKO_API_KEY" }
"""

SOAP = {
    "sections": [
        {
            "name": "Consult",
            "description": "What was said and found",
            "questions": [
                {"name": "Subjective", "type": "paragraph", "answer": "No red flags."},
                {"name": "Objective", "type": "paragraph"},
                {"name": "Pain", "type": "text"},
                {"name": "Consent", "type": "checkboxes", "answers": [{"value": "Given", "selected": True}]},
            ],
        }
    ]
}


@pytest.fixture
def practice(terminal: Terminal) -> Terminal:  # noqa: F811 - a fixture
    terminal.sandbox.cliniko.add_template(name="SOAP", content=SOAP)
    return terminal


def routed(terminal: Terminal, *routes: str) -> None:  # noqa: F811
    tables = "".join(f"\n[[routes]]\n{route}\n" for route in routes)
    (terminal.folder / "clinic.toml").write_text(PRACTICE + tables)


def a_document(terminal: Terminal, content: str, *, name: str = "Letter", template: str | None = None) -> str:  # noqa: F811
    session = terminal.sandbox.heidi.add_session(
        clinician="physio-1",
        patient_name="Mary Jones",
        birth_date="1980-02-03",
        created_at=datetime.now(UTC) - timedelta(hours=1),
    )
    return terminal.sandbox.heidi.add_document(session, name=name, content=content, template_id=template)


def the_note(terminal: Terminal) -> Any:  # noqa: F811
    (note,) = terminal.sandbox.cliniko.notes.values()
    return note


def told(terminal: Terminal, name: str = "routes") -> list[tuple[str, str]]:  # noqa: F811
    checks = json.loads(terminal.run("check", "--json").stdout)["checks"]
    return [(one["level"], one["message"]) for one in checks if one["name"] == name]


def test_a_document_is_laid_into_the_template_as_the_practice_has_it_now(practice: Terminal) -> None:
    routed(practice, 'heidi_template = "tpl-1"\ncliniko_template = "soap"\ntitle = "Visit: {document}"')
    a_document(practice, "# History\nSore\n# Pain\n5 of 10\n# Gait\nLimps", template="tpl-1")
    assert practice.json("once")["totals"]["posted"] == 1
    note = the_note(practice)
    assert note.title.startswith("Visit: Letter · ")
    assert note.template_id in practice.sandbox.cliniko.templates
    consult, source = note.content["sections"]
    assert (consult["name"], consult["description"]) == ("Consult", "What was said and found")
    assert consult["questions"] == [
        {"name": "Subjective", "type": "paragraph", "answer": "<p><b>History</b></p><p>Sore</p>"},
        {"name": "Objective", "type": "paragraph"},
        {"name": "Pain", "type": "text", "answer": "5 of 10"},
        {"name": "Gait", "type": "paragraph", "answer": "<p>Limps</p>"},
        {"name": "Consent", "type": "checkboxes", "answers": [{"value": "Given"}]},
    ]
    assert [question["name"] for question in source["questions"]] == ["Source"]


def test_a_template_costs_two_requests_for_a_whole_morning(practice: Terminal) -> None:
    routed(practice, 'cliniko_template = "SOAP"')
    for number in range(3):
        a_document(practice, f"# Objective\nStiff {number}")
    practice.json("once")
    asked = [one.path for one in practice.sandbox.cliniko.requests if "treatment_note_templates" in one.path]
    assert len(asked) == 2
    assert len(practice.sandbox.cliniko.notes) == 3


def test_the_first_route_that_fits_wins(practice: Terminal) -> None:
    routed(
        practice,
        'document_name = "home exercise*"\naction = "skip"',
        'heidi_template = "tpl-1"\naction = "review"',
        'document_name = "*"\nlayout = "single"',
    )
    a_document(practice, "# A\nx", name="Home exercises", template="tpl-1")
    a_document(practice, "# B\ny", name="Letter", template="tpl-1")
    a_document(practice, "# C\nz", name="Letter")
    totals = practice.json("once")["totals"]
    assert (totals["skipped"], totals["review"], totals["posted"]) == (1, 1, 1)
    questions = the_note(practice).content["sections"][0]["questions"]
    assert [question["name"] for question in questions] == ["Letter", "Source"]
    assert questions[0]["answer"] == "<h1>C</h1><p>z</p>"


def test_a_template_that_cliniko_does_not_have_keeps_the_document_and_says_what_to_do(practice: Terminal) -> None:
    routed(practice, 'cliniko_template = "Initial"')
    a_document(practice, "# Plan\nRest")
    done = practice.run("once")
    assert done.returncode == 1
    assert 'no treatment note template "Initial": mend cliniko_template in clinic.toml.' in done.stdout + done.stderr
    assert not practice.sandbox.cliniko.notes
    practice.sandbox.cliniko.add_template(name="Initial", content=None)
    assert practice.json("once")["totals"]["posted"] == 1


def test_documents_of_a_missing_template_wait_ask_once_and_keep_no_other_from_its_patient(practice: Terminal) -> None:
    routed(practice, 'heidi_template = "tpl-1"\ncliniko_template = "Initial"')
    bad = [a_document(practice, f"# Plan\nRest {number}", template="tpl-1") for number in range(3)]
    for number in range(lifecycle.FAILURES_BEFORE_REVIEW + 1):
        a_document(practice, f"# Plan\nWalk {number}")
        assert practice.json("once", code=1)["totals"]["posted"] == 1
        entries = practice.json("status")["entries"]
        assert (entries["pending"], entries["review"]) == (len(bad), 0)
        assert practice.json("status")["clinicians"][0]["error"]["code"] == "settings"
    before = len(practice.sandbox.cliniko.requests)
    practice.json("once", code=1)
    asked = [one.path for one in practice.sandbox.cliniko.requests[before:]]
    assert sum("treatment_note_templates" in path for path in asked) == 1
    assert not any("patients" in path for path in asked)


def test_a_missing_template_hides_no_other_document_from_the_plan(practice: Terminal) -> None:
    routed(practice, 'heidi_template = "tpl-1"\ncliniko_template = "Initial"')
    session = practice.sandbox.heidi.add_session(
        clinician="physio-1",
        patient_name="Mary Jones",
        birth_date="1980-02-03",
        created_at=datetime.now(UTC) - timedelta(hours=1),
    )
    for template in ("tpl-1", None):
        practice.sandbox.heidi.add_document(session, name="Letter", content=f"For {template}", template_id=template)
    for arguments in (["plan"], ["plan", "--preview"]):
        planned = practice.json(*arguments, code=1)["entries"]
        assert [one["action"] for one in planned] == ["post"]
    assert 'no treatment note template "Initial"' in practice.run("plan").stderr


LETTER = (
    "# History\nFell off a ladder, cannot lift the left arm.\n"
    "# Management\nRest, ice, and an X-ray first. Review in two weeks."
)


def test_a_regenerated_document_is_known_again_in_the_templates_note(practice: Terminal) -> None:
    routed(practice, 'cliniko_template = "SOAP"')
    document = a_document(practice, LETTER)
    practice.json("once")
    practice.sandbox.heidi.regenerate_document(document, content=LETTER.replace("two weeks", "2 weeks"), replaces=True)
    assert practice.json("once")["totals"]["posted"] == 0
    assert [one["reason"] for one in practice.json("review", "list")["entries"]] == ["regenerated"]


def test_a_document_pasted_question_by_question_is_known_again(practice: Terminal) -> None:
    routed(practice, 'cliniko_template = "SOAP"')
    cliniko = practice.sandbox.cliniko
    [patient], [author] = cliniko.patients, [user.practitioner_id for user in cliniko.users.values()]
    assert author is not None
    answers = ("Rest, ice, and an X-ray first. Review in two weeks.", "Fell off a ladder, cannot lift the left arm.")
    questions = [
        {"name": name, "type": "paragraph", "answer": answer}
        for name, answer in zip(("Plan", "Subjective"), answers, strict=True)
    ]
    cliniko.add_note_by_hand(patient, author, "Consult", {"sections": [{"questions": questions}]})
    a_document(practice, LETTER)
    assert practice.json("once")["totals"]["posted"] == 0
    assert [one["reason"] for one in practice.json("review", "list")["entries"]] == ["already_there"]


def test_check_proves_every_route(practice: Terminal) -> None:
    practice.sandbox.cliniko.add_template(
        name="Boxes",
        content={"sections": [{"questions": [{"name": "Ok", "type": "date"}, {"name": "Pain", "type": "bodycharts"}]}]},
    )
    for _ in range(2):
        practice.sandbox.cliniko.add_template(name="Twin", content=None)
    routed(
        practice,
        'heidi_template = "tpl-1"\ncliniko_template = "SOAP"',
        'document_name = "A*"\ncliniko_template = "Twin"',
        'document_name = "B*"\ncliniko_template = "Missing"',
        'document_name = "C*"\ncliniko_template = "Boxes"',
        'layout = "single"',
        'document_name = "D*"\naction = "skip"',
    )
    mend = "mend cliniko_template in clinic.toml."
    assert told(practice) == [
        ("ok", 'Route 1: Cliniko has the template "SOAP"; 3 of its questions take text.'),
        ("problem", f'Route 2: Cliniko has more than one treatment note template "Twin": {mend}'),
        ("problem", f'Route 3: Cliniko has no treatment note template "Missing": {mend}'),
        (
            "warning",
            'Route 4: Cliniko has the template "Boxes"; 0 of its questions take text, and 1 cannot be sent to Cliniko '
            "(body charts and the like).",
        ),
        ("ok", "Route 5 needs nothing of Cliniko."),
        (
            "problem",
            "Route 6 is never reached: route 5 before it takes all its documents. Change their order in clinic.toml.",
        ),
    ]


def test_status_shows_heidi_templates_that_no_route_names(practice: Terminal) -> None:
    routed(practice, 'heidi_template = "tpl-1"', 'heidi_template = "tpl-9"')
    a_document(practice, "x", template="tpl-1")
    a_document(practice, "y", template="tpl-2")
    a_document(practice, "z", template="no id, but Mary's words")
    practice.json("once")
    (new,) = practice.json("status")["heidi_templates_without_route"]
    assert new["template_id"] == "tpl-2"
    assert "tpl-2, first met" in practice.run("status").stdout
    assert ("warning", "Route 2: no document of its heidi_template was met so far.") in [
        (level, sentence.partition(" `")[0]) for level, sentence in told(practice)
    ]
