"""A document's way into a note: nothing lost, nothing changed, nothing that Cliniko would strip."""

import contextlib
import inspect
import json
import re
import sys
import time
import unicodedata
from datetime import UTC, date, datetime
from html import escape, unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_worker.convert import (
    canonical_text,
    document_text,
    note_title,
    render_note_content,
    source_line,
    words,
)
from sync_worker.convert import note as convert
from sync_worker.errors import ConversionError
from sync_worker.model import Document, NoteContent, Question, Section
from sync_worker.reference import reference_of
from tests.golden import Case, cases

HERE = Path(__file__).parent
WHOLE_DOCUMENTS = [case for case in cases() if case.path.name.startswith("whole-")]
PRIMOCK = HERE.parent / "sync_worker" / "sandbox" / "data" / "primock57_notes.jsonl"
NOTES = [json.loads(line)["note"] for line in PRIMOCK.read_text(encoding="utf-8").splitlines()]

FULL_TAGS = {"p", "div", "br", "ul", "ol", "li", "blockquote", "h1", "h2", "b", "i", "u", "a"}


def a_document(content: str, content_type: str | None = "MARKDOWN", name: str = "Report") -> Document:
    return Document("doc-1", "session-1", name, content, content_type)


def questions(content: str, content_type: str | None = "MARKDOWN", **options: str) -> list[tuple[str, str | None]]:
    """Names and answers of the rendered note, without the Source."""
    note = render_note_content(a_document(content, content_type), source="Heidi document", **options)
    *asked, source = note.sections[0].questions
    assert source == Question("Source", "text", "Heidi document")
    return [(question.name, question.answer) for question in asked]


def answer(content: str, content_type: str | None = "MARKDOWN", **options: str) -> str | None:
    """The answer of a note that has one question."""
    ((name, said),) = questions(content, content_type, **options)
    assert name == "Report"
    return said


def tags_of(html: str) -> set[str]:
    return set(re.findall(r"</?([a-z0-9]+)", html))


def shown(note: NoteContent) -> str:
    """What a reader of the note sees, white space apart; read without the product's own code."""
    parts = []
    for question in note.sections[0].questions[:-1]:
        parts += [question.name, unescape(re.sub(r"<[^>]*>", "", question.answer or ""))]
    return "".join("".join(parts).split())


def assert_in_order(words: list[str], note: NoteContent) -> None:
    text, position = shown(note), 0
    for word in words:
        found = text.find(word, position)
        assert found >= 0, f"{word!r} is missing after {text[:position][-40:]!r}"
        position = found + len(word)


def assert_fit_for_cliniko(note: NoteContent, tags: set[str]) -> None:
    for question in note.sections[0].questions:
        assert 1 <= len(question.name) <= 255
        assert question.answer is None or question.answer.strip()
        if question.kind == "paragraph" and question.answer:
            assert tags_of(question.answer) <= tags
            assert not re.search(r"[\n\r\t]", question.answer)
            assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#x27;)", question.answer)


# ---------------------------------------------------------------- reference, title, source


def test_the_reference_of_a_document_is_the_same_for_ever() -> None:
    # Worked out apart from the product: sha256sum, first ten hex digits, five bits a character.
    assert reference_of(region="au", session_id="1" * 38, document_id="doc-1") == "NJX0B3VX"


