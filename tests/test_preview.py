"""The preview: what a person reads on the terminal is what would be sent, and reading it changes nothing."""

import io
import json
import re
import sqlite3
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sync_worker.commands.preview import WIDEST, PreviewView, visible
from sync_worker.convert import render_note_content
from sync_worker.convert.words import carries, fold, html_words
from sync_worker.errors import ConversionError
from sync_worker.model import Document, Note, NoteContent, Patient, PlannedEntry, Question, Section
from sync_worker.preview import Preview
from tests.test_cli import Terminal, terminal  # noqa: F401 - a fixture

FULL = """# Subjective

Mary reports **less** pain, ROM <90 & stable.

- sleeps well
- walks
  - on the flat

# Plan

Rest."""
MARY = Patient("123", "Mary", "Jones", birth_date=date(1980, 2, 3))


def shown(answer: str, *, width: int = 80, colours: bool = False, **more: Any) -> str:
    """The terminal's picture of a note with one question."""
    content = NoteContent((Section((Question("Plan", "paragraph", answer), Question("Source", "text", "Here"))),))
    return screen(content, width=width, colours=colours, **more)


def screen(
    content: NoteContent, *, width: int = 80, colours: bool = False, title: str = "Letter", widest: int = WIDEST
) -> str:
    planned = PlannedEntry("s" * 20, "d" * 20, "post", None, "123")
    note = Note("123", title, content)
    preview = Preview(planned, 7, title=title, note=note, patient_id="123", patient=MARY)
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=colours, no_color=not colours).print(
        PreviewView(preview, widest=widest), crop=False
    )
    return file.getvalue()


def note_of(text: str) -> list[str]:
    """The rows behind the bar, without what tells of the note."""
    rows = [row[2:] for row in text.splitlines() if row.startswith("│")]
    return rows[rows.index("Plan") + 1 : rows.index("Source") - 1]


# ---------------------------------------------------------------- an entry


def the_entry(terminal: Terminal) -> str:  # noqa: F811
    """The number of the entry that is there."""
    with sqlite3.connect(terminal.folder / "ledger.db") as db:
        [(number,)] = db.execute("SELECT id FROM entries").fetchall()
    db.close()
    return str(number)


