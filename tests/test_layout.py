"""A document laid into the practice's own template: every word under the question where a clinician looks for it."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_worker.convert import canonical_text, render_note_content
from sync_worker.convert.words import html_words
from sync_worker.model import Document, NoteContent, Question, Section, Template
from sync_worker.sandbox.validation import stored_content

SOAP = Template(
    "1",
    "SOAP",
    (
        Section((Question("Subjective"), Question("Objective"), Question("Assessment"), Question("Plan")), "Consult"),
        Section((Question("Consent given", "checkboxes", choices=("Yes", None), has_other=True),), "Admin"),
    ),
)
INITIAL = Template(
    "2",
    "Initial assessment",
    (
        Section((Question("Presenting complaint"), Question("Comments")), "Subjective", "What the patient says"),
        Section(
            (
                Question("Posture", "text"),
                Question("Range of movement"),
                Question("Comments"),
                Question("Body chart", "bodycharts"),
                Question("Reviewed on", "date"),
                Question("Side", "radiobuttons", choices=("Left", "Right")),
            ),
            "Objective",
        ),
        Section((Question("Notes"),), "Plan"),
    ),
)

Answers = dict[str, dict[str, str | None]]


def laid(content: str, template: Template = SOAP, *, name: str = "Report", html: str = "full") -> NoteContent:
    document = Document("doc-1", "session-1", name, content)
    return render_note_content(document, source="Heidi document", template=template, html=html)


def answers(note: NoteContent) -> Answers:
    """What each question of each section says; the last section, with the source, apart."""
    *sections, last = note.sections
    assert last == Section((Question("Source", "text", "Heidi document"),))
    found = {}
    for section in sections:
        assert len({question.name for question in section.questions}) == len(section.questions)
        found[section.name or ""] = {question.name: question.answer for question in section.questions}
    return found


def consult(content: str, **options: str) -> dict[str, str | None]:
    return answers(laid(content, **options))["Consult"]


# ---------------------------------------------------------------- where a heading goes


def test_headings_fill_the_questions_of_their_names_whatever_their_order() -> None:
    content = "# PLAN:\nRest\n# subjective\nSore\n# Objective\nStiff"
    assert answers(laid(content)) == {
        "Consult": {
            "Subjective": "<p>Sore</p>",
            "Objective": "<p>Stiff</p>",
            "Assessment": None,
            "Plan": "<p>Rest</p>",
        },
        "Admin": {"Consent given": None},
    }


@pytest.mark.parametrize(
    ("heading", "question"),
    [
        ("History", "Subjective"),
        ("O/E", "Objective"),
        ("Physical examination", "Objective"),
        ("Examination:", "Objective"),
        ("Impression", "Assessment"),
        ("Management", "Plan"),
        ("Past history", None),
        ("S", None),
        ("A", None),
        ("Rx", None),
        ("SH", None),
    ],
)
def test_common_synonyms_find_their_question_and_stay_readable(heading: str, question: str | None) -> None:
    said = answers(laid(f"# {heading}\nSore"))
    if question is None:
        assert said[""] == {heading: "<p>Sore</p>"}
    else:
        assert said["Consult"][question] == f"<p><b>{heading}</b></p><p>Sore</p>"


def test_the_name_itself_goes_before_a_synonym() -> None:
    template = Template("3", "T", (Section((Question("History"), Question("Subjective"))),))
    assert answers(laid("# Subjective\na\n# History\nb", template)) == {
        "": {"History": "<p>b</p>", "Subjective": "<p>a</p>"}
    }


def test_single_letters_mean_their_question_where_there_are_several() -> None:
    said = consult("# S\na\n# O\nb\n# P\nc")
    assert [said[name] for name in ("Subjective", "Objective", "Plan")] == [
        f"<p><b>{letter}</b></p><p>{text}</p>" for letter, text in zip("SOP", "abc", strict=True)
    ]


def in_order(content: str, template: Template = SOAP) -> list[tuple[str, str | None]]:
    """Names and answers of all questions but the source, as a reader meets them."""
    sections = laid(content, template).sections[:-1]
    return [(question.name, question.answer) for section in sections for question in section.questions]


def said_under(content: str, template: Template = SOAP) -> list[tuple[str, str | None]]:
    """The same without the questions that are blank."""
    return [(name, answer) for name, answer in in_order(content, template) if answer]


def test_of_two_headings_for_one_question_the_one_of_its_very_name_gets_it() -> None:
    assert said_under("# Subjective\na\n# Plan\nb\n# History\nc") == [
        ("Subjective", "<p>a</p>"),
        ("Plan", "<p>b</p>"),
        ("History", "<p>c</p>"),
    ]


@pytest.mark.parametrize("level", ["#", "##"])
def test_what_is_said_of_each_side_stays_with_its_side(level: str) -> None:
    knees = (("Left", 90, 5), ("Right", 40, 3))
    content = "\n".join(f"# {side} knee\n{level} ROM\n{rom}\n{level} Comments\n{power}/5" for side, rom, power in knees)
    template = Template("5", "T", (Section((Question("Range of movement"), Question("Comments")), "Objective"),))
    assert in_order(content, template)[:6] == [
        ("Left knee", None),
        ("ROM", "<p>90</p>"),
        ("Comments", "<p>5/5</p>"),
        ("Right knee", None),
        ("ROM", "<p>40</p>"),
        ("Comments", "<p>3/5</p>"),
    ]


def test_what_is_said_of_the_family_stays_with_the_family() -> None:
    content = "<h1>Mother</h1><h2>Plan</h2><p>Warfarin</p><h1>Patient</h1><h2>Assessment</h2><p>Nil</p>"
    assert [name for name, _ in in_order(content)[:4]] == ["Mother", "Plan", "Patient", "Assessment"]
    family = "# Subjective\nSore\n# Family\n## History\nFather: MI"
    assert said_under(family) == [("Subjective", "<p>Sore</p>"), ("History", "<p>Father: MI</p>")]
    assert [name for name, _ in in_order(family)[:3]] == ["Subjective", "Family", "History"]


def test_what_is_planned_stays_below_the_plan() -> None:
    content = "## Objective\nStiff\n## Plan\nReview 1/52\n### Assessment\nMRI if no better"
    assert said_under(content) == [
        ("Objective", "<p>Stiff</p>"),
        ("Plan", "<p>Review 1/52</p>"),
        ("Assessment", "<p>MRI if no better</p>"),
    ]
    assert consult("## Plan\nx\n### Gait\ny")["Assessment"] is None


def test_the_documents_title_does_not_keep_its_headings_from_their_questions() -> None:
    assert said_under("# Follow up\n## Subjective\na\n## Plan\nb") == [("Subjective", "<p>a</p>"), ("Plan", "<p>b</p>")]


@pytest.mark.parametrize("heading", ["Plan (+)", "Plan -", "Plan?", "Plan >", "Plan ✗", "PLÄN"])
def test_a_heading_that_says_more_than_its_questions_name_is_said(heading: str) -> None:
    for text in ("", "Rest"):
        (said,) = [answer or "" for name, answer in in_order(f"# {heading}\n{text}") if "lan" in name or "L" in name]
        assert html_words(said) == f"{heading} {text}".strip()


@pytest.mark.parametrize(
    ("template", "heading", "expected"),
    [
        (Section((Question("Range of movement"), Question("Side", "date")), "Objective"), "Objective", "Objective"),
        (Section((Question("Next appointment", "text"),), "Plan"), "Plan", "Plan"),
        (Section((Question("Comments"),), "Plan"), "Plan", "Comments"),
        (Section((Question("Management"),), "Plan"), "Plan", "Management"),
    ],
)
def test_a_sections_only_question_takes_its_text_only_where_it_asks_for_it(
    template: Section, heading: str, expected: str
) -> None:
    said = said_under(f"# {heading}\nGait antalgic, BP 140/90", Template("6", "T", (template,)))
    assert said == [(expected, "<p>Gait antalgic, BP 140/90</p>")]


def test_the_rest_keeps_its_own_question_right_behind_what_it_followed() -> None:
    said = answers(laid("Seen with husband.\n# Initial visit\n## Objective\na\n### Special tests\nb\n## Plan\nc"))
    assert list(said) == ["", "Consult", "Admin"]
    assert said[""] == {"Report": "<p>Seen with husband.</p>", "Initial visit": None}
    assert list(said["Consult"]) == ["Subjective", "Objective", "Special tests", "Assessment", "Plan"]
    assert said["Consult"]["Special tests"] == "<p>b</p>"


def test_a_document_without_headings_stands_before_the_blank_template() -> None:
    said = answers(laid("Sore knee."))
    assert said[""] == {"Report": "<p>Sore knee.</p>"}
    assert set(said["Consult"].values()) == {None}


def test_bold_lines_find_their_questions_too() -> None:
    assert consult("**Subjective:**\nSore\n\n**Plan**\n\nRest")["Plan"] == "<p>Rest</p>"


# ---------------------------------------------------------------- sections


def test_a_heading_with_a_sections_name_goes_into_the_section() -> None:
    said = answers(laid("# Subjective\nSore\n# Objective\n## Range of movement\nROM <90\n# Plan\nRest", INITIAL))
    assert said == {
        "Subjective": {"Subjective": "<p>Sore</p>", "Presenting complaint": None, "Comments": None},
        "Objective": {
            "Posture": None,
            "Range of movement": "<p>ROM &lt;90</p>",
            "Comments": None,
            "Reviewed on": None,
            "Side": None,
        },
        "Plan": {"Notes": "<p>Rest</p>"},
    }


def test_a_name_that_fits_twice_goes_to_the_section_that_it_stands_under() -> None:
    said = answers(laid("# Subjective\nSore\n## Comments\na\n# Objective\n## Comments\nb", INITIAL))
    assert (said["Subjective"]["Comments"], said["Objective"]["Comments"]) == ("<p>a</p>", "<p>b</p>")


def test_a_name_that_fits_twice_fits_nowhere_by_itself() -> None:
    assert answers(laid("# Comments\na", INITIAL))[""] == {"Comments": "<p>a</p>"}


def test_a_sections_name_and_description_are_the_templates() -> None:
    note = laid("# Subjective\nSore", INITIAL)
    assert (note.sections[0].name, note.sections[0].description) == ("Subjective", "What the patient says")


def test_a_section_that_nothing_can_be_written_into_is_left_out_and_its_heading_is_not() -> None:
    template = Template("4", "T", (Section((Question("Chart", "bodycharts"),), "Body"), Section((), "Plan")))
    assert answers(laid("# Plan\n## Body\nSore", template)) == {"": {"Plan": None, "Body": "<p>Sore</p>"}}


# ---------------------------------------------------------------- kinds of questions


def test_boxes_and_dates_are_left_to_the_clinician_with_nothing_chosen() -> None:
    stored = stored_content(laid("# Consent given\nYes, by phone\n# Reviewed on\n2026-11-03", SOAP).as_json(), "full")
    assert stored is not None
    admin = stored["sections"][1]["questions"]
    assert admin[0] == {
        "name": "Consent given",
        "type": "checkboxes",
        "answers": [{"value": "Yes"}, {"value": None}],
        "other": {"enabled": True},
    }
    own = [(question["name"], question["answer"]) for question in admin[1:]]
    assert own == [("Consent given", "<p>Yes, by phone</p>"), ("Reviewed on", "<p>2026-11-03</p>")]


@pytest.mark.parametrize(
    ("content", "kind", "answer"),
    [
        ("upright, level", "text", "upright, level"),
        ("ROM <90", "paragraph", "<p>ROM &lt;90</p>"),
        ("one\n\ntwo", "paragraph", "<p>one</p><p>two</p>"),
        ("- one", "paragraph", "<ul><li>one</li></ul>"),
        ("**upright**", "paragraph", "<p><b>upright</b></p>"),
        ("", "text", None),
        ("x" * 256, "paragraph", f"<p>{'x' * 256}</p>"),
    ],
)
def test_a_one_line_question_takes_one_plain_line_and_becomes_a_paragraph_for_more(
    content: str, kind: str, answer: str | None
) -> None:
    (posture,) = [
        question
        for section in laid(f"# Posture\n{content}", INITIAL).sections
        for question in section.questions
        if question.name == "Posture"
    ]
    assert (posture.kind, posture.answer) == (kind, answer)


def test_a_single_layout_ignores_the_templates_questions() -> None:
    document = Document("doc-1", "session-1", "Report", "# Plan\nRest")
    note = render_note_content(document, source="s", template=SOAP, layout="single")
    assert [question.name for question in note.sections[0].questions] == ["Report", "Source"]


# ---------------------------------------------------------------- nothing is lost, whatever the template

NAMES = st.sampled_from(
    [
        "Subjective",
        "History",
        "PLAN",
        "Plan:",
        "Plan (+)",
        "Plan -",
        "Objective",
        "Comments",
        "S",
        "O",
        "Gait",
        "é",
        "—",
        "✗",
    ]
)
KINDS = st.sampled_from(["paragraph", "text", "checkboxes", "radiobuttons", "date", "bodycharts", "new kind"])
QUESTIONS = st.builds(Question, NAMES, KINDS)
SECTIONS = st.builds(Section, st.lists(QUESTIONS, max_size=4).map(tuple), st.none() | NAMES)
TEMPLATES = st.builds(Template, st.just("1"), st.just("T"), st.lists(SECTIONS, max_size=4).map(tuple))
PARTS = st.lists(
    st.tuples(st.integers(1, 6), NAMES, st.sampled_from(["", "one", "two words", "- a\n- b <90"])), max_size=8
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEMPLATES, PARTS, st.sampled_from(["full", "basic"]))
def test_every_word_arrives_in_whatever_template(
    template: Template, parts: list[tuple[int, str, str]], html: str
) -> None:
    content = "before\n\n" + "\n\n".join(f"{'#' * level} {name}\n{text}" for level, name, text in parts)
    note = laid(content, template, html=html)
    stored = stored_content(note.as_json(), "full" if html == "full" else "legacy")
    assert canonical_text(stored) == canonical_text(note)
    said = Counter[str]()
    for section in note.sections:
        said.update((section.name or "").casefold().strip(":").split())
        for question in section.questions:
            said.update(f"{question.name} {html_words(question.answer or '')}".casefold().replace(":", "").split())
    wanted = Counter(content.casefold().replace("#", "").replace("- ", "").replace(":", "").split())
    assert not wanted - said
