"""Turns a clinician's plain note into the rich document that a scribe would have made of it.

Owns the rewriting of the notes in data/ (headings from their own labels, lists, tables, lines of physiotherapy) and its
two spellings, Markdown and HTML, with what is known of Heidi's documents (escapes, entities, no-break spaces, inline
style, a heading glued to its list). It refuses to drop or change a word: a document's words are kept beside its text,
taken before it is spelled. Everything is decided by the note's number, nothing by chance.
"""

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from itertools import groupby


class Markup(StrEnum):
    """How a document is spelled; the values are Heidi's `content_type`."""

    MARKDOWN = "MARKDOWN"
    HTML = "HTML"


@dataclass(frozen=True, slots=True)
class RawNote:
    """One note of the data set, as its clinician typed it."""

    note_id: str
    complaint: str
    text: str


@dataclass(frozen=True, slots=True)
class RichDocument:
    """What became of a note: its text in one markup, and its words in reading order."""

    content: str
    markup: Markup
    words: tuple[str, ...]


def raw_notes() -> tuple[RawNote, ...]:
    """Read the 57 notes of PriMock57 (CC BY 4.0, see data/README.md), in the order of the file."""
    lines = files("sync_worker.sandbox").joinpath("data/primock57_notes.jsonl").read_text("utf-8").splitlines()
    read = (json.loads(line) for line in lines)
    return tuple(RawNote(row["id"], row["presenting_complaint"], row["note"]) for row in read)


def rewrite(note: RawNote, *, number: int, name: str) -> RichDocument:
    """Make a rich document called `name` out of a note; its number decides which shapes and which markup."""
    blocks = tuple(_blocks(note, number=number, name=name))
    # Not by parity: then every table and every added line would meet the same markup.
    markup = Markup.HTML if number % 4 in (1, 2) else Markup.MARKDOWN
    content = _as_html(blocks, number) if markup is Markup.HTML else _as_markdown(blocks, number)
    return RichDocument(content, markup, tuple(word for block in blocks for word in _words(block)))


# ---------------------------------------------------------------- the shape of a document


@dataclass(frozen=True, slots=True)
class _Heading:
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """Lines that stay lines. `lead` is set in bold before the first, `quiet` sets the whole in italics."""

    lines: tuple[str, ...]
    lead: str = ""
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class _Item:
    text: str
    inner: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Items:
    """A list; numbered from `first` where that is set."""

    items: tuple[_Item, ...]
    first: int | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """Two columns; the first row holds their names."""

    rows: tuple[tuple[str, str], ...]


_Block = _Heading | _Paragraph | _Items | _Table


def _words(block: _Block) -> list[str]:
    match block:
        case _Heading(text=text):
            said: Sequence[str] = (text,)
        case _Paragraph(lines=lines, lead=lead):
            said = (lead, *lines)
        case _Items(items=items):
            said = [text for item in items for text in (item.text, *item.inner)]
        case _Table(rows=rows):
            said = [cell for row in rows for cell in row]
    return " ".join(said).split()


# ---------------------------------------------------------------- from the note's own labels

_LABEL = re.compile(
    r"(?P<label>PMHx and FH|PMHx?|PSH|DHx?|SHx?|FHx?|FMHx?|HPC|PC|ICE|History|Hx|O?Ex|Examination|Imp|DDx|Diagnosis"
    r"|Plans?|Pln|Treatment|Past medical history|Medical history|Medications?|Allergies|Risk factors|Safety netting)"
    r"(?:(?:\s*[:;.]|\s+-|-(?=\s))\s*(?P<rest>.*)|$)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(\d+)[.)]\s+(.*)")
_DASHED = re.compile(r"-\s+(.*)")
_BACKGROUND = frozenset(
    (
        *("pmh", "pmhx", "psh", "dh", "dhx", "sh", "shx", "fh", "fhx", "fmh", "fmhx", "allergies", "medication"),
        *("medications", "pmhx and fh", "past medical history", "medical history"),
    )
)
_SHORT_LINE = 60


@dataclass(frozen=True, slots=True)
class _Part:
    """What the note says under one of its labels; no label for what comes before the first."""

    label: str
    lines: tuple[str, ...]

    @property
    def is_background(self) -> bool:
        return self.label.casefold() in _BACKGROUND and 0 < len([line for line in self.lines if line]) <= 2


def _blocks(note: RawNote, *, number: int, name: str) -> Iterator[_Block]:
    if number % 5 == 0:
        yield _Heading(1, name)
    if number % 7 < 2:
        yield _Paragraph((note.complaint,), quiet=True)
    tabled = number % 3 == 1
    for together, group in groupby(_parts(note.text), key=lambda part: tabled and part.is_background):
        parts = list(group)
        if together and len(parts) > 1:
            yield from _background(parts)
        else:
            yield from (block for part in parts for block in _part_blocks(part, number))
    yield from _physiotherapy(number)


