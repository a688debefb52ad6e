"""A document's note as the terminal shows it: exactly what would be sent, and nothing in it acts on the terminal.

Owns the way from a note's content to rows of text. Prints what it is given; asks for nothing and stores nothing.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from sync_worker.advice import ADVICE
from sync_worker.convert.words import readable
from sync_worker.lifecycle import WAITS_ON
from sync_worker.model import Note, Patient, Question
from sync_worker.preview import Preview
from sync_worker.records import Reason, WaitsOn
from sync_worker.web.words import named

WAITING: Mapping[str, str] = {
    "settling": "The next tick would wait: the text has not rested long enough.",
    "posting": "It is being sent, or was when a worker stopped.",
    "in_doubt": "Nobody knows yet whether its note is in Cliniko: the worker looks, and sends nothing meanwhile.",
}
SKIPPED: Mapping[str, str] = {
    "already_filed": "It is filed. Below is what its document gives now; the note in Cliniko may say something else.",
    "withdrawn": "It was filed, and a person took the note back. Below is what its document gives now.",
    Reason.ROUTE: "It is not filed: a route in clinic.toml says so.",
    Reason.BEFORE_START: "It is left alone: its session is older than this service's start.",
    Reason.DISMISSED: "It is not filed: a person decided so.",
    Reason.GONE: "It had gone from Heidi, or was blank, and is there again: the next tick would look at it anew.",
}
GONE: Mapping[str, str] = {
    Reason.SOURCE_GONE: "Heidi has the session no more, so there is nothing to show.",
    Reason.GONE: "Heidi has the document no more, or it is blank now: there is nothing to show.",
}

NOT_CARRIED: Mapping[str, str] = {
    "too_large": "it is larger than a note may be",
    "too_deep": "its lists, quotes or tags stand too deep within each other",
    "words_lost": "not every word of it would arrive",
}
BOXES: Mapping[str, str] = {"checkboxes": "[ ] ", "radiobuttons": "( ) "}

LABEL = 10
"""Columns for the name of a fact."""
WIDEST = 100
"""Columns used of a wide terminal: longer lines are hard to read."""
NARROWEST = 10
"""Columns that are left for text in the deepest list."""

STYLES = {"b": "bold", "i": "italic", "u": "underline", "h1": "bold", "h2": "bold"}
BLOCKS = frozenset({"p", "div", "blockquote", "h1", "h2", "ul", "ol"})

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that turn the order of what stands after them: a dose could read backwards. They are shown by number."""
_JOINERS = frozenset("\u200c\u200d")
"""Signs that nobody sees, and that some scripts need."""
_NOT_PLAIN = re.compile(r"[^ -~]")


def show_previews(previews: Iterable[Preview]) -> None:
    """Print documents' notes, one below the other."""
    console = Console()
    for preview in previews:
        console.print(PreviewView(preview), crop=False)  # a cut word would be a lost one


def preview_json(preview: Preview) -> dict[str, Any]:
    """One preview for a program: what would be sent, word for word."""
    note = preview.note
    return {
        "entry": preview.entry_id,
        "title": preview.title,
        "patient_id": preview.patient_id,
        "draft": note.draft if note else None,
        "content": note.content.as_json() if note else None,
        "action": preview.planned.action,
        "reason": preview.planned.reason,
    }


def visible(text: str) -> str:
    """The text on one line as a terminal may show it.

    Control characters and what nobody sees are left out; signs that turn the reading order are shown by number.
    """
    return _NOT_PLAIN.sub(lambda found: _visible_character(found[0]), readable(text))


def _visible_character(character: str) -> str:
    if character in _BIDI:
        return f"⟨U+{ord(character):04X}⟩"
    match unicodedata.category(character):
        case "Cc" | "Zl" | "Zp":
            return " " if character.isspace() else ""
        case "Cf":
            return character if character in _JOINERS else ""
    return character


