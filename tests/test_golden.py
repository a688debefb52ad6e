"""Whole documents, each beside the note that we agreed on: tests/golden.py tells how to read and renew them."""

import re
from html import unescape
from pathlib import Path

import pytest

from sync_worker.convert.html_repair import MAX_CELLS
from sync_worker.convert.html_source import MAX_TAGS
from sync_worker.convert.markdown_rules import MAX_BRACKETS, MAX_DEPTH
from sync_worker.convert.markdown_source import MAX_LINES, MAX_MARKS
from sync_worker.convert.note import MAX_HTML, MAX_TEXT
from sync_worker.errors import ConversionError
from sync_worker.model import NoteContent
from sync_worker.sandbox.sanitiser import Html
from sync_worker.sandbox.validation import stored_content
from tests import golden
from tests.golden import Case, cases, laid_out

CASES = cases()
STORED_AS = {"full": Html.FULL, "basic": Html.LEGACY}


def note_of(case: Case) -> NoteContent | None:
    """The case's note; None where a person is asked instead."""
    try:
        return case.note()
    except ConversionError:
        return None


NOTES = [(case, note) for case in CASES if (note := note_of(case))]


def name(value: object) -> str:
    return value.path.name if isinstance(value, Case) else ""


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_whole_document_becomes_the_note_we_agreed_on(case: Case) -> None:
    assert case.written() == case.note_path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("case", "note"), NOTES, ids=name)
def test_cliniko_takes_the_note_and_changes_nothing_in_it(case: Case, note: NoteContent) -> None:
    assert stored_content(note.as_json(), STORED_AS[case.html]) == note.as_json()


@pytest.mark.parametrize(("case", "note"), NOTES, ids=name)
def test_a_golden_file_adds_line_ends_and_nothing_else(case: Case, note: NoteContent) -> None:
    questions = [question for section in note.sections for question in section.questions]
    for answer in (question.answer or "" for question in questions if question.kind == "paragraph"):
        assert "\n" not in answer
        assert unescape(laid_out(answer).replace("\n", "")) == unescape(answer)


def test_every_note_has_its_document_and_no_two_documents_share_one() -> None:
    notes = {path.name for path in golden.FOLDER.glob("*.note.html")}
    assert len(CASES) == len(notes)
    assert {case.note_path.name for case in CASES} == notes


def test_what_nobody_can_see_is_spelt_out() -> None:
    assert laid_out("<p>a\u00a0b\u200bc<br>d</p><ul><li>e</li></ul>") == (
        "<p>a&nbsp;b&#x200B;c<br>\nd</p>\n<ul>\n<li>e</li>\n</ul>"
    )


def test_a_note_that_differs_is_named_and_written_anew_only_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    (tmp_path / "plan.md").write_text("# Plan\n- Ice")
    note = tmp_path / "plan.note.html"
    note.write_text("<!-- document='GP letter' layout=single html=basic -->\n")

    assert golden.main([]) == 1
    assert capsys.readouterr().out == "plan.note.html\n"
    assert "Ice" not in note.read_text()

    assert golden.main(["--write"]) == 0
    assert "<h3>GP letter</h3>\n<div>Plan</div>" in note.read_text()
    assert golden.main([]) == 0


def test_the_page_tells_todays_limits() -> None:
    page = (golden.FOLDER.parents[2] / "docs" / "notes.md").read_text(encoding="utf-8")
    told = {int(number.replace(",", "")) for number in re.findall(r"\d{1,3}(?:,\d{3})+", page)}
    limits = {MAX_TEXT, MAX_HTML, MAX_LINES, MAX_TAGS, MAX_MARKS, MAX_BRACKETS, MAX_CELLS}
    assert told == limits
    assert f"{MAX_DEPTH} deep" in page