def test_another_region_session_or_document_has_another_reference() -> None:
    ids = [("au", "1", "2"), ("uk", "1", "2"), ("au", "12", ""), ("au", "2", "1"), ("au", "1", "3")]
    found = {reference_of(region=r, session_id=s, document_id=d) for r, s, d in ids}
    assert len(found) == len(ids)
    assert all(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{8}", reference) for reference in found)


@pytest.mark.parametrize(
    ("template", "name", "expected"),
    [
        ("{document}", "GP letter", "GP letter · 3 Nov 2026 · ref ABCDEFGH"),
        ("Heidi: {document} of {date}", "GP letter", "Heidi: GP letter of 3 Nov 2026 · 3 Nov 2026 · ref ABCDEFGH"),
        ("{document}", " \n\t ", "Document · 3 Nov 2026 · ref ABCDEFGH"),
        ("{document}", "GP\nletter\x00 \x07two", "GP letter two · 3 Nov 2026 · ref ABCDEFGH"),
        ("{document.__class__} {0} {", "x", "{document.__class__} {0} { · 3 Nov 2026 · ref ABCDEFGH"),
        ("{document}", "{date} {document}", "{date} {document} · 3 Nov 2026 · ref ABCDEFGH"),
        ("", "GP letter", "GP letter · 3 Nov 2026 · ref ABCDEFGH"),
    ],
)
def test_a_title_says_document_date_and_reference(template: str, name: str, expected: str) -> None:
    assert (
        note_title(template=template, document_name=name, session_date=date(2026, 11, 3), reference="ABCDEFGH")
        == expected
    )


@pytest.mark.parametrize("template", ["{document}", "A {document} {date}", "{document}{document}", "x" * 400])
@pytest.mark.parametrize("length", [200, 227, 228, 229, 254, 255, 256, 3000])
def test_a_long_name_is_shortened_but_never_the_date_or_the_reference(template: str, length: int) -> None:
    title = note_title(
        template=template, document_name="n" * length, session_date=date(2026, 11, 18), reference="ABCDEFGH"
    )
    assert len(title) <= 255
    assert title.endswith(" · 18 Nov 2026 · ref ABCDEFGH")
    if "{date}" in template:
        assert title.endswith(" 18 Nov 2026 · 18 Nov 2026 · ref ABCDEFGH")
    if template == "{document}":
        assert ("…" in title) == (length > 255 - len(" · 18 Nov 2026 · ref ABCDEFGH"))


def test_shortening_a_name_does_not_take_an_accent_off_its_letter() -> None:
    title = note_title(
        template="{document}", document_name="e\u0301" * 200, session_date=date(2026, 1, 1), reference="ABCDEFGH"
    )
    assert "e…" not in title
    assert "e\u0301…" in title


def test_the_source_line_gives_the_time_in_the_practice() -> None:
    at = datetime(2026, 11, 17, 23, 30, tzinfo=UTC).astimezone(ZoneInfo("Australia/Hobart"))
    assert source_line(session_at=at, reference="ABCDEFGH") == (
        "Heidi document, session of 18 Nov 2026 10:30, ref ABCDEFGH"
    )


def test_the_source_line_refuses_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        source_line(session_at=datetime(2026, 11, 18, 10, 30), reference="ABCDEFGH")  # noqa: DTZ001


# ---------------------------------------------------------------- questions


def test_every_heading_of_any_level_is_a_question() -> None:
    levels = "\n".join(f"{'#' * level} H{level}\ntext {level}" for level in range(1, 7))
    assert questions(levels) == [(f"H{level}", f"<p>text {level}</p>") for level in range(1, 7)]


def test_a_heading_with_nothing_under_it_stays_as_a_question_without_answer() -> None:
    assert questions("# Red flags\n## Plan\nRest") == [("Red flags", None), ("Plan", "<p>Rest</p>")]


def test_text_before_the_first_heading_goes_under_the_name_of_the_document() -> None:
    assert questions("Intro\n# Plan\nRest")[0] == ("Report", "<p>Intro</p>")
    unnamed = render_note_content(a_document("Intro", name="  "), source="s")
    assert unnamed.sections[0].questions[0].name == "Document"


def test_a_side_of_the_body_may_be_a_heading() -> None:
    assert questions("# R knee\nx\n# Left hip\ny") == [("R knee", "<p>x</p>"), ("Left hip", "<p>y</p>")]
    assert questions("- x\n# Left hip\ny") == [("Report", "<ul><li>x</li></ul>"), ("Left hip", "<p>y</p>")]


def test_a_list_directly_under_its_heading_is_not_swallowed_by_it() -> None:
    assert questions("## Plan\n- Ice\n- Rest") == [("Plan", "<ul><li>Ice</li><li>Rest</li></ul>")]


def test_the_heading_is_the_name_word_for_word_without_its_marks() -> None:
    assert questions("# **Plan** & <goals> *now*\nx")[0][0] == "Plan & <goals> now"
    assert questions("<h2>L | R</h2><p>x</p>", "HTML") == [("L | R", "<p>x</p>")]
    assert questions("# Plan `&amp;` B\nx")[0][0] == "Plan &amp; B"
    assert questions("<h3>Plan <b>A</b><br>B &amp; &lt;C&gt;</h3><p>x</p>", "HTML")[0][0] == "Plan A B & <C>"


@pytest.mark.parametrize("heading", ["word " * 90, "x" * 700, "é" * 256, "a" * 255 + " b"])
def test_a_heading_too_long_for_a_name_goes_on_in_its_answer(heading: str) -> None:
    ((name, said),) = questions(f"# {heading}\nbody")
    assert len(name) <= 255
    rest = re.fullmatch(r"<p><b>(.*)</b></p><p>body</p>", said or "")
    assert rest is not None
    assert (name + rest[1]).replace(" ", "") == heading.replace(" ", "")


def test_a_heading_without_words_opens_no_question() -> None:
    assert questions("# Plan\nRest\n#\nmore") == [("Plan", "<p>Rest</p><p>more</p>")]


def test_the_single_layout_keeps_headings_inside_one_answer() -> None:
    assert questions("Intro\n# Plan\nRest\n### Goals", layout="single") == [
        ("Report", "<p>Intro</p><h1>Plan</h1><p>Rest</p><h2>Goals</h2>")
    ]


@pytest.mark.parametrize("title", ["", "# Initial assessment\n"])
@pytest.mark.parametrize("html", [True, False])
def test_bold_lines_are_headings_where_a_document_marks_no_others(title: str, html: bool) -> None:
    content = f"{title}**Subjective**\n\nSore\n\n**Plan:**\nRest\n**Ice**, twice"
    if html:
        heading = "<h1>Initial assessment</h1>" if title else ""
        content = (
            f"{heading}<p><strong>Subjective</strong></p><p>Sore</p><p><b>Plan:</b><br>Rest<br><b>Ice</b>, twice</p>"
        )
    expected = [("Subjective", "<p>Sore</p>"), ("Plan:", "<p>Rest<br><b>Ice</b>, twice</p>")]
    if title:
        expected.insert(0, ("Initial assessment", None))  # type: ignore[arg-type]
    assert questions(content, "HTML" if html else "MARKDOWN") == expected


@pytest.mark.parametrize(
    "content",
    [
        "**Do not drive.**\n\nRest",
        "**Rest**",
        "Rest\n\n**Ice**",
        "**Rest**\n\n**Ice**",
        "**Rest**\n**Ice**",
        f"**{'very ' * 20}sore**\n\nRest",
        "**90**\n\nRest",
        "**Pain** now\n\nRest",
    ],
)
def test_a_bold_line_that_names_nothing_below_it_stays_where_it_is(content: str) -> None:
    (question,) = questions(content)
    assert question[0] == "Report"


def test_bold_lines_between_headings_stay_bold_lines() -> None:
    assert questions("# A\n**b**\n\nc\n# D\ne") == [("A", "<p><b>b</b></p><p>c</p>"), ("D", "<p>e</p>")]


def test_a_document_without_words_has_a_question_without_answer() -> None:
    for content, kind in [("", "MARKDOWN"), ("---", "MARKDOWN"), ("<p>&nbsp;</p><script>x()</script>", "HTML")]:
        assert questions(content, kind) == [("Report", None)]
        assert document_text(a_document(content, kind)) == ""


# ---------------------------------------------------------------- Markdown

TAB = f" {4 * chr(0xA0)} "
MARKDOWN_CASES = {
    "thresholds are text": ("ROM <90, BP >140 & rising", "<p>ROM &lt;90, BP &gt;140 &amp; rising</p>"),
    "a threshold at the start of a line is no quotation": (
        "Goal:\n> 90 degrees\n>=140 systolic\n>.5",
        "<p>Goal:<br>&gt; 90 degrees<br>&gt;=140 systolic<br>&gt;.5</p>",
    ),
    "a quotation is one": ("> he said\n> so", "<blockquote><p>he said<br>so</p></blockquote>"),
    "a tag is text": ("a <script>alert(1)</script> b", "<p>a &lt;script&gt;alert(1)&lt;/script&gt; b</p>"),
    "a br is a new line": ("one<br>two<BR />three", "<p>one<br>two<br>three</p>"),
    "single line ends stay": ("PMH: nil\nDHx: nil", "<p>PMH: nil<br>DHx: nil</p>"),
    "lines end in every way": ("a\r\nb\rc\u2028d", "<p>a<br>b<br>c<br>d</p>"),
    "bold and italic": ("**a** *b* ***c***", "<p><b>a</b> <i>b</i> <b><i>c</i></b></p>"),
    "times is no emphasis": ("3*10, squats 3*10", "<p>3*10, squats 3*10</p>"),
    "a plus is no bullet": ("+ SLR\n+ 2 reflexes", "<p>+ SLR<br>+ 2 reflexes</p>"),
    "a list keeps its start": ("3. c\n4. d", "<p>3. c<br>4. d</p>"),
    "a list may skip a number": ("1. a\n3. c", "<p>1. a<br>3. c</p>"),
    "blanks to fill in stay": (
        "Date: ___/___/____ or __/__/2026, I, ____, (____) and (__), at __:__",
        "<p>Date: ___/___/____ or __/__/2026, I, ____, (____) and (__), at __:__</p>",
    ),
    "a line to sign on stays": (
        "Signed:\n________\n\n___\n\nA. Physio",
        "<p>Signed:<br>________</p><p>———</p><p>A. Physio</p>",
    ),
    "a fracture in a list is no heading": (
        "- # wrist 2019\n- ## a",
        "<ul><li># wrist 2019</li><li><b>a</b></li></ul>",
    ),
    "a fracture beneath text is no heading": (
        "PMHx:\n# R wrist 2019\n# NOF 2020\nNKDA",
        "<p>PMHx:<br># R wrist 2019<br># NOF 2020<br>NKDA</p>",
    ),
    "underscores may still mark": (
        "_note_ __Plan:__ _(see over)_ _90°_ **_x_** a_b_c",
        "<p><i>note</i> <b>Plan:</b> <i>(see over)</i> <i>90°</i> <b><i>x</i></b> a_b_c</p>",
    ),
    "bold right beside a word": (
        "**Pain:**constant **Neck (L):**5/10 un**believ**able 2**3.**4 **a.**, b:**c** \\**d:**e",
        "<p><b>Pain:</b>constant <b>Neck (L):</b>5/10 un<b>believ</b>able 2**3.**4 <b>a.</b>, b:<b>c</b> **d:**e</p>",
    ),
    "a minus apart from its ve is no bullet": (
        "- SLR +ve\n- ve Lachman\n\n- vehicle",
        "<ul><li>SLR +ve<br>- ve Lachman</li><li>vehicle</li></ul>",
    ),
    "a line beneath a table is none of its rows": (
        "| a | b |\n|-|-|\n| 1 | 2 |\nPain at end\n",
        "<p><b>a | b</b><br>a: 1; b: 2</p><p>Pain at end</p>",
    ),
    "numbers within numbers are kept, nested or not": (
        "1. a\n  1. b\n  2. c\n2. d",
        "<p>1. a<br>1. b<br>2. c<br>2. d</p>",
    ),
    "an emoji of several signs stays one in a column's name": (
        "| 👩‍⚕️ | b |\n|-|-|\n| 1 | 2 |",
        "<p><b>👩‍⚕️ | b</b><br>👩‍⚕️: 1; b: 2</p>",
    ),
    "columns that tabs or spaces keep apart stay apart": (
        "Move\tL\tR\nFlex\t\t5\nExt       5.  So",
        f"<p>Move{TAB}L{TAB}R<br>Flex{TAB}{TAB}5<br>Ext \u00a0\u00a0\u00a0\u00a0\u00a0 5.  So</p>",
    ),
    "a list of ones is counted": ("1. a\n1. b\n1) c", "<p>1. a<br>2. b</p><p>1) c</p>"),
    "lists nest": (
        "- a\n  - b\n    1. c\n       - d",
        "<ul><li>a<ul><li>b<br>1. c<br>\u00a0\u00a0\u00a0\u00a0• d</li></ul></li></ul>",
    ),
    "boxes and struck words stay text": ("- [ ] a\n- [x] ~~b~~", "<ul><li>[ ] a</li><li>[x] ~~b~~</li></ul>"),
    "a link shows its address": (
        "[site](https://example.org/?a=1&b=2)",
        '<p><a href="https://example.org/?a=1&amp;b=2">site</a> (https://example.org/?a=1&amp;b=2)</p>',
    ),
    "an address is not said twice": (
        "<https://example.org> [a@example.org](mailto:a@example.org)",
        '<p><a href="https://example.org">https://example.org</a> <a href="mailto:a@example.org">a@example.org</a></p>',
    ),
    "other schemes are only words": ("[x](javascript:alert(1))", "<p>x (javascript:alert(1))</p>"),
    "angle brackets that hold no address stay": ("<BP:140>", "<p>&lt;BP:140&gt;</p>"),
    "a bracketed word and a colon is a sentence": ("[Note]: stable", "<p>[Note]: stable</p>"),
    "a picture is named": ("![x-ray](a.png) ![](b.png)", "<p>[image: x-ray] [image]</p>"),
    "a table names each value": (
        "| Test | L |\n|---|---|\n| Hop | 5 |\n| Jump | |",
        "<p><b>Test | L</b><br>Test: Hop; L: 5<br>Test: Jump</p>",
    ),
    "a row wider than its table keeps all cells": (
        "> a | b\n> --|--\n> 1 | 2 | **3** \\| x | 4",
        "<blockquote><p><b>a | b</b><br>a: 1; b: 2; <b>3</b> | x; 4</p></blockquote>",
    ),
    "code keeps its indentation": ("x\n```py\na\n  b\n```", "<p>x</p><p>py<br>a<br>\u00a0\u00a0b</p>"),
    "indented lines are no code": ("Plan\n\n    **rest**", "<p>Plan</p><p><b>rest</b></p>"),
    "a rule under a sentence is no heading": ("Stable.\n---\nNext", "<p>Stable.</p><p>———</p><p>Next</p>"),
    "zero-width and right-to-left text survives": ("a\u200bb עברית", "<p>a\u200bb עברית</p>"),
    "entities are read": ("a &lt; b &amp; c", "<p>a &lt; b &amp; c</p>"),
    "control characters go": ("a\x00b\x07\ufdd0c\ud800", "<p>abc\ufffd</p>"),
}


@pytest.mark.parametrize(("content", "expected"), MARKDOWN_CASES.values(), ids=MARKDOWN_CASES)
def test_markdown(content: str, expected: str) -> None:
    assert answer(content) == expected


def test_a_line_of_signs_under_a_title_makes_it_a_heading() -> None:
    assert questions("Plan\n====\nRest\n\nGoals\n-----\nRun") == [("Plan", "<p>Rest</p>"), ("Goals", "<p>Run</p>")]


def test_an_answer_wrapped_whole_in_a_code_fence_is_unwrapped() -> None:
    assert questions("```markdown\n# Plan\nRest\n```\n") == [("Plan", "<p>Rest</p>")]


def test_an_answer_that_begins_and_ends_with_code_is_not_wrapped_whole() -> None:
    assert questions("```\na\n```\n\n# Plan\n\n```\nb\n```") == [("Report", "<p>a</p>"), ("Plan", "<p>b</p>")]


def test_joiners_in_a_heading_hold_an_emoji_together() -> None:
    assert questions("# 👩‍⚕️ Plan\nRest") == [("👩‍⚕️ Plan", "<p>Rest</p>")]


# ---------------------------------------------------------------- HTML

SET_IN = "\u00a0" * 4
BLANK = "<div><br></div>"
HTML_CASES = {
    "bold beside a letter": ("<p><strong>Pain:</strong>constant</p>", "<p><b>Pain:</b>constant</p>"),
    "spaces inside marks": ("<p>a<b> b </b>c<b> </b>d</p>", "<p>a<b> b </b>c d</p>"),
    "marks around blocks": ("<b><p>a</p>b</b>", "<p><b>a</b></p><p><b>b</b></p>"),
    "attributes go": ('<p style="x" onclick="y">a</p>', "<p>a</p>"),
    "scripts and styles go": ("<p>a</p><script>b</script><style>c</style><!-- d -->", "<p>a</p>"),
    "what looks like Markdown is text": (
        "<p># a *b* _c_ `d` [e](f) | g</p><p>1. h</p><p>- i</p><p>&gt; 90</p>",
        "<p># a *b* _c_ `d` [e](f) | g</p><p>1. h</p><p>- i</p><p>&gt; 90</p>",
    ),
    "a quotation that starts with a number": (
        "<blockquote>90 degrees</blockquote>",
        "<blockquote><p>90 degrees</p></blockquote>",
    ),
    "a list directly inside a list": (
        "<ul><li>a</li><ul><li>b</li></ul></ul>",
        "<ul><li>a<ul><li>b</li></ul></li></ul>",
    ),
    "text after a nested list": (
        "<ul><li>a<ul><li>b</li></ul>c</li></ul>",
        "<ul><li>a<ul><li>b</li></ul>c</li></ul>",
    ),
    "numbers are text": (
        '<ol start="4"><li>a</li><li value="9">b</li></ol><ol><li>c</li></ol>',
        "<p>4. a<br>9. b<br>1. c</p>",
    ),
    "blocks in a cell": (
        "<table><tr><th>A</th><th>B</th></tr><tr><td><p>1</p><p>2</p></td><td><ul><li>x|y</li></ul></td></tr></table>",
        "<p><b>A | B</b><br>A: 1<br>\u00a0\u00a0\u00a0\u00a02; B: • x|y</p>",
    ),
    "a table that frames a text": ("<table><tr><td>a<br>b<p>c</p></td></tr></table>", "<p>a<br>b<br>c</p>"),
    "two lines in a cell, in a list": (
        "<ol><li>a<table><tr><th>A</th></tr><tr><td>1<br>2</td></tr></table></li></ol>",
        f"<p>1. a<br>{SET_IN}<b>A</b><br>{SET_IN}A: 1<br>{SET_IN}{SET_IN}2</p>",
    ),
    "a table in a table": (
        "<table><tr><td>a</td><td><table><tr><td>b</td><td>c</td></tr></table></td></tr></table>",
        "<p>a | b · c</p>",
    ),
    "a cell taller than its row": (
        "<table><tr><th>S</th><th>V</th></tr><tr><td rowspan=2>L</td><td>1</td></tr><tr><td>2</td></tr></table>",
        "<p><b>S | V</b><br>S: L; V: 1<br>S: (as above); V: 2</p>",
    ),
    "a cell wider than its column": (
        "<table><tr><th>S</th><th>V</th><th>W</th></tr><tr><td colspan=2>L</td><td>1</td></tr></table>",
        "<p><b>S | V | W</b><br>S: L; W: 1</p>",
    ),
    "a column named by a bar": ("<table><tr><th>a</th><th>|</th></tr></table>", "<p><b>a | |</b></p>"),
    "a table without names": ("<table><tr><td>a</td><td>b</td></tr></table>", "<p>a | b</p>"),
    "powers": ("<p>10<sup>3</sup> H<sub>2</sub>O 1<sup>st</sup></p>", "<p>10^3 H2O 1st</p>"),
    "struck words and boxes": (
        "<p><del>a</del> <input type=checkbox checked> b <input type=checkbox> c</p>",
        "<p>~~a~~ [x] b [ ] c</p>",
    ),
    "pictures": ('<p><img src="x" alt="ROM <90"> <img src="y"></p>', "<p>[image: ROM &lt;90] [image]</p>"),
    "links": (
        '<p><a href="https://e.org/a_(b)?c&amp;d=[1]">t</a> <a href="tel:055">call</a> <a href="#x">in</a> '
        '<a href="/rel">r</a> <a href="javascript:x">j</a></p>',
        '<p><a href="https://e.org/a_(b)?c&amp;d=[1]">t</a> (https://e.org/a_(b)?c&amp;d=[1]) call (055) in '
        "r (/rel) j</p>",
    ),
    "a link around blocks": ('<a href="https://e.org"><p>a</p><p>b</p></a>', "<p>a</p><p>b</p><p> (https://e.org)</p>"),
    "blocks without a tag of ours": ("<section>a</section><section>b</section>", "<p>a</p><p>b</p>"),
    "definitions": ("<dl><dt>a</dt><dd>b</dd></dl>", "<p>a</p><p>b</p>"),
    "a list that counts with letters": (
        '<ol type="a" start="2"><li>x</li><li><p>y</p></li></ol>v<ol type="I"><li value=9>z<ul><li>w</ul></ol>',
        f"<p>b. x<br>c. y</p><p>v</p><p>IX. z<br>{SET_IN}• w</p>",
    ),
    "a list of twenty-eight": (
        '<ol type="A" start="26"><li>x</li><li>y</li><li></li></ol>',
        "<p>Z. x<br>AA. y<br>AB. </p>",
    ),
    "letters in a cell": (
        '<table><tr><td><ol type="a"><li>x</li><li>y</li></ol></td></tr></table>',
        "<p>a. x<br>b. y</p>",
    ),
    "laid-out text": ("<pre>a  b\n c</pre>", "<p>a\u00a0\u00a0b<br>\u00a0c</p>"),
    "laid-out text with marks": ("<pre>a\n<b>b</b>\n</pre>", "<p>a<br><b>b</b></p>"),
    "a power in bold": ("<p>10<sup><b>3</b></sup></p>", "<p>10^<b>3</b></p>"),
    "a bullet's value is no number": ('<ul><li value="7">a</li></ul>', "<ul><li>a</li></ul>"),
    "a word processor's tags": ("<p>a<o:p>&nbsp;</o:p></p><mine>b</mine>", "<p>a</p><p>b</p>"),
    "a sign that opens no tag": ("<p>ROM <90 & BP >140</p>", "<p>ROM &lt;90 &amp; BP &gt;140</p>"),
    "words that only a style strikes out": (
        '<p><span style="text-decoration: line-through;">a <span>b</span></span> <span>c</span></p>',
        "<p>~~a b~~ c</p>",
    ),
    "a web editor's bold that is none": (
        '<b style="font-weight:normal;" id="docs-1"><p><span>a</span> <b>b</b></p><p>c</p></b>',
        "<p>a <b>b</b></p><p>c</p>",
    ),
    "a word processor's conditions": (
        "<?xml:namespace prefix = o /><p><![if !supportLists]><span>·</span><![endif]>a</p>",
        "<p>·a</p>",
    ),
    "an editor's list of tasks": (
        "<ul><li><label><input type=checkbox checked><span></span></label><div><p>a</p><p>b</p></div></li>"
        "<li><label><input type=checkbox></label><p>c</p></li></ul>",
        "<ul><li>[x] a<br>b</li><li>[ ] c</li></ul>",
    ),
    "underlined": ("<p><u>a</u> <ins>b</ins></p>", "<p><u>a</u> <u>b</u></p>"),
    "no-break spaces": ("<p>4&nbsp;cm</p>", "<p>4\u00a0cm</p>"),
}


@pytest.mark.parametrize(("content", "expected"), HTML_CASES.values(), ids=HTML_CASES)
def test_html(content: str, expected: str) -> None:
    said = answer(content, "HTML")
    assert (said or "").replace("<p> ", "<p>") == expected.replace("<p> ", "<p>")


def test_basic_accounts_get_only_div_and_br_and_still_every_word() -> None:
    content = "# Plan\n**a** [b](https://e.org)\n- c\n  1. d\n\n> e\n\n|f|g|\n|-|-|\n|1|2|"
    assert questions(content, html="basic") == [
        (
            "Plan",
            f"<div>a b (https://e.org)</div>{BLANK}<div>• c<br>{SET_IN}1. d</div>{BLANK}"
            f"<div>{SET_IN}e</div>{BLANK}<div>f | g<br>f: 1; g: 2</div>",
        )
    ]


def test_on_basic_accounts_a_blank_line_parts_what_no_heading_joins() -> None:
    content = "---\n# Plan\nRest\n\n![]()\n\n## Goals\n- Run"
    assert questions(content, html="basic", layout="single") == [
        ("Report", f"<div>Plan</div><div>Rest</div>{BLANK}<div>[image]</div>{BLANK}<div>Goals</div><div>• Run</div>")
    ]


# ---------------------------------------------------------------- which format


@pytest.mark.parametrize(
    ("content", "label", "expected"),
    [
        ("<p>a</p><p>b</p>", "MARKDOWN", "<p>a</p><p>b</p>"),
        ("<p>a</p><p>b</p>", None, "<p>a</p><p>b</p>"),
        ("  <!DOCTYPE html><p>a</p>", None, "<p>a</p>"),
        ("a<br>b <b>c</b>", None, "<p>a<br>b <b>c</b></p>"),
        ("a <b>c</b>", "MARKDOWN", "<p>a &lt;b&gt;c&lt;/b&gt;</p>"),
        ("x **a**\nb", None, "<p>x <b>a</b><br>b</p>"),
        ("x **a**\nROM <90", "HTML", "<p>x <b>a</b><br>ROM &lt;90</p>"),
        ("- a\n- <p>b</p>", "MARKDOWN", "<ul><li>a</li><li>&lt;p&gt;b&lt;/p&gt;</li></ul>"),
        ("**a**<br>b", "HTML", "<p>**a**<br>b</p>"),
    ],
)
def test_the_content_decides_the_format_when_the_label_is_missing_or_wrong(
    content: str, label: str | None, expected: str
) -> None:
    assert answer(content, label) == expected


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("<div>" * 500 + "x" + "</div>" * 500, "HTML"),
        ("<div>" * 100 + "x" + "</div>" * 100, "HTML"),
        ("<b>" * 200_000, "HTML"),
        ("> " * 500 + "x", "MARKDOWN"),
        ("- " * 500 + "x", "MARKDOWN"),
    ],
)
def test_a_document_nested_beyond_reason_is_refused_and_does_not_crash(content: str, kind: str) -> None:
    with pytest.raises(ConversionError) as refusal:
        render_note_content(a_document(content, kind), source="s")
    assert refusal.value.code == "too_deep"


