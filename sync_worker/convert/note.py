"""A Heidi document becomes a note's title and content.

Owns the reference that ties a note to its document, the title, and how a document's headings become a note's
questions; the other modules of this package do the steps between. Refuses to cut:
a document either keeps every word or raises `ConversionError`, and a person decides.

Pure: nothing is read or written, and the same document gives the same note for ever.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime

from sync_worker.convert.cliniko_html import Html, answer_html
from sync_worker.convert.html_source import HtmlSource
from sync_worker.convert.layout import Answered, Laid, lay_out
from sync_worker.convert.markdown_source import source_words, structure_of
from sync_worker.convert.parts import Part, parts_of
from sync_worker.convert.structure import Block, Paragraph, Span, blocks_text, lines_text
from sync_worker.convert.words import BLOCK_TAGS, SOURCE, carries, fold, html_words, normalised, readable
from sync_worker.errors import ConversionError
from sync_worker.model import Document, NoteContent, Question, Section, Template

MAX_NAME = 255
"""Characters in a note's title and in the name of a question (Cliniko's "Treatment notes" page says so of names)."""

MAX_TEXT = 1_000_000
"""Characters of Markdown or of cleaned HTML: some 300 close pages. The slowest of that size take a few seconds
(docs/performance.md), with the other limits of this package."""

MAX_HTML = 2_000_000
"""Characters of HTML as it comes: word processors wrap a page of text in ten of styles."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNNAMED = "Document"

_BLOCK_NAMES = "|".join(sorted(BLOCK_TAGS | {"body", "html"}))
_INLINE_NAMES = "a|b|br|code|del|em|font|i|img|ins|s|small|span|strike|strong|sub|sup|u"
_STARTS_WITH_BLOCK = re.compile(rf"\s*<(?:!doctype\s+html|(?:{_BLOCK_NAMES})(?:\s[^<>]*)?/?)>", re.IGNORECASE)
_BLOCK_END = re.compile(rf"</(?:{_BLOCK_NAMES})\s*>", re.IGNORECASE)
_INLINE_END = re.compile(rf"</(?:{_INLINE_NAMES})\s*>", re.IGNORECASE)
_ANY_TAG = re.compile(rf"</?(?:{_BLOCK_NAMES}|{_INLINE_NAMES})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_NOTHING_TO_SEE = re.compile(
    r"<[^<>]*>|&(?:nbsp|zwnj|zwj|ensp|emsp|thinsp|#160|#xa0);|[\s\u200b-\u200f\u2060\ufeff]+", re.IGNORECASE
)
_MARKDOWN_BLOCK = re.compile(r"^ {0,3}(?:#{1,6} |[-*] |\d{1,9}[.)] |\*\*)", re.MULTILINE)
_FENCED_WHOLE = re.compile(r"\s*(`{3,}|~{3,})[ \t]*(markdown|md|html)?[ \t]*\n(.*)\n\1\s*", re.DOTALL | re.IGNORECASE)


# ---------------------------------------------------------------- title, source