# ---------------------------------------------------------------- a document


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, and what stands before its first row and its others."""

    text: Text
    first: str = ""
    rest: str = ""


class PreviewView:
    """One document: what a tick would do, for whom, and its note, set apart by a bar."""

    def __init__(self, preview: Preview, *, widest: int = WIDEST) -> None:
        self._preview = preview
        self._widest = widest

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As rows, no wider than the terminal."""
        bar, width = "| " if options.ascii_only else "│ ", min(options.max_width, self._widest)
        yield Segment.line()
        for line in _about(self._preview):
            yield from _rows(line, console, width)
        if self._preview.note is not None:
            yield Segment.line()
            for line in _note_lines(self._preview.note):
                yield from _rows(line, console, width, bar)


def _rows(line: Line, console: Console, width: int, bar: str = "") -> Iterator[Segment]:
    """A line in as many rows as it needs."""
    most = max(width - len(bar) - NARROWEST, 0)
    mark, rest = _last(most, line.first), _last(most, line.rest)
    room = max(width - len(bar) - len(mark), 1)
    for row in line.text.wrap(console, room, overflow="fold", no_wrap=False) or [Text()]:
        row.rstrip()
        before = bar + mark
        yield Segment(before if row.plain else before.rstrip(), Style(dim=bool(bar)))
        yield from row.render(console)
        yield Segment.line()
        mark = rest


def _last(most: int, mark: str) -> str:
    """As much of a mark as there is room for."""
    return mark[max(len(mark) - most, 0) :]


def _about(preview: Preview) -> Iterator[Line]:
    planned, note = preview.planned, preview.note
    name = f"Entry {preview.entry_id}" if preview.entry_id is not None else "No entry yet"
    yield Line(
        Text.assemble((name, "bold"), f", session …{planned.session_id[-8:]}, document …{planned.document_id[-8:]}")
    )
    yield _fact("Now", _now(preview))
    if preview.note_id:
        yield _fact("Filed as", f"note {preview.note_id}")
    if preview.title is None:
        return
    yield _fact("Patient", _addressee(preview))
    if note is None:
        yield _fact("Title", preview.title)
        advice = "" if planned.reason == Reason.NOT_CARRIED else f" {ADVICE[Reason.NOT_CARRIED]}"
        why = NOT_CARRIED.get(preview.code or "", "it cannot be carried")
        yield _fact("Note", f"none: {why}.{advice} The document has {preview.characters:,} characters.")
        return
    template = f', in the template "{preview.template}"' if preview.template else ""
    yield _fact("Note", ("a draft" if note.draft else "final, no draft") + template)


def _fact(name: str, said: str) -> Line:
    return Line(Text(visible(said)), f"  {name:<{LABEL}}", " " * (LABEL + 2))


def _now(preview: Preview) -> str:
    """What the next tick would do."""
    reason = preview.planned.reason or ""
    if preview.title is None:
        wish = " Dismiss it if that was meant." if preview.planned.action == "review" else ""
        return GONE.get(reason, GONE[Reason.GONE]) + wish  # it may have gone since it was planned
    match preview.planned.action:
        case "post":
            return "The next tick would file it."
        case "review":
            return f"A person decides ({reason}). {ADVICE[Reason(reason)]}"
        case "wait":
            return WAITING[reason]
    return SKIPPED.get(reason, f"It is not filed ({reason}).")


def _addressee(preview: Preview) -> str:
    """Whom it would be filed on, or why on nobody."""
    if preview.nobody is not None:
        told = preview.planned.action == "review" and preview.planned.reason == preview.nobody
        return "nobody yet" if told else f"nobody yet ({preview.nobody}). {ADVICE[preview.nobody]}"
    if preview.patient is None:
        return f"chart {preview.patient_id}, which Cliniko does not show"
    by_now = f". It fits by now: `sync-worker review retry {preview.entry_id}` files it there."
    return _chart(preview.patient) + (by_now if _fits_by_now(preview) else "")


def _fits_by_now(preview: Preview) -> bool:
    """Whether the entry waits for a patient, and there is one."""
    if preview.planned.action != "review" or preview.note_id or preview.entry_id is None:
        return False
    return WAITS_ON.get(Reason(preview.planned.reason or "")) is WaitsOn.DESK


def _chart(patient: Patient) -> str:
    told = [named(patient), f"chart {patient.patient_id}"]
    if patient.merged_into:
        told.append(f"merged into {patient.merged_into}")
    elif patient.archived:
        told.append("archived")
    return ", ".join(told)