def test_pictures_within_the_names_of_pictures_do_not_crash() -> None:
    assert "x" in (answer("![" * 1000 + "x" + "](y)" * 1000) or "")


def test_a_stack_that_is_nearly_full_is_no_crash_either() -> None:
    def beneath(frames: int) -> None:
        if frames:
            beneath(frames - 1)
        else:
            answer("> " * 60 + "x")

    with pytest.raises(ConversionError, match="too_deep"):
        beneath(sys.getrecursionlimit() - len(inspect.stack()) - 150)


def test_thirty_levels_of_lists_still_arrive() -> None:
    assert "deep" in (answer("<ul><li>" * 30 + "deep" + "</li></ul>" * 30, "HTML") or "")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("Pain 5/10.\n\n" * 170_000, "MARKDOWN"),
        ("<p>Pain 5/10.</p>" * 120_000, "HTML"),
        ("[" * 150_000, "MARKDOWN"),
        ("- a\n" * 50_000, "MARKDOWN"),
        ("<table><tr>" + "<td rowspan=1000>a" * 1000 + "<tr>" * 1000 + "</table>", "HTML"),
        ("<b>x</b>" * 60_000, "HTML"),
        ("*a* " * 100_000, "MARKDOWN"),
        ("- " * 25 + "a\n" + ("- " * 25 + "a\n") * 15_000, "MARKDOWN"),
        ("|a|\n|-|\n" + "|b" * 50_000, "MARKDOWN"),
        ("<p" + "".join(f" a{number}" for number in range(100_000)) + ">x</p>", "HTML"),
    ],
)
def test_a_document_too_large_is_refused_before_it_takes_for_ever(content: str, kind: str) -> None:
    started = time.monotonic()
    with pytest.raises(ConversionError) as refusal:
        render_note_content(a_document(content, kind), source="s")
    assert refusal.value.code == "too_large"
    assert time.monotonic() - started < 30


