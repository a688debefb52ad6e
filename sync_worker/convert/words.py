"""Words: what is compared when two texts should say the same.

Owns how text is cleaned of what no reader sees, how white space is folded, and how a note's stored HTML is read back
as words. Refuses to judge meaning: capitals, punctuation and order count, layout does not.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from html import unescape
from html.parser import HTMLParser
from typing import Any, Literal

from sync_worker.model import NoteContent

BLOCK_TAGS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "legend",
        "li",
        "main",
        "nav",
        "ol",
        "optgroup",
        "option",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
"""Tags that end a line: the words on either side of one are two words. `br` does too, but holds nothing."""

SURE_LETTERS = 40
"""A text of fewer letters may stand in another note by chance."""

LONG_LETTERS = 20
"""A text of so many letters stands in a note because it was pasted there."""

MAX_ACCENTS = 64
"""Signs on one letter. Putting them in order takes time with the square of their number: 50 000 take a minute."""

# A superset of the characters that combine with the one before them: quick to find, and rarely so many together.
_PILED = re.compile(rf"([^\w\s\x00-\u02ff]{{{MAX_ACCENTS}}})")
_SPACES = re.compile(r"[\s\u180e\u200b-\u200d\u2060\ufeff]+")
# U+FDD0..U+FDEF are set aside by Unicode for a program's own use; html_source.py marks bold and line ends with them.
_UNREADABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_NOT_READABLE = re.compile(f"{_SURROGATES.pattern}|{_LINE_ENDS.pattern}|{_UNREADABLE.pattern}|[\x0b\x0c]")
# HTML as cliniko_html.py writes it: its tags, spelt its way, and no "<", ">" or "&" that is not one of its own.
_PLAIN_TAG = r"<(?:/?(?:p|div|ul|ol|li|blockquote|h1|h2|b|i|u|a)|br|a href=\"[^\"<>]*+\")>"
_PLAIN_HTML = re.compile(rf"(?:[^<>&]++|&(?:amp|lt|gt|quot|\#x27);|{_PLAIN_TAG})*+")
_PLAIN_MARK = re.compile(r"</?[biua](?: [^<>]*+)?>")
_PLAIN_LINE = re.compile(r"<[^<>]++>")


def readable(text: str) -> str:
    """The text without control characters and noncharacters, with "\\n" as its only line end.

    Half of a surrogate pair, which JSON can carry and UTF-8 cannot, becomes the replacement character.
    """
    if not _NOT_READABLE.search(text):  # most texts, and this is asked of every span
        return text
    text = _SURROGATES.sub("\ufffd", text)
    text = _LINE_ENDS.sub("\n", text.replace("\x0b", "\n").replace("\x0c", "\n"))
    return _UNREADABLE.sub("", text)


def normalised(text: str, form: Literal["NFC", "NFKC"] = "NFC") -> str:
    """The text in a normal form of Unicode; of a pile of more than MAX_ACCENTS each so many are put in order alone."""
    return "".join(unicodedata.normalize(form, piece) for piece in _PILED.split(text))


def fold(text: str) -> str:
    """The text in NFC, every run of white space (no-break and zero-width ones too) as one space."""
    if text.isascii():
        return " ".join(text.split())
    return _SPACES.sub(" ", normalised(text)).strip()


def canonical_text(content: Mapping[str, Any] | NoteContent | None) -> str:
    """The words of a note's content, in order: the names of its questions and their answers.

    Takes what we mean to send and what Cliniko returns, and gives the same text for both, although Cliniko
    normalises entities and drops attributes, line ends and tags that it does not permit (its "Treatment notes" page).
    None has no words.
    """
    return fold(" ".join(part for name, answers in _questions(content) for part in (name, *answers)))


SOURCE = "Source"
"""The question that tells where a note comes from: ours, not the document's."""


def answers_of(content: Mapping[str, Any] | NoteContent | None) -> list[str]:
    """What a note says without the names of its questions: each answer's words, but for the one that tells its source.

    A practice's template has names and an order of its own, so that notes are compared without them.
    """
    return [fold(" ".join(said)) for name, said in _questions(content) if name != SOURCE and any(said)]


def holds(content: Mapping[str, Any] | None, texts: Sequence[str]) -> bool:
    """Whether a note that somebody pasted says all these texts of a document, letter for letter.

    Letters and digits count, nothing else, and the texts' order, unless enough of them are long. A document too short
    to be sure of has to be the whole of the note.
    """
    wanted = [_letters(text) for text in texts]
    there = _letters(" ".join(answers_of(content)))
    if sum(map(len, wanted)) < SURE_LETTERS:
        return bool(there) and there == "".join(wanted)
    if sum(len(text) for text in wanted if len(text) >= LONG_LETTERS) >= SURE_LETTERS:
        return all(text in there for text in wanted)
    position = 0
    for text in wanted:
        found = there.find(text, position)
        if found < 0:
            return False
        position = found + len(text)
    return True


def _letters(text: str) -> str:
    return "".join(character for character in normalised(text, "NFKC").casefold() if character.isalnum())


def _questions(content: Mapping[str, Any] | NoteContent | None) -> list[tuple[str, list[str]]]:
    """Each question's name, and what was answered."""
    if content is None:
        return []
    stored = content.as_json() if isinstance(content, NoteContent) else content
    return [(unescape(str(question.get("name") or "")), _answers(question)) for question in stored_questions(stored)]


def stored_questions(content: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The questions of a note as Cliniko holds it. What is not as its reference describes is left out."""
    sections = _dicts((content or {}).get("sections"))
    return [question for section in sections for question in _dicts(section.get("questions"))]


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _answers(question: Mapping[str, Any]) -> list[str]:
    """What was answered: a text, or the values of the boxes that are ticked."""
    answer = str(question.get("answer") or "")
    said = [unescape(answer) if question.get("type") == "text" else html_words(answer)]
    other = question.get("other")
    boxes = [*_dicts(question.get("answers")), *([other] if isinstance(other, Mapping) else [])]
    return said + [unescape(str(box.get("value") or "")) for box in boxes if box.get("selected")]


def html_words(html: str) -> str:
    """The words of an HTML answer; tags that end a line count as white space, the others as nothing."""
    if _PLAIN_HTML.fullmatch(html):  # our own, and most of what Cliniko gives back: no need of a parser
        return fold(unescape(_PLAIN_LINE.sub(" ", _PLAIN_MARK.sub("", html))))
    return _parsed_words(html)


def _parsed_words(html: str) -> str:
    """The same for any HTML, read as a browser would."""
    reader = _Words()
    reader.feed(html)
    reader.close()
    return fold("".join(reader.parts))


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag == "br" or tag in BLOCK_TAGS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in BLOCK_TAGS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def carries(text: str, words: Sequence[str]) -> bool:
    """Whether all `words` stand in `text`, in this order; text may say more, and may break a word over two lines.

    The earliest fit of each word leaves the most room for the rest, so one pass decides.
    """
    haystack = "".join(fold(text).split())
    position = 0
    for word in words:
        found = haystack.find(word, position)
        if found < 0:
            return False
        position = found + len(word)
    return True