# ---------------------------------------------------------------- its note


def _note_lines(note: Note) -> Iterator[Line]:
    yield Line(Text(visible(note.title), "bold"))
    for section in note.content.sections:
        if section.name:
            yield from (Line(Text()), Line(Text(f"── {visible(section.name)} ──", "bold")))
        if section.description:
            yield Line(Text(visible(section.description), "dim"))
        for question in section.questions:
            yield from (Line(Text()), Line(Text(visible(question.name), "bold")))
            yield from _answer(question)


def _answer(question: Question) -> Sequence[Line]:
    """What stands under a question: its answer if it has one, or what the clinician may tick."""
    if question.kind != "paragraph":
        other = ["other:"] if question.has_other else []
        box = BOXES.get(question.kind, "")
        ticks = [_said(visible(choice or ""), box) for choice in (*question.choices, *other)]
        return [*ticks, *([_said(visible(question.answer))] if question.answer else [])]
    reader = _AnswerReader()
    reader.feed(question.answer or "")
    reader.close()
    return reader.end()


def _said(text: str, mark: str = "") -> Line:
    return Line(Text(text), f"  {mark}", "  " + " " * len(mark))


class _Frame:
    """A quote, or an item of a list: what stands before its first line, and before each other one."""

    def __init__(self, first: str, rest: str) -> None:
        self.rest = rest
        self._next = first

    def mark(self) -> str:
        mark, self._next = self._next, self.rest
        return mark


class _AnswerReader(HTMLParser):
    """Reads the HTML of an answer into lines. Knows the tags that Cliniko permits; others stand for nothing."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[Line] = []
        self._text = Text()
        self._styles: list[str] = []
        self._frames: list[_Frame] = []
        self._numbers: list[int | None] = []
        self._gap: str | None = None
        """What stands before the empty line that the next block is due; None where none is."""

    def end(self) -> list[Line]:
        """All lines, after the last of the HTML was fed."""
        self._end_line()
        return self._lines

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._end_line(even_if_empty=True)
        elif tag == "li":
            self._end_line()
            self._frames.append(self._item())
        elif tag in BLOCKS:
            self._begin_block()
            if tag == "blockquote":
                self._frames.append(_Frame("> ", "> "))
            elif tag in ("ul", "ol"):
                self._numbers.append(0 if tag == "ol" else None)
        if tag in STYLES:
            self._styles.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._styles:
            self._styles.remove(tag)
        if tag == "li" or tag in BLOCKS:
            self._end_line()
        if tag in ("li", "blockquote") and self._frames:
            self._frames.pop()
        elif tag in ("ul", "ol") and self._numbers:
            self._numbers.pop()
        if tag in BLOCKS:
            self._begin_block()

    def handle_data(self, data: str) -> None:
        self._text.append(visible(data), " ".join(STYLES[tag] for tag in self._styles))

    def _item(self) -> _Frame:
        number = self._numbers[-1] if self._numbers else None
        if number is None:
            return _Frame("• ", "  ")
        self._numbers[-1] = number + 1
        mark = f"{number + 1}. "
        return _Frame(mark, " " * len(mark))

    def _begin_block(self) -> None:
        """Blocks stand apart from each other, but for those within a list."""
        self._end_line()
        before = self._marks()
        if self._lines and not self._numbers and (self._gap is None or len(before) < len(self._gap)):
            self._gap = before

    def _end_line(self, *, even_if_empty: bool = False) -> None:
        text, self._text = self._text, Text()
        if not (text.plain or even_if_empty):
            return
        if self._gap is not None:
            self._lines.append(Line(Text(), self._gap, self._gap))
            self._gap = None
        first = "".join(frame.mark() for frame in self._frames)
        self._lines.append(_indented(text, f"  {first}", self._marks()))

    def _marks(self) -> str:
        return "  " + "".join(frame.rest for frame in self._frames)


def _indented(text: Text, first: str, rest: str) -> Line:
    """A line whose own indentation (no-break spaces) holds for all of its rows."""
    indent = len(text.plain) - len(text.plain.lstrip("\u00a0"))
    room = " " * indent
    return Line(text[indent:], first + room, rest + room)