def test_two_megabytes_of_a_word_processors_styles_around_a_page_of_text_are_no_hindrance() -> None:
    styled = f'<p style="{"mso-x:y;" * 1250}">Pain</p>' * 190
    assert answer(styled, "HTML") == "<p>Pain</p>" * 190


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("](" * 200_000, "MARKDOWN"),
        ("a" + "\u0301\u0316" * 200_000, "MARKDOWN"),
        ("<p>a" + "&#x301;&#x316;" * 60_000, "HTML"),
        ("<p>a</p>" + "<!--" * 200_000, "HTML"),
    ],
    ids=["brackets that close nothing", "accents", "accents as entities", "comments without an end"],
)
def test_what_some_parsers_take_minutes_for_is_carried(content: str, kind: str) -> None:
    said = unescape(re.sub("<[^>]*>", "", answer(content, kind) or ""))
    assert said == re.sub("<[^>]*>", "", unescape(content).partition("<!--")[0])


def test_a_script_or_comment_without_its_end_hides_no_word() -> None:
    with pytest.raises(ConversionError, match="words_lost"):
        answer("<p>a</p><!-- b --> c <!-- d", "HTML")
    assert answer("<p>a</p><!-- b --><style>c</style><p>d</p>", "HTML") == "<p>a</p><p>d</p>"


