"""What a reader of a note sees, found without the product's own reading, after Cliniko took what it takes."""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from html import unescape

from sync_worker.convert import render_note_content
from sync_worker.model import Document
from sync_worker.sandbox.sanitiser import Html
from sync_worker.sandbox.validation import stored_content
from tests.conversion.documents import Made

NAME = "Report"
SAID = "Heidi document, session of 18 Nov 2026 10:30, ref ABCDEFGH"
FULL = {"p", "div", "br", "ul", "ol", "li", "blockquote", "h1", "h2", "b", "i", "u", "a"}
BASIC = {"div", "br"}
SHAPES = {"•", "|", "———"}
"""Signs that show a list, a table or a rule where no tag does."""

_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)((?:\s[^<>]*)?)>")
_LINE = re.compile(r"</?(?:p|div|br|ul|ol|li|blockquote|h1|h2)\b[^>]*>")
_ADDRESS = re.compile(r' href="(?:https?://|mailto:)[^"<>]*"', re.IGNORECASE)
_RAW = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def rendered(content: str, kind: str | None, *, html: str = "full", layout: str = "sections") -> list[dict[str, str]]:
    """The questions of the note as they are sent, without the Source, which must be the last one.

    AssertionError where they hold anything that Cliniko may strip, refuse or run.
    """
    document = Document("doc-1", "session-1", NAME, content, kind)
    sent = json.loads(json.dumps(render_note_content(document, source=SAID, html=html, layout=layout).as_json()))
    (section,) = sent["sections"]
    *questions, source = section["questions"]
    assert source == {"name": "Source", "type": "text", "answer": SAID}
    assert questions
    for question in questions:
        _assert_fit(question, FULL if html == "full" else BASIC)
    return questions


def stored(questions: Sequence[dict[str, str]], tags: str) -> list[dict[str, str]]:
    """The questions as an account that keeps these tags gives them back; Invalid where it refuses them."""
    kept = stored_content({"sections": [{"questions": list(questions)}]}, tags)
    assert kept is not None
    found: list[dict[str, str]] = kept["sections"][0]["questions"]
    return found


def words_of(questions: Sequence[dict[str, str]]) -> list[str]:
    """The words in reading order, without the signs that only show a shape."""
    return [word for question in questions for word in _words(question) if word not in SHAPES]


def _words(question: dict[str, str]) -> Iterator[str]:
    yield from folded(question["name"])
    text = _LINE.sub(" ", question.get("answer", ""))
    yield from folded(unescape(re.sub(r"<[^>]*>", "", text)))


def folded(text: str) -> list[str]:
    """The words of plain text."""
    return unicodedata.normalize("NFC", text).split()


def _assert_fit(question: dict[str, str], tags: set[str]) -> None:
    assert set(question) <= {"name", "type", "answer"}
    assert question["type"] == "paragraph"
    assert 1 <= len(question["name"]) <= 255
    assert not _RAW.search(question["name"] + question.get("answer", "")), "a control character"
    answer = question.get("answer", "x")
    assert folded(answer)
    for _, name, attributes in _TAG.findall(answer):
        assert name in tags, f"tag {name}"
        assert not attributes or (name == "a" and _ADDRESS.fullmatch(attributes)), f"attributes {attributes}"
    bare = _TAG.sub("", answer)
    assert "<" not in bare, "a sign that opens no tag"
    assert ">" not in bare, "a sign that closes no tag"
    assert not re.search(r"&(?!(?:amp|lt|gt|quot|#x27);)", answer), "an entity that may not be kept"


def assert_whole(document: Made, kind: str, *, html: str, layout: str) -> None:
    """The note says the document's words, in order, and nothing else, whatever the account keeps of its tags."""
    questions = rendered(document.markdown if kind == "MARKDOWN" else document.html, kind, html=html, layout=layout)
    expected = [word for word in folded(" ".join(document.words)) if word not in SHAPES]
    named = layout == "single" or document.first not in ("heading", "underlined")
    if named and not (document.first == "bold" and questions[0]["name"] != NAME):  # a line in bold may be a heading
        expected.insert(0, NAME)
    for tags in Html:
        there = words_of(stored(questions, tags))
        if html == "full" and tags is Html.LEGACY:  # without its tags, a line's last word touches the next one's first
            there, expected_there = [_run_together(there)], [_run_together(expected)]
        else:
            expected_there = expected
        assert there == expected_there, (
            f"{kind}, {html} sent, {tags.value} kept, {layout}: {difference(expected_there, there)}"
        )


def _run_together(words: Sequence[str]) -> str:
    return re.sub("|".join(map(re.escape, SHAPES)), "", "".join(words))


def difference(expected: Sequence[str], there: Sequence[str]) -> str:
    """Where two rows of words part."""
    pairs = zip(expected, there, strict=False)
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(expected), len(there)))
    before, then = list(expected[max(same - 3, 0) : same]), slice(same, same + 4)
    return f"after {before}: {list(expected[then])} became {list(there[then])}"
