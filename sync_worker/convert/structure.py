"""The structure of a document: headings, paragraphs, lists, tables and what stands in them.

Owns the model that every document becomes on its way into a note, whichever format it came in, and the plain words
of it. Refuses to know Markdown, HTML or Cliniko.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sync_worker.convert.words import fold, normalised


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text within a line, and how it looks. `href` is empty where it is no link."""

    text: str
    bold: bool = False
    italic: bool = False
    underline: bool = False
    href: str = ""


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 to 6."""

    level: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list. `label` is its number as it is read ("3."), empty for a bullet."""

    label: str
    blocks: tuple["Block", ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A bullet or numbered list."""

    items: tuple[Item, ...]

    @property
    def numbered(self) -> bool:
        """Whether its items carry numbers."""
        return any(item.label for item in self.items)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `header` holds blank cells where the document names no columns; rows may be longer or shorter."""

    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """Quoted blocks."""

    blocks: tuple["Block", ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Lines whose white space counts."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the page; no words."""


Block = Heading | Paragraph | Listing | Table | Quote | Code | Rule


def line_text(line: Line) -> str:
    """The words of a line, as they stand."""
    return "".join(span.text for span in line)


def lines_text(lines: tuple[Line, ...]) -> str:
    """The words of several lines as one, spaces folded, joiners kept: they hold an emoji or a word together."""
    text = normalised(" ".join(map(line_text, lines)))
    return " ".join(text.split()) if fold(text) else ""


def blocks_text(blocks: tuple[Block, ...]) -> str:
    """The words of the blocks in reading order, with white space folded."""
    return fold(" ".join(_texts(blocks)))


def _texts(blocks: tuple[Block, ...]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading(lines=lines) | Paragraph(lines=lines):
                yield from map(line_text, lines)
            case Listing(items):
                for item in items:
                    yield item.label
                    yield from _texts(item.blocks)
            case Table(header, rows):
                yield from (lines_text(cell.lines) for row in (header, *rows) for cell in row)
            case Quote(inner):
                yield from _texts(inner)
            case Code(code):
                yield from code
            case Rule():
                pass


def address_beside(text: str, href: str) -> str:
    """The address to be written behind a link's text: empty where the text already says it.

    A note can lose its tags, and a printed one its links, so an address that matters must be text.
    """
    address = href.removeprefix("mailto:").removeprefix("tel:")
    said = fold(text)
    return "" if not address or said in (href, address, address.partition("://")[2]) else address