def test_a_note_that_would_lack_a_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "answer_html", lambda blocks, *, html: "<p>ROM 90</p>")
    with pytest.raises(ConversionError) as refusal:
        render_note_content(a_document("ROM <90"), source="s")
    assert refusal.value.code == "words_lost"
    assert "ROM" not in str(refusal.value)


def test_a_structure_that_would_lack_a_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "structure_of", lambda markdown, *, dictated: ())
    with pytest.raises(ConversionError, match="words_lost"):
        render_note_content(a_document("no pain"), source="s")
    with pytest.raises(ConversionError, match="words_lost"):
        render_note_content(a_document("<p>no pain</p>", "HTML"), source="s")


@pytest.mark.parametrize("swallowed", ["<p>ROM <baseline today</p>", "<p>ROM <full and pain >5</p>", "<p>a <b lot</p>"])
def test_text_that_a_browser_would_take_for_a_tag_is_not_lost_in_silence(swallowed: str) -> None:
    with pytest.raises(ConversionError, match="words_lost"):
        render_note_content(a_document(swallowed, "HTML"), source="s")


def test_a_wide_and_long_table_is_not_too_large() -> None:
    row = "".join(f"<td>v{column}</td>" for column in range(40))
    said = answer(f"<table>{f'<tr>{row}</tr>' * 100}</table>", "HTML") or ""
    assert said.count("v39") == 100