def test_a_waiting_document_is_shown_with_its_patient_and_every_answer(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document(FULL)
    terminal.run("pause")
    terminal.json("once", SYNC_SETTLE_SECONDS="600")
    done = terminal.run("review", "show", the_entry(terminal), "--preview")
    [patient] = terminal.sandbox.cliniko.patients
    assert done.returncode == 0
    assert f"Mary Jones, born 3 February 1980, chart {patient}" in " ".join(done.stdout.split())
    assert "The next tick would file it." in done.stdout
    assert "a draft" in done.stdout
    rows = [row[2:] for row in done.stdout.splitlines() if row.startswith("│")]
    assert rows[2:-2] == [
        "Subjective",
        "  Mary reports less pain, ROM <90 & stable.",
        "",
        "  • sleeps well",
        "  • walks",
        "    • on the flat",
        "",
        "Plan",
        "  Rest.",
        "",
    ]
    assert rows[-2] == "Source"
    assert rows[-1].startswith("  Heidi document, session of ")


def test_what_is_shown_is_what_is_sent(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document(FULL)
    terminal.json("once", SYNC_SETTLE_SECONDS="600")
    number = the_entry(terminal)
    told = terminal.json("review", "show", number, "--preview")
    assert told.keys() == {"entry", "title", "patient_id", "draft", "content", "action", "reason"}
    assert (told["entry"], told["action"], told["reason"], told["draft"]) == (int(number), "post", None, True)
    terminal.json("once")
    [request] = [one for one in terminal.sandbox.cliniko.requests if one.method == "POST"]
    sent = json.loads(request.body)
    assert {name: told[name] for name in ("title", "patient_id", "draft", "content")} == sent


def test_a_filed_document_is_shown_as_it_would_be_now(terminal: Terminal) -> None:  # noqa: F811
    document = terminal.a_document(FULL)
    terminal.json("once")
    [note] = terminal.sandbox.cliniko.notes
    terminal.sandbox.heidi.edit_document(document, "# Plan\n\nWork.")
    number = the_entry(terminal)
    done = terminal.run("review", "show", number, "--preview").stdout
    assert f"note {note}" in done
    assert "It is filed." in done
    assert note_of(done) == ["  Work."]
    told = terminal.json("review", "show", number, "--preview")
    assert (told["action"], told["reason"]) == ("skip", "already_filed")


def test_a_document_without_a_patient_says_why(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document(name="Marie Jonas")
    terminal.json("once")
    number = the_entry(terminal)
    done = terminal.run("review", "show", number, "--preview").stdout
    assert "Patient   nobody yet" in done
    assert "No chart has this name and birth date." in " ".join(done.split())
    assert note_of(done) == ["  Rest."]
    told = terminal.json("review", "show", number, "--preview")
    assert (told["patient_id"], told["action"], told["reason"]) == (None, "review", "no_match")


def test_a_chart_mended_meanwhile_is_named_with_what_to_do(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document(name="Marie Jonas")
    terminal.json("once")
    patient = terminal.sandbox.cliniko.add_patient(first_name="Marie", last_name="Jonas", date_of_birth="1980-02-03")
    number = the_entry(terminal)
    done = " ".join(terminal.run("review", "show", number, "--preview").stdout.split())
    assert f"Marie Jonas, born 3 February 1980, chart {patient}. It fits by now" in done
    assert f"`sync-worker review retry {number}`" in done


def test_another_reason_than_the_one_written_down_is_told_too(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document(name="Marie Jonas")
    terminal.json("once")
    for _ in range(2):
        terminal.sandbox.cliniko.add_patient(first_name="Marie", last_name="Jonas", date_of_birth="1980-02-03")
    done = " ".join(terminal.run("review", "show", the_entry(terminal), "--preview").stdout.split())
    assert "A person decides (no_match)." in done
    assert "nobody yet (several_charts). Several live charts fit." in done


def test_a_document_that_cannot_be_carried_is_told_and_not_shown(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document("marked " * 150_000)
    terminal.json("once")
    number = the_entry(terminal)
    done = terminal.run("review", "show", number, "--preview").stdout
    assert "none: it is larger than a note may be. The document has 1,050,000 characters." in " ".join(done.split())
    assert "Simplify it in Heidi; or copy it by hand" in " ".join(done.split())
    assert "Mary Jones" in done
    assert "marked" not in done
    told = terminal.json("review", "show", number, "--preview")
    assert (told["content"], told["draft"], told["action"], told["reason"]) == (None, None, "review", "not_carried")
    assert "Letter" in told["title"]


@pytest.mark.parametrize(
    ("losing", "told"),
    [
        (lambda heidi, session, document: heidi.delete_session(session), "Heidi has the session no more"),
        (lambda heidi, session, document: heidi.delete_document(document), "Heidi has the document no more"),
        (lambda heidi, session, document: heidi.edit_document(document, "  "), "or it is blank now"),
    ],
)
@pytest.mark.parametrize("name", ["Mary Jones", "Marie Jonas"])
def test_what_is_gone_from_heidi_is_told(
    terminal: Terminal,  # noqa: F811
    losing: Callable[[Any, str, str], None],
    told: str,
    name: str,
) -> None:
    document = terminal.a_document(name=name)
    [session] = terminal.sandbox.heidi.sessions
    terminal.json("once")
    losing(terminal.sandbox.heidi, session, document)
    number = the_entry(terminal)
    done = terminal.run("review", "show", number, "--preview")
    assert done.returncode == 0
    assert told in " ".join(done.stdout.split())
    assert "│" not in done.stdout
    seen = terminal.json("review", "show", number, "--preview")
    assert (seen["title"], seen["content"], seen["draft"]) == (None, None, None)
    assert seen["action"] == ("skip" if name == "Mary Jones" else "review")
    assert seen["reason"] in ("gone", "source_gone")


def test_a_document_that_goes_while_it_is_looked_at_is_told() -> None:
    file = io.StringIO()
    Console(file=file, width=80).print(PreviewView(Preview(PlannedEntry("s" * 20, "d" * 20, "post", None, "123"))))
    assert "Heidi has the document no more" in file.getvalue()


def test_entries_of_every_other_status_can_be_looked_at(terminal: Terminal) -> None:  # noqa: F811
    [patient] = terminal.sandbox.cliniko.patients
    terminal.a_document()
    terminal.json("once")
    number = the_entry(terminal)
    for status, reason, action, said in [
        ("posting", None, "wait", "posting"),
        ("in_doubt", None, "wait", "in_doubt"),
        ("skipped", "before_start", "skip", "before_start"),
        ("skipped", "dismissed", "skip", "dismissed"),
        ("skipped", "gone", "skip", "gone"),
        ("skipped", "route", "skip", "route"),
        ("withdrawn", None, "skip", "withdrawn"),
        ("review", "patient_changed", "review", "patient_changed"),
    ]:
        with sqlite3.connect(terminal.folder / "ledger.db") as db:
            db.execute("UPDATE entries SET status = ?, reason = ?", (status, reason))
        db.close()
        done = terminal.run("review", "show", number, "--preview")
        assert done.returncode == 0, done.stderr
        assert note_of(done.stdout) == ["  Rest."], status
        told = terminal.json("review", "show", number, "--preview")
        assert (told["action"], told["reason"], told["patient_id"]) == (action, said, patient)


def test_a_filed_note_stays_with_its_patient_whoever_would_fit_now(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document()
    terminal.json("once")
    [(number, chart)] = terminal.sandbox.cliniko.patients.items()
    chart.last_name = "Smith"
    done = terminal.run("review", "show", the_entry(terminal), "--preview").stdout
    assert f"Mary Smith, born 3 February 1980, chart {number}" in " ".join(done.split())


def test_a_second_request_may_only_be_for_the_patient_of_the_first(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document()
    terminal.json("once", SYNC_SETTLE_SECONDS="600")
    with sqlite3.connect(terminal.folder / "ledger.db") as db:
        db.execute("UPDATE entries SET status = 'review', reason = 'failing', bound = 1, patient_id = '77'")
    db.close()
    number = the_entry(terminal)
    assert terminal.json("review", "show", number, "--preview")["patient_id"] is None
    assert "nobody yet (patient_changed)." in terminal.run("review", "show", number, "--preview").stdout


def test_a_note_of_a_lost_ledger_is_found_however_old_its_session_is(terminal: Terminal) -> None:  # noqa: F811
    began = datetime.now(UTC) - timedelta(days=30)
    session = terminal.sandbox.heidi.add_session(
        clinician="physio-1", patient_name="Mary Jones", birth_date="1980-02-03", created_at=began
    )
    terminal.sandbox.heidi.add_document(session, name="Letter", content="# Plan\n\nRest.")
    terminal.json("once")
    [note] = terminal.sandbox.cliniko.notes.values()
    note.created_at = began
    (terminal.folder / "ledger.db").unlink()
    terminal.json("once", SYNC_SETTLE_SECONDS="600")
    told = terminal.json("review", "show", the_entry(terminal), "--preview")
    assert (told["action"], told["reason"]) == ("skip", "already_filed")


def test_a_patient_whom_a_person_chose_is_the_one_shown(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document(name="Marie Jonas")
    terminal.json("once")
    [patient] = terminal.sandbox.cliniko.patients
    number = the_entry(terminal)
    terminal.run("review", "assign", number, "--patient", patient)
    told = terminal.json("review", "show", number, "--preview")
    assert (told["action"], told["patient_id"]) == ("post", patient)


def test_looking_writes_nothing_anywhere_and_logs_nobodys_data(terminal: Terminal) -> None:  # noqa: F811
    for content in (FULL, "marked " * 150_000):
        terminal.a_document(content)
    terminal.a_document(name="Marie Jonas")
    terminal.json("once", SYNC_SETTLE_SECONDS="600")
    before = (terminal.folder / "ledger.db").read_bytes()
    files = sorted(path.name for path in terminal.folder.iterdir())
    for service in (terminal.sandbox.cliniko, terminal.sandbox.heidi):
        service.requests.clear()
    for arguments in (["review", "show", "1"], ["review", "show", "2"], ["review", "show", "3"], ["plan"]):
        done = terminal.run(*arguments, "--preview", SYNC_LOG_LEVEL="DEBUG")
        assert done.returncode == 0
        for mark in ("Mary", "Marie", "Jon", "1980", "pain", "Rest", "marked", "Letter"):
            assert mark not in done.stderr
    assert (terminal.folder / "ledger.db").read_bytes() == before
    assert sorted(path.name for path in terminal.folder.iterdir()) == files
    requests = [*terminal.sandbox.cliniko.requests, *terminal.sandbox.heidi.requests]
    assert {one.method for one in requests} == {"GET"}


def test_a_service_in_trouble_and_a_wrong_number_are_told(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document()
    terminal.json("once")
    assert "no entry 99" in terminal.run("review", "show", "99", "--preview").stderr
    terminal.sandbox.heidi.fail("documents", "500", times=9)
    told = terminal.json("review", "show", the_entry(terminal), "--preview", code=1)
    assert told["error"]["code"] == "heidi_unavailable"


# ---------------------------------------------------------------- the plan


def test_a_plan_shows_each_note_below_its_table(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document(FULL)
    terminal.a_document("# Plan\n\nWalk.", name="Nobody Known")
    done = terminal.run("plan", "--preview")
    assert done.stdout.index("Nothing was written.") < done.stdout.index("No entry yet")
    assert "sleeps well" in done.stdout
    assert "Walk." in done.stdout
    assert "sleeps well" not in terminal.run("plan").stdout
    assert not (terminal.folder / "ledger.db").exists()


def test_a_plan_for_programs_carries_each_note_and_what_it_said_before(terminal: Terminal) -> None:  # noqa: F811
    document = terminal.a_document(FULL)
    [plain] = terminal.json("plan")["entries"]
    [told] = terminal.json("plan", "--preview")["entries"]
    assert plain.keys() == {"session_id", "document_id", "action", "reason", "patient_id"}
    assert told.keys() == plain.keys() | {"entry", "title", "draft", "content"}
    assert {name: told[name] for name in plain} == plain
    assert (told["document_id"], told["entry"]) == (document, None)
    terminal.json("once")
    [request] = [one for one in terminal.sandbox.cliniko.requests if one.method == "POST"]
    assert json.loads(request.body)["content"] == told["content"]


@pytest.mark.parametrize("contents", [["marked " * 150_000], ["# Plan\n\nRest.", "# Plan\n\nRest."]])
def test_what_waits_for_its_text_is_shown_with_its_patient(terminal: Terminal, contents: list[str]) -> None:  # noqa: F811
    session = terminal.sandbox.heidi.add_session(
        clinician="physio-1",
        patient_name="Mary Jones",
        birth_date="1980-02-03",
        created_at=datetime.now(UTC) - timedelta(hours=1),
    )
    for content in contents:
        terminal.sandbox.heidi.add_document(session, name="Letter", content=content)
    [patient] = terminal.sandbox.cliniko.patients
    told = terminal.json("plan", "--preview")["entries"][-1]
    assert (told["action"], told["patient_id"]) == ("review", patient)
    assert told["reason"] == ("not_carried" if len(contents) == 1 else "regenerated")


def test_a_routes_documents_are_shown_with_the_patient_that_fits(terminal: Terminal) -> None:  # noqa: F811
    (terminal.folder / "clinic.toml").write_text('[[routes]]\ndocument_name = "Letter"\naction = "review"\n')
    [patient] = terminal.sandbox.cliniko.patients
    terminal.a_document()
    [told] = terminal.json("plan", "--preview")["entries"]
    assert (told["action"], told["reason"], told["patient_id"]) == ("review", "route", patient)


def test_a_note_in_the_practices_template_is_shown_with_what_is_left_to_the_clinician(terminal: Terminal) -> None:  # noqa: F811
    boxes = {"name": "Consent", "type": "checkboxes", "answers": [{"value": "Given"}], "other": {"enabled": True}}
    side = {"name": "Side", "type": "radiobuttons", "answers": [{"value": "Left"}, {"value": "Right"}]}
    questions = [{"name": "Plan", "type": "paragraph"}, {"name": "Pain", "type": "text"}, boxes, side]
    section = {"name": "Visit", "description": "What was [found]", "questions": questions}
    terminal.sandbox.cliniko.add_template(name="SOAP", content={"sections": [section]})
    (terminal.folder / "clinic.toml").write_text('[[routes]]\ndocument_name = "Letter"\ncliniko_template = "SOAP"\n')
    terminal.a_document("# Plan\n\nRest.\n\n# Pain\n\n5 of 10")
    done = terminal.run("plan", "--preview").stdout
    assert 'a draft, in the template "SOAP"' in done
    rows = [row[2:] for row in done.splitlines() if row.startswith("│")]
    assert rows[rows.index("── Visit ──") : -3] == [
        "── Visit ──",
        "What was [found]",
        "",
        "Plan",
        "  Rest.",
        "",
        "Pain",
        "  5 of 10",
        "",
        "Consent",
        "  [ ] Given",
        "  [ ] other:",
        "",
        "Side",
        "  ( ) Left",
        "  ( ) Right",
    ]


def test_a_chart_that_cannot_be_read_costs_one_documents_preview(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document(FULL)
    session = terminal.sandbox.heidi.add_session(
        clinician="physio-1", patient_name="Ann Lee", created_at=datetime.now(UTC) - timedelta(hours=2)
    )
    terminal.sandbox.heidi.add_document(session, name="Letter", content="# Plan\n\nSwim.")
    terminal.sandbox.cliniko.fail("patients", "502_html", times=3, after=1)
    done = terminal.run("plan", "--preview")
    assert done.returncode == 1
    assert "a session cannot be read" in done.stderr
    assert "Swim." in done.stdout


# ---------------------------------------------------------------- the terminal


def test_markup_of_the_terminals_library_is_only_text() -> None:
    assert note_of(shown("<p>[red]hot[/red] [link=x]y :smile:</p>")) == ["  [red]hot[/red] [link=x]y :smile:"]
    assert "[bold]Letter" in shown("x", title="[bold]Letter")


def test_no_escape_sequence_reaches_the_terminal() -> None:
    text = shown(
        "<p>\x1b[2J\x1b]0;title\x07\x9b31m &#27;[31m&#x9b;1m \x00\x08\x7f done</p>",
        title="\x1b]8;;https://example.com\x1b\\Letter\r\n\x85",
        colours=True,
    )
    assert "done" in text
    left = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert {character for character in left if unicodedata.category(character) == "Cc"} == {"\n"}
    assert "2J" in left  # the harmless rest is shown


def test_a_turned_reading_order_is_shown_by_its_numbers() -> None:
    assert note_of(shown("<p>take \u202e05\u202c mg</p>")) == ["  take ⟨U+202E⟩05⟨U+202C⟩ mg"]
    assert note_of(shown("<p>pa\u200bin\u2060 \ufeff\u00ads\U000e0041</p>")) == ["  pain s"]
    assert note_of(shown("<p>a\u2028b</p>")) == ["  a b"]


def test_bold_italic_and_underlined_words_are_marked_where_there_are_styles() -> None:
    text = shown("<p>a <b>b</b> <i>c</i> <u>d</u> <b>e<i>f</i>g</b>h</p>", colours=True)
    for part in (
        "\x1b[1mb\x1b[0m",
        "\x1b[3mc\x1b[0m",
        "\x1b[4md\x1b[0m",
        "\x1b[1me\x1b[0m",
        "\x1b[1;3mf\x1b[0m",
        "\x1b[1mg\x1b[0mh",
    ):
        assert part in text
    assert "\x1b" not in shown("<p>a <b>b</b></p>")


@pytest.mark.parametrize(
    ("answer", "rows"),
    [
        ("<p>one</p><p>two</p>", ["  one", "", "  two"]),
        ("<p>one<br>two<br><br>three</p>", ["  one", "  two", "", "  three"]),
        ("<div>one<br>two</div><div>three</div>", ["  one", "  two", "", "  three"]),
        ("<h1>Big</h1><p>x</p><h2>Small</h2>", ["  Big", "", "  x", "", "  Small"]),
        ("<p>ROM &lt;90 &amp; BP &gt;140 &amp;lt;</p>", ["  ROM <90 & BP >140 &lt;"]),
        ("<ol><li>a</li><li>b<ol><li>c</li></ol></li><li>d</li></ol>", ["  1. a", "  2. b", "     1. c", "  3. d"]),
        (
            "<p>x</p><ul><li>a<br>b</li><li><p>c</p><p>d</p></li></ul>y",
            ["  x", "", "  • a", "    b", "  • c", "    d", "", "  y"],
        ),
        ("<blockquote><p>a</p><p>b</p></blockquote><p>c</p>", ["  > a", "  >", "  > b", "", "  c"]),
        ("<p>a</p><blockquote><ul><li>b</li></ul></blockquote>", ["  a", "", "  > • b"]),
        (
            '<p><a href="https://example.com/x">the plan</a> (https://example.com/x)</p>',
            ["  the plan (https://example.com/x)"],
        ),
        ("", []),
    ],
)
def test_each_permitted_tag_has_its_form(answer: str, rows: list[str]) -> None:
    assert note_of(shown(answer)) == rows


def test_long_lines_hang_below_their_own_beginning() -> None:
    answer = (
        "<ul><li>one two three<ul><li>four five six</li></ul></li></ul><p>\u00a0\u00a0\u00a0\u00a0seven eight nine</p>"
    )
    assert note_of(shown(answer, width=18)) == [
        "  • one two",
        "    three",
        "    • four five",
        "      six",
        "",
        "      seven",
        "      eight nine",
    ]


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_no_row_is_wider_than_the_terminal(width: int) -> None:
    text = shown(
        "<p>" + "q" * 300 + " " + "痛み " * 40 + "</p><ul>" * 1 + "<li>" + "word " * 60 + "</li></ul>", width=width
    )
    assert all(Console().render_str(row, markup=False).cell_len <= min(width, WIDEST) for row in text.splitlines())
    assert text.count("q") == 300
    assert text.count("痛み") == 40


@pytest.mark.parametrize("width", [10, 14, 60])
def test_the_deepest_list_loses_no_word_on_the_narrowest_terminal(width: int) -> None:
    answer = "<ul><li>a" * 40 + "<br>" + "\u00a0" * 90 + "deepest word" + "</li></ul>" * 40
    letters = "".join(note_of(shown(answer, width=width))).replace(" ", "").replace("•", "")
    assert letters == "a" * 40 + "deepestword"


def test_a_terminal_narrower_than_any_word_gets_all_of_it(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document("# Plan\n\nRest and walk.")
    done = terminal.run("plan", "--preview", COLUMNS="1").stdout
    assert "Restandwalk." in "".join(row[2:].strip() for row in done.splitlines() if row.startswith("│"))


def test_a_section_with_a_name_begins_with_it() -> None:
    text = screen(NoteContent((Section((Question("A", "paragraph", "<p>x</p>"),), name="Part one"),)))
    assert [row[2:] for row in text.splitlines() if row.startswith("│")][1:] == ["", "── Part one ──", "", "A", "  x"]


def test_a_terminal_without_the_letters_shows_their_numbers(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document("# Plan\n\nfünf ≤ 6")
    done = terminal.process("plan", "--preview", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "| Source" in done.stdout
    assert r"f\xfcnf \u2264 6" in done.stdout


TEXTS = st.text(
    st.one_of(st.sampled_from("ab \n#*->&<;1.|[]`_\x1b\x07\x85\u202e\u200b\u00a0"), st.characters()), max_size=80
)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_every_word_of_any_note_is_on_the_screen_and_no_control_character(text: str) -> None:
    try:
        content = render_note_content(Document("d", "s", text[:20], text), source="here")
    except ConversionError:
        return
    seen = screen(content, width=10_000, widest=10_000)
    for section in content.sections:
        for question in section.questions:
            said = [question.name, html_words(question.answer or "")]
            assert carries(seen, [visible(word) for part in said for word in fold(part).split()])
    assert not [one for one in seen if one != "\n" and unicodedata.category(one) == "Cc"]