def _parts(text: str) -> Iterator[_Part]:
    label, lines = "", list[str]()
    for line in (" ".join(line.split()) for line in text.splitlines()):
        found = _LABEL.fullmatch(line)
        if not found:
            lines.append(line)
            continue
        if label or any(lines):
            yield _Part(label, tuple(lines))
        label, lines = found["label"], [found["rest"] or ""]
    yield _Part(label, tuple(lines))


def _background(parts: Sequence[_Part]) -> Iterator[_Block]:
    rows = ((part.label, " ".join(part.lines).strip()) for part in parts)
    yield _Heading(2, "Background")
    yield _Table((("Topic", "Details"), *rows))


def _part_blocks(part: _Part, number: int) -> Iterator[_Block]:
    match list(_body(part.lines)):
        case [_Paragraph(lines=lines), *rest] if part.is_background and number % 3 == 2:
            yield _Paragraph(lines, lead=f"{part.label}:")
            yield from rest
        case body:
            if part.label:
                yield _Heading(2, part.label)
            yield from body


def _body(lines: Sequence[str]) -> Iterator[_Block]:
    """Read lines as lists where they are lists already, or three short ones in a row; else as paragraphs."""
    at = 0
    while at < len(lines):
        kind = _kind(lines[at])
        end = at
        while end < len(lines) and _kind(lines[end]) == kind:
            end += 1
        following = end < len(lines) and _kind(lines[end]) == "dashed"
        if kind == "plain" and following and lines[end - 1].endswith(":"):
            inner_end = next((n for n in range(end, len(lines)) if _kind(lines[n]) != "dashed"), len(lines))
            yield from _plain(lines[at : end - 1])
            yield _Items((_Item(lines[end - 1], tuple(_undashed(lines[end:inner_end]))),))
            end = inner_end
        elif kind == "plain":
            yield from _plain(lines[at:end])
        elif kind == "dashed":
            yield _Items(tuple(_Item(text) for text in _undashed(lines[at:end])))
        elif kind == "numbered":
            yield from _numbered(lines[at:end])
        at = end


def _kind(line: str) -> str:
    if not line:
        return "blank"
    if _NUMBERED.fullmatch(line):
        return "numbered"
    return "dashed" if _DASHED.fullmatch(line) else "plain"


def _plain(lines: Sequence[str]) -> Iterator[_Block]:
    if len(lines) >= 3 and all(len(line) <= _SHORT_LINE for line in lines):
        yield _Items(tuple(_Item(line) for line in lines))
    elif lines:
        yield _Paragraph(tuple(lines))


def _undashed(lines: Sequence[str]) -> Iterator[str]:
    return (_DASHED.sub(r"\1", line) for line in lines)


def _numbered(lines: Sequence[str]) -> Iterator[_Block]:
    """One list for each row of numbers that follow each other: a reader must see the note's own numbers."""
    found = [match for line in lines if (match := _NUMBERED.fullmatch(line))]
    for _, group in groupby(enumerate(found), key=lambda pair: int(pair[1][1]) - pair[0]):
        matches = [match for _, match in group]
        yield _Items(tuple(_Item(match[2]) for match in matches), first=int(matches[0][1]))


# ---------------------------------------------------------------- lines of physiotherapy

_OBJECTIVE = (
    (
        _Heading(2, "Objective"),
        _Heading(3, "Range & strength"),
        _Items(
            (
                _Item("Right knee:", ("ROM <90°, end feel firm", "VAS >4/10 on stairs, ≤2/10 at rest")),
                _Item("Cardiovascular:", ("BP >140/90, HR <100 & regular",)),
            )
        ),
        _Paragraph(("Quadriceps <grade 4 and >grade 3; naïve to loading.",)),
    ),
    (
        _Heading(2, "Home exercises"),
        _Table(
            (
                ("Exercise", "Dose"),
                ("Sit-to-stand", "3 × 10, stop if pain >3/10"),
                ("Calf raise", "2 × 15 at <70 % effort | both legs"),
            )
        ),
        _Paragraph(("Load 18 kg → 22 kg by week 3 (½ range first).",)),
    ),
    (
        _Paragraph(("Shoulder flexion <120°, abduction >90° with “painful arc” & night pain ±.",), lead="Objective:"),
        _Heading(3, "Reminders for Zoë’s café shifts"),
        _Items((_Item("Ice 10 min, <15 min at most"), _Item("No lifting >5 kg"), _Item("Walk 💪 daily")), first=3),
    ),
)