# ---------------------------------------------------------------- comparing with what Cliniko stored


def echoed(content: NoteContent) -> dict[str, object]:
    """The content as a sanitiser may give it back."""
    stored = content.as_json()
    for question in stored["sections"][0]["questions"]:
        if question["type"] == "paragraph" and "answer" in question:
            html = re.sub(r' href="[^"]*"', "", question["answer"])
            html = html.replace("</p><", "</p>\n  <").replace("<br>", "<br />").replace("\u00a0", "&nbsp;")
            question["answer"] = html.replace("'", "&#39;").replace("·", "&middot;")
        question.setdefault("answer", None)
    return stored | {"id": "1"}


@pytest.mark.parametrize("case", WHOLE_DOCUMENTS, ids=lambda case: case.path.name)
@pytest.mark.parametrize("html", ["full", "basic"])
def test_what_cliniko_echoes_compares_equal_to_what_we_meant(case: Case, html: str) -> None:
    note = render_note_content(a_document(case.content, case.label), source="it's us", html=html)
    assert canonical_text(echoed(note)) == canonical_text(note) == canonical_text(note.as_json())


def test_canonical_text_folds_layout_and_keeps_words() -> None:
    content = {
        "sections": [
            {
                "name": "S",
                "questions": [
                    {
                        "name": "Q\u00a01",
                        "type": "paragraph",
                        "answer": "<p>a<b>b</b>&nbsp;c</p><p>ROM &lt;90 e\u0301</p>",
                    },
                    {"name": "Q2", "type": "text", "answer": "x <90\u200b y"},
                    {
                        "name": "Q3",
                        "type": "checkboxes",
                        "answers": [{"value": "yes", "selected": True}, {"value": "no"}],
                        "other": {"enabled": True, "selected": True, "value": "other"},
                    },
                ],
            }
        ]
    }
    assert canonical_text(content) == "Q 1 ab c ROM <90 é Q2 x <90 y Q3 yes other"