def note_title(*, template: str, document_name: str, session_date: date, reference: str) -> str:
    """A note's title: the route's title, the session's date and the reference, at most 255 characters.

    `template` may hold "{document}" and "{date}", and nothing else in it is special. Only the name is shortened;
    the date and the reference, by which the note is found again, never are.
    """
    day = f"{session_date.day} {_MONTHS[session_date.month - 1]} {session_date.year}"
    ending = f" · {day} · ref {reference}"
    name = _one_line(document_name) or _UNNAMED
    room = MAX_NAME - len(ending)
    copies = max(template.count("{document}"), 1)
    frame = len(_filled(template, document="x", day=day)) - copies
    shortened = _shortened(name, max((room - frame) // copies, 1))
    title = _filled(template, document=shortened, day=day) or shortened
    return _shortened(title, room) + ending


def source_line(*, session_at: datetime, reference: str) -> str:
    """The one line that says where a note comes from. `session_at` is aware, in the practice's own zone."""
    if session_at.utcoffset() is None:
        raise ValueError("session_at has no time zone")
    day = f"{session_at.day} {_MONTHS[session_at.month - 1]} {session_at.year}"
    return f"Heidi document, session of {day} {session_at:%H:%M}, ref {reference}"


def _filled(template: str, *, document: str, day: str) -> str:
    values = {"{document}": document, "{date}": day}
    return _one_line(re.sub(r"\{(?:document|date)\}", lambda hole: values[hole[0]], template))


def _one_line(text: str) -> str:
    return " ".join(readable(text).split())


def _shortened(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    return text[: _cut(text, room - 1)].rstrip() + "…"


def _cut(text: str, room: int) -> int:
    """Where to cut, at most `room` characters in, without parting a letter from its accents or joined signs."""
    position = room
    while position > room // 2 and (
        unicodedata.combining(text[position]) or "\u200d" in text[position - 1 : position + 1]
    ):
        position -= 1
    return position


# ---------------------------------------------------------------- the note


def render_note_content(
    document: Document,
    *,
    source: str,
    layout: str = "sections",
    html: str = "full",
    template: Template | None = None,
) -> NoteContent:
    """A document as a note's content: one paragraph question per heading, and `source` under "Source".

    `layout` is "sections" or "single" (all in one question); `html` is "full" or "basic", as in `CLINIKO_HTML`. A
    heading's text is the question's name, word for word; what stands before the first heading goes under the
    document's name. With a `template`, "sections" lays the headings into its sections and questions (layout.py).

    Raises ConversionError with code "too_large" (past MAX_TEXT, or MAX_HTML before cleaning), "too_deep" (past 64
    tags or blocks within each other) or "words_lost" (what was rendered does not carry every word of the document).
    """
    words, blocks = _read(document)
    name = _one_line(document.name) or _UNNAMED
    parts = parts_of(blocks, name) if layout == "sections" else [Part(name, 0, blocks)]
    if not carries(" ".join(f"{part.name} {blocks_text(part.blocks)}" for part in parts), words.split()):
        raise ConversionError("words_lost")
    origin = Question(SOURCE, "text", _one_line(source))
    if template is None or layout != "sections":
        answered = [Answered(Question(_one_line(part.name)), part) for part in parts]
        return NoteContent((Section((*_questions(answered, Html(html)), origin)),))
    sections = lay_out(parts, template)
    _require_every_part(parts, sections)
    laid = [Section(_questions(one.questions, Html(html)), one.name, one.description) for one in sections]
    return NoteContent((*laid, Section((origin,))))


def _require_every_part(parts: list[Part], sections: list[Laid]) -> None:
    laid = [part for one in sections for part in (*one.said, *(each.part for each in one.questions if each.part))]
    if Counter(map(id, laid)) != Counter(id(part) for part in parts if part.level or not part.is_blank):
        raise ConversionError("words_lost")


def _questions(answered: Iterable[Answered], html: Html) -> tuple[Question, ...]:
    return tuple(_question(one, html) for one in answered)


def _question(answered: Answered, html: Html) -> Question:
    """A question with its answer, which carries every word of its part, and its heading where the name is another."""
    asked = answered.question
    name, rest = _split_name(asked.name)
    if answered.part is None:
        return replace(asked, name=name)
    said = (*(() if answered.names_it else _bold(answered.part.name)), *answered.part.blocks)
    if asked.kind == "text" and (line := _plain_line(said)):
        return replace(asked, answer=line)
    answer = answer_html((*_bold(rest), *said), html=html)
    words = html_words(answer)
    # Cliniko may write entities in names, and canonical_text reads them; these names hold none.
    if not carries(f"{name} {words}", fold(f"{asked.name} {blocks_text(said)}").split()):
        raise ConversionError("words_lost")
    kind = "paragraph" if words else asked.kind
    return replace(asked, name=name, kind=kind, answer=answer if words else None)


def _bold(text: str) -> tuple[Block, ...]:
    return (Paragraph(((Span(text, bold=True),),)),) if text else ()


def _plain_line(blocks: tuple[Block, ...]) -> str:
    """The one line that the blocks are, if they are no more than that: Cliniko takes nothing else as a text answer."""
    match blocks:
        case [Paragraph(lines=[line])] if not any(span.href or span.bold or span.italic for span in line):
            text = lines_text((line,))
            return text if len(text) <= MAX_NAME and not re.search("[<>&]", text) else ""
    return ""


def _split_name(name: str) -> tuple[str, str]:
    """A name that Cliniko takes, and what did not fit into it."""
    if len(name) <= MAX_NAME:
        return name, ""
    space = name.rfind(" ", 0, MAX_NAME + 1)
    position = space if space > 0 else _cut(name, MAX_NAME)
    return name[:position], name[position:].strip()


def document_text(document: Document) -> str:
    """The words of a document as its reader sees them, with white space folded; empty where there are none.

    Raises ConversionError as `render_note_content` does.
    """
    return _read(document)[0]


def document_texts(document: Document) -> list[str]:
    """What stands under each heading of a document, without the headings. Raises ConversionError as above."""
    return [text for part in parts_of(_read(document)[1], "") if (text := blocks_text(part.blocks))]


def has_words(document: Document) -> bool:
    """Whether there is anything to file: markup and characters that nobody sees are not."""
    if _NOTHING_TO_SEE.sub("", document.content):
        return True
    try:
        return bool(document_text(document))
    except ConversionError:
        return True  # what cannot be read is not nothing: a person looks


def reads_as_html(document: Document) -> bool:
    """Whether a document is HTML, as it is read here: by its content, whatever its label says."""
    return _is_html(readable(document.content).removeprefix("\ufeff"), document.content_type)


# ---------------------------------------------------------------- reading the document


def _read(document: Document) -> tuple[str, tuple[Block, ...]]:
    """The words of a document, and its structure; raises ConversionError."""
    content = readable(document.content).removeprefix("\ufeff")
    content = _unwrapped(content)
    if len(content) > MAX_HTML:
        raise ConversionError("too_large")
    try:
        return _read_html(content) if _is_html(content, document.content_type) else _read_markdown(content)
    except RecursionError:  # the limits leave room, but not beneath a caller's own deep stack
        raise ConversionError("too_deep") from None


def _unwrapped(content: str) -> str:
    """The content without the fence of a model that wrapped its whole answer as if it were code."""
    whole = _FENCED_WHOLE.fullmatch(content)
    if whole is None:
        return content
    fence, label, inner = whole.groups()
    # Without a label, a fence further on tells that there are two blocks of code, one at either end.
    return inner if label or f"\n{fence}" not in f"\n{inner}" else content


def _read_html(content: str) -> tuple[str, tuple[Block, ...]]:
    page = HtmlSource(content, limit=MAX_TEXT)
    return page.words, structure_of(page.markdown(), dictated=False)


def _read_markdown(content: str) -> tuple[str, tuple[Block, ...]]:
    if len(content) > MAX_TEXT:
        raise ConversionError("too_large")
    blocks = structure_of(content, dictated=True)
    words = blocks_text(blocks)
    if not carries(words, source_words(normalised(content))):
        raise ConversionError("words_lost")
    return words, blocks


def _is_html(content: str, content_type: str | None) -> bool:
    """Which of the two formats it is: by its content, as the label may be missing or wrong.

    A few tags within Markdown do not make it HTML: as HTML its lines would run together, as Markdown its tags are
    merely read as text.
    """
    label = (content_type or "").upper()
    if label == "HTML":
        return _ANY_TAG.search(content) is not None
    if _STARTS_WITH_BLOCK.match(content):
        return True
    ends = _BLOCK_END.search(content) or (_INLINE_END.search(content) if not label else None)
    return ends is not None and not _MARKDOWN_BLOCK.search(content)