def _physiotherapy(number: int) -> Sequence[_Block]:
    """Give two of three documents findings with angle brackets, which careless converters swallow."""
    return _OBJECTIVE[number // 3 % len(_OBJECTIVE)] if number % 3 else ()


# ---------------------------------------------------------------- spelled as Markdown

_MARKDOWN_SIGNS = re.compile(r"([\\`*_\[\]])")
_LINE_START = re.compile(r"(?:[-+>](?=\s|$)|>|#+(?=\s|$))")
_LINE_NUMBER = re.compile(r"(\d+)([.)])(?=\s|$)")


def _as_markdown(blocks: Sequence[_Block], number: int) -> str:
    # Models often put a list straight under its heading, without the blank line.
    glued = number % 2 == 0
    text = ""
    for block, following in zip(blocks, (*blocks[1:], None), strict=True):
        close = glued and isinstance(block, _Heading) and isinstance(following, _Items)
        text += _markdown_block(block) + ("\n" if close else "\n\n")
    return text.rstrip() + "\n"


def _markdown_block(block: _Block) -> str:
    match block:
        case _Heading(level=level, text=text):
            return f"{'#' * level} {_markdown_line(text)}"
        case _Paragraph(lines=lines, quiet=True):
            return "\n".join(f"*{_markdown_line(line)}*" for line in lines)
        case _Paragraph(lines=lines, lead=lead):
            start = f"**{_markdown_line(lead)}** " if lead else ""
            return start + "\n".join(_markdown_line(line) for line in lines)
        case _Items(items=items, first=first):
            return "\n".join(_markdown_items(items, first))
        case _Table(rows=(names, *rows)):
            return "\n".join((_markdown_row(names), "| --- | :--- |", *map(_markdown_row, rows)))
    raise TypeError(block)


def _markdown_line(line: str) -> str:
    line = _MARKDOWN_SIGNS.sub(r"\\\1", line)
    line = _LINE_START.sub(lambda found: "\\" + found[0], line, count=1) if _LINE_START.match(line) else line
    return _LINE_NUMBER.sub(r"\1\\\2", line, count=1) if _LINE_NUMBER.match(line) else line


def _markdown_items(items: Sequence[_Item], first: int | None) -> Iterator[str]:
    for place, item in enumerate(items):
        marker = "- " if first is None else f"{first + place}. "
        yield marker + _markdown_line(item.text)
        for line in item.inner:
            yield f"{' ' * len(marker)}* {_markdown_line(line)}"


def _markdown_row(row: Sequence[str]) -> str:
    return "| " + " | ".join(_markdown_line(cell).replace("|", "\\|") for cell in row) + " |"


# ---------------------------------------------------------------- spelled as HTML


def _as_html(blocks: Sequence[_Block], number: int) -> str:
    text = "".join(_html_block(block) + "\n" for block in blocks)
    if number % 8 == 1:  # what a rich-text editor leaves behind
        text = text.replace("<p>", '<p style="margin: 0"><span style="color: #222">').replace("</p>", "</span></p>")
    return text


def _html_block(block: _Block) -> str:
    match block:
        case _Heading(level=level, text=text):
            return f"<h{level}>{_html_line(text)}</h{level}>"
        case _Paragraph(lines=lines, quiet=True):
            return f"<p><em>{'<br>'.join(map(_html_line, lines))}</em></p>"
        case _Paragraph(lines=lines, lead=lead):
            start = f"<strong>{_html_line(lead)}</strong>&nbsp;" if lead else ""
            return f"<p>{start}{'<br>'.join(map(_html_line, lines))}</p>"
        case _Items(items=items, first=first):
            tag = "ul" if first is None else "ol"
            start = f' start="{first}"' if first not in (None, 1) else ""
            return f"<{tag}{start}>{''.join(map(_html_item, items))}</{tag}>"
        case _Table(rows=(names, *rows)):
            head = f"<thead>{_html_row(names, 'th')}</thead>"
            return f"<table>{head}<tbody>{''.join(_html_row(row, 'td') for row in rows)}</tbody></table>"
    raise TypeError(block)


def _html_item(item: _Item) -> str:
    inner = "".join(f"<li>{_html_line(line)}</li>" for line in item.inner)
    return f"<li>{_html_line(item.text)}{f'<ul>{inner}</ul>' if inner else ''}</li>"


def _html_row(row: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{_html_line(cell)}</{tag}>" for cell in row) + "</tr>"


_ENTITIES = (("°", "&deg;"), ("×", "&times;"), ("’", "&rsquo;"), (" kg", "&nbsp;kg"), (" %", "&#160;%"))


def _html_line(line: str) -> str:
    line = html.escape(line, quote=False)
    for sign, entity in _ENTITIES:
        line = line.replace(sign, entity)
    return line