@pytest.mark.parametrize("content", [None, {}, {"sections": None}, {"sections": [{}]}, {"sections": ["?"]}])
def test_a_note_without_content_has_no_words(content: dict[str, object] | None) -> None:
    assert canonical_text(content) == ""


@pytest.mark.parametrize("changed", ["no pain", "Pain", "pain pain", ""])
def test_a_changed_word_changes_the_canonical_text(changed: str) -> None:
    def note(said: str) -> NoteContent:
        return NoteContent((Section((Question("Q", answer=f"<p>{said}</p>"),)),))

    assert canonical_text(note(changed)) != canonical_text(note("pain"))


PARTS = (
    "<p>",
    "</p>",
    "<br>",
    "<b>",
    "</b>",
    '<a href="x&amp;y">',
    "</a>",
    "&amp;",
    "&lt;",
    "&quot;",
    "amp;",
    *'aé<>&" ',
)
OTHER_PARTS = ("<i ", "<br />", "<!--", "&nbsp;", "e\u0301", "\n")


@given(st.lists(st.sampled_from(PARTS + OTHER_PARTS)).map("".join))
def test_our_own_answers_read_without_a_parser_say_what_a_parser_reads(html: str) -> None:
    assert words.html_words(html) == words._parsed_words(html)


# ---------------------------------------------------------------- properties

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

LETTERS = st.text("abcXYZéß09עم好", min_size=1, max_size=6).map(lambda text: unicodedata.normalize("NFC", text))
CLINICAL = st.sampled_from(["<90", "BP>140", "5/10", "A&E", "3*10", "+ve", "-ve", "(R)", "L4/5", "~6/52", "°C", "x_y"])
SAFE_WORDS = st.lists(LETTERS | CLINICAL, min_size=1, max_size=5).map(lambda words: ["w", *words, "w"])
ANY_WORDS = st.lists(
    LETTERS
    | CLINICAL
    | st.sampled_from([*"*#-+>|`[]_~!\\", "1.", "2)", "---", "===", "**a**", "[a](b)", "<p>", "&amp;"]),
    min_size=1,
    max_size=5,
)

Piece = tuple[str, list[str]]
"""A piece of a document and the words that a reader sees in it."""


