"""The short form of the proof that no word is lost, and that the proof itself would notice."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sync_worker.convert import render_note_content
from sync_worker.model import Document, NoteContent
from tests.conversion import hostile, reading
from tests.conversion.documents import Entry, Made, Part, Piece, documents, heading, listing, made, paragraph, table
from tests.conversion.notes import NOTES, as_html, as_markdown, laid_out
from tests.conversion.reading import assert_whole

WAYS = [("full", "sections"), ("basic", "single")]


@settings(max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(documents())
@pytest.mark.parametrize("kind", ["MARKDOWN", "HTML"])
def test_a_document_of_any_structure_keeps_every_word(kind: str, document: Made) -> None:
    for html, layout in WAYS:
        assert_whole(document, kind, html=html, layout=layout)


@pytest.mark.parametrize(("html", "layout"), WAYS)
@pytest.mark.parametrize(
    ("written", "kind"), [(as_markdown, "MARKDOWN"), (as_html, "HTML"), (laid_out, "MARKDOWN"), (laid_out, "HTML")]
)
def test_no_word_of_the_57_published_notes_is_lost_however_they_are_laid_out(
    written: Callable[[str], Made], kind: str, html: str, layout: str
) -> None:
    assert len(NOTES) == 57
    for note in NOTES:
        assert_whole(written(note), kind, html=html, layout=layout)


def test_the_57_notes_are_laid_out_with_headings_lists_and_tables() -> None:
    everything = "\n".join(laid_out(note).markdown for note in NOTES)
    assert all(sign in everything for sign in ("\n## ", "\n- ", "\n1. ", "| ---|--- |"))


@pytest.mark.proof
@pytest.mark.parametrize("tens", range(10))
def test_three_hundred_documents_that_nobody_would_write_are_filed_harmlessly_or_refused(tens: int) -> None:
    ends = {hostile.outcome(seed) for seed in range(tens * 30, tens * 30 + 30)}
    assert ends == {"filed", "refused"}


# ---------------------------------------------------------------- the proof would notice


def _line(text: str) -> list[Piece]:
    return [Piece(tuple(text.split()))]


PLAIN = made(
    [
        heading(_line("Plan"), 2),
        paragraph([_line("no pain"), _line("ROM <90")]),
        listing([Entry((tuple(_line("rest")),))]),
    ]
)
DAMAGE: Mapping[str, tuple[str, str]] = {
    "a lost word": ("no pain", "pain"),
    "a word too many": ("no pain", "no no pain"),
    "another word": ("pain", "pains"),
    "two words in the wrong order": ("no pain", "pain no"),
    "two words joined": ("no pain", "nopain"),
    "two lines joined": ("pain<br>ROM", "painROM"),
    "a word in two": ("pain", "pa in"),
    "a lost sign": ("&lt;90", "90"),
    "a sign that is no entity": ("&lt;90", "<90"),
    "a tag that is not kept": ("no", "<em>no</em>"),
    "an attribute": ("<ul>", "<ul class='x'>"),
    "a script's address": ("rest", '<a href="javascript:1">rest</a>'),
    "a raw line end": ("<br>", "\n"),
    "a word in the wrong answer": ("Plan", "Plan no"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_proof_notices(damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = DAMAGE[damage]

    def damaged(document: Document, **options: Any) -> NoteContent:
        right = render_note_content(document, **options)
        (section,) = right.as_json()["sections"]
        for question in section["questions"]:
            question["name"] = question["name"].replace(old, new)
            question.update({"answer": question["answer"].replace(old, new)} if "answer" in question else {})
        assert section != right.as_json()["sections"][0]
        return _Said({"sections": [section]})  # type: ignore[return-value]

    assert_whole(PLAIN, "MARKDOWN", html="full", layout="sections")
    monkeypatch.setattr(reading, "render_note_content", damaged)
    with pytest.raises(AssertionError):
        assert_whole(PLAIN, "MARKDOWN", html="full", layout="sections")


class _Said:
    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def as_json(self) -> dict[str, Any]:
        return self._content


def test_the_words_of_a_table_are_those_of_the_documented_form() -> None:
    part: Part = table([("Test:",), ("L",), ()], [(("Hop",), ("5/5", "pain"), ()), ((), (), ("late",))])
    assert " ".join(part.words) == "Test: L Test: Hop; L: 5/5 pain late"
