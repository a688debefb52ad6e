"""The HTML of a note's answers: only the tags that Cliniko permits, and no raw line end.

Owns how headings, lists and tables are shown where the tags for them are not permitted. Refuses to decide what goes
into which answer.

Permitted are p div br ul ol li blockquote h1 h2 b i u a ("full"), on older accounts only div and br ("basic"), by
Cliniko's "Treatment notes" page; everything else may vanish together with its words. Numbers of lists are written as
text: a number that only a tag implies is lost with the tag.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from html import escape
from itertools import groupby, zip_longest

from sync_worker.convert.structure import (
    Block,
    Cell,
    Code,
    Heading,
    Item,
    Line,
    Listing,
    Paragraph,
    Quote,
    Rule,
    Span,
    Table,
    lines_text,
)
from sync_worker.convert.words import readable

_INDENT = "\u00a0" * 4
_RULE = "\u2014" * 3
_RAW_SPACE = re.compile(r"[\t\n\r]")
_GAP = re.compile(r"(?<= ) +(?= )")
_LINKED = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


class Html(StrEnum):
    """What an account keeps of an answer's HTML."""

    FULL = "full"
    BASIC = "basic"


def answer_html(blocks: Iterable[Block], *, html: Html) -> str:
    """The blocks as one answer; empty where they say nothing."""
    said = list(blocks)
    while said and isinstance(said[0], Rule):
        del said[0]
    while said and isinstance(said[-1], Rule):
        del said[-1]
    return "".join(map(_full, said)) if html is Html.FULL else _basic(said)


# ---------------------------------------------------------------- with all permitted tags


def _full(block: Block) -> str:
    match block:
        case Heading(level, lines):
            return _wrapped("h1" if level == 1 else "h2", _inline(lines, Html.FULL))
        case Listing(items) if not block.numbered:
            return "<ul>" + "".join(f"<li>{_bullet(item)}</li>" for item in items if item.blocks) + "</ul>"
        case Quote(blocks):
            return f"<blockquote>{''.join(map(_full, blocks))}</blockquote>"
    return _wrapped("p", _lines(block, Html.FULL))


def _bullet(item: Item) -> str:
    """An item's lines, with lists of bullets below it as lists of their own."""
    parts: list[str] = []
    for is_list, blocks in groupby(item.blocks, key=lambda block: isinstance(block, Listing) and not block.numbered):
        if is_list:
            parts.extend(_full(block) for block in blocks)
        else:
            parts.append("<br>".join(line for block in blocks for line in _lines(block, Html.FULL)))
    return "".join(parts)


def _wrapped(tag: str, lines: list[str]) -> str:
    return f"<{tag}>{'<br>'.join(lines)}</{tag}>" if lines else ""


# ---------------------------------------------------------------- with div and br alone


def _basic(blocks: list[Block]) -> str:
    """The blocks with a blank line between them, as a `div` leaves no room of its own; none below a heading."""
    parts: list[str] = []
    below_heading = True
    for block in blocks:
        if text := _wrapped("div", _lines(block, Html.BASIC)):
            parts += [text] if below_heading else ["<div><br></div>", text]
            below_heading = isinstance(block, Heading)
    return "".join(parts)


# ---------------------------------------------------------------- as lines


def _lines(block: Block, html: Html) -> list[str]:
    """The block as lines, nesting shown by indentation; a line may hold b, i, u and a in full HTML."""
    match block:
        case Heading(lines=lines):
            return [_bold(line, html) for line in _inline(lines, html)]
        case Paragraph(lines):
            return _inline(lines, html)
        case Listing(items):
            return [line for item in items for line in _item_lines(item, html)]
        case Table():
            return _table_lines(block, html)
        case Quote(blocks):
            return [_INDENT + line for inner in blocks for line in _lines(inner, html)]
        case Code(lines=code):
            return [_text(line.replace("\t", _INDENT).replace(" ", "\u00a0")) for line in code]
        case Rule():
            return [_RULE]


def _item_lines(item: Item, html: Html) -> list[str]:
    lines = [line for block in item.blocks for line in _lines(block, html)]
    if not lines and not item.label:
        return []
    first, *rest = lines or [""]
    return [f"{item.label or '•'} {first}", *(_INDENT + line for line in rest)]


def _table_lines(table: Table, html: Html) -> list[str]:
    """A line with the columns' names, then each row, in which every value follows its column's name.

    A row is one line, or as many as its cells need: set in from the second on, so that none looks like another row.
    """
    names = [lines_text(cell.lines) for cell in table.header]
    while names and not names[-1]:
        del names[-1]
    lines = [_bold(_text(" | ".join(names)), html)] if names else []
    return lines + [line for row in table.rows for line in _row(names, row, html)]


def _row(names: list[str], row: tuple[Cell, ...], html: Html) -> list[str]:
    alone = len(row) == 1 and not any(names)  # a table that only frames a text
    values = []
    for name, cell in zip_longest(names, row, fillvalue=None):
        lines = filter(None, _inline(cell.lines, html)) if isinstance(cell, Cell) else ()
        value = ("\n" if alone else f"\n{_INDENT}").join(lines)
        if value:
            label = str(name or "").rstrip(":")
            values.append(f"{_text(label)}: {value}" if label else value)
    said = ("; " if any(names) else " | ").join(values)
    return said.split("\n") if said else []


# ---------------------------------------------------------------- within a line


def _inline(lines: tuple[Line, ...], html: Html) -> list[str]:
    return ["".join(_spans(line, html)) for line in lines]


def _spans(line: Line, html: Html) -> Iterable[str]:
    for like, spans in groupby(line, key=lambda span: (span.bold, span.italic, span.underline, span.href)):
        text = _text("".join(span.text for span in spans))
        yield _marked(Span(text, *like)) if html is Html.FULL and text.strip() else text


def _marked(span: Span) -> str:
    """The escaped text of a span in its tags."""
    html = span.text
    for tag, on in (("u", span.underline), ("i", span.italic), ("b", span.bold)):
        html = f"<{tag}>{html}</{tag}>" if on else html
    return f'<a href="{escape(span.href)}">{html}</a>' if _LINKED.match(span.href) else html


def _bold(line: str, html: Html) -> str:
    return f"<b>{line}</b>" if html is Html.FULL and line else line


def _text(text: str) -> str:
    """The text with its entities, and with gaps between columns that stay as wide as they were typed."""
    spaced = _RAW_SPACE.sub(" ", readable(text).replace("\t", f" {_INDENT} "))
    return escape(_GAP.sub(lambda gap: "\u00a0" * len(gap[0]), spaced), quote=False)