def _markdown_blocks() -> st.SearchStrategy[Piece]:
    def said(before: str, between: str = " ", after: str = "") -> st.SearchStrategy[Piece]:
        return SAFE_WORDS.map(lambda words: (before + between.join(words) + after, words))

    def listed(marker: str) -> st.SearchStrategy[Piece]:
        return st.lists(SAFE_WORDS, min_size=1, max_size=4).map(
            lambda items: (
                "\n".join(f"{'  ' * min(n, 2)}{marker} {' '.join(words)}" for n, words in enumerate(items)),
                [word for words in items for word in words],
            )
        )

    def table(rows: list[list[list[str]]]) -> Piece:
        lines = ["| " + " | ".join(" ".join(cell) for cell in row) + " |" for row in rows]
        lines.insert(1, "|---" * len(rows[0]) + "|")
        return "\n".join(lines), [word for row in rows for cell in row for word in cell]

    return st.one_of(
        said("# "), said("#### "), said(""), said("", "\n"), said("**", after="**"), said("> "),
        said("```\n", "\n", "\n```"), listed("-"), listed("*"), listed("1."),
        st.lists(st.lists(SAFE_WORDS, min_size=1, max_size=4), min_size=1, max_size=3).map(table),
    )  # fmt: skip


INLINE_WRAPS = ["", "", "b", "i", "u", "em", "strong", "span", "code"]
LEAF_WRAPS = ["p", "p", "h1", "h2", "h5", "pre", "dd", ""]
NESTING = {
    "div": "{}", "blockquote": "{}", "section": "{}", "b": "{}", "ul": "<li>{}</li>", "ol start=3": "<li>{}</li>",
    "ol": "{}", "table": "<tr><td>{}</td></tr>", "table border=1": "<tr><th>x</th></tr><tr><td>{}</td></tr>",
}  # fmt: skip


@st.composite
def _html(draw: st.DrawFn, depth: int = 3) -> Piece:
    """A few blocks, some of them around others; a piece nests only where `depth` allows."""
    html, words = "", list[str]()
    for _ in range(draw(st.integers(1, 3))):
        if depth and draw(st.booleans()):
            outer = draw(st.sampled_from(list(NESTING)))
            inner_html, inner = draw(_html(depth - 1))
            html += f"<{outer}>{NESTING[outer].format(inner_html)}</{outer.split()[0]}>"
        else:
            outer, mark = draw(st.sampled_from(LEAF_WRAPS)), draw(st.sampled_from(INLINE_WRAPS))
            inner = draw(ANY_WORDS)
            text = escape(" ".join(inner))
            marked = f"<{mark}>{text}</{mark}>" if mark else text
            html += f"<{outer}>{marked}</{outer}>" if outer else f" {marked} "
        words += inner
    return html, words


@QUICK
@given(st.lists(_markdown_blocks(), min_size=1, max_size=6), st.sampled_from(["full", "basic"]), st.booleans())
def test_markdown_words_in_are_words_out_in_order(pieces: list[Piece], html: str, single: bool) -> None:
    document = a_document("\n\n".join(markdown for markdown, _ in pieces))
    note = render_note_content(document, source="s", html=html, layout="single" if single else "sections")
    assert_in_order([word for _, words in pieces for word in words], note)
    assert_fit_for_cliniko(note, FULL_TAGS if html == "full" else {"div", "br"})
    assert canonical_text(echoed(note)) == canonical_text(note)


@QUICK
@given(_html(), st.sampled_from(["full", "basic"]), st.booleans())
def test_html_words_in_are_words_out_in_order(piece: Piece, html: str, single: bool) -> None:
    content, words = f"{piece[0]}<br>", piece[1]  # without any tag it would be read as Markdown
    note = render_note_content(
        a_document(content, "HTML"), source="s", html=html, layout="single" if single else "sections"
    )
    assert_in_order(words, note)
    assert_fit_for_cliniko(note, FULL_TAGS if html == "full" else {"div", "br"})


@QUICK
@given(st.text(max_size=200), st.sampled_from(["MARKDOWN", "HTML", None]))
def test_any_text_at_all_becomes_a_fit_note_or_is_refused(content: str, kind: str | None) -> None:
    with contextlib.suppress(ConversionError):
        note = render_note_content(a_document(content, kind), source="s")
        assert_fit_for_cliniko(note, FULL_TAGS)
        json.dumps(note.as_json(), ensure_ascii=False).encode()


@QUICK
@given(st.text("<>&;#x0219amplt \"'", max_size=40))
def test_signs_that_html_reserves_come_back_as_they_went_in(text: str) -> None:
    said = answer(f"<p>{escape(f'w{text}w')}</p>", "HTML") or ""
    assert unescape(said.removeprefix("<p>").removesuffix("</p>")).split() == f"w{text}w".split()


# ---------------------------------------------------------------- real notes


def test_all_fifty_seven_notes_of_acted_consultations_lose_no_word() -> None:
    assert len(NOTES) == 57
    for note in NOTES:
        rendered = render_note_content(a_document(note), source="s")
        assert_in_order(re.findall(r"[^\W_]+", re.sub(r"(?m)^\s*\d+[.)]\s", "", note)), rendered)
        assert_fit_for_cliniko(rendered, FULL_TAGS)


def test_all_fifty_seven_notes_written_as_html_lose_no_word_and_no_sign() -> None:
    for note in NOTES:
        html = "".join(f"<p>{escape(part).replace(chr(10), '<br>')}</p>" for part in note.split("\n\n"))
        rendered = render_note_content(a_document(html, "HTML"), source="s")
        assert_in_order(note.split(), rendered)
        assert shown(rendered) == "Report" + "".join(note.split())
