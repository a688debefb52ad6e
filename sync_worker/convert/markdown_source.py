"""Markdown read into the structure of a document, by CommonMark's rules with tables, as markdown_rules.py bends them.

Owns what becomes of each thing that the parser finds. Refuses to let raw HTML through: a "<" is text.

Two kinds come here. `dictated=True` is a document's own Markdown; `dictated=False` is what html_source.py wrote, which
escapes every sign and marks bold, italics and line ends with characters of its own.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from markdown_it import MarkdownIt
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

from sync_worker.convert.markdown_rules import parser_for
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
    address_beside,
    lines_text,
)
from sync_worker.errors import ConversionError

MAX_LINES = 50_000
"""Lines: some 3 seconds' work at the most."""

MAX_MARKS = 150_000
"""Signs of emphasis and code, which cost the reading of lines most: 500 000 of them took 13 s."""

MAX_SURPLUS = 20_000
"""Cells beyond the width of their table, each read alone: 500 000 of them took 10 s."""

MARKS = {
    "bold": ("\ufdd0", "\ufdd1"),
    "italic": ("\ufdd2", "\ufdd3"),
    "underline": ("\ufdd4", "\ufdd5"),
}
"""How html_source.py writes the begin and end of a mark: "**" beside punctuation would not be read as bold."""

LINE_END = "\ufdd6"
"""How html_source.py writes a line break, which a heading and a table cell cannot hold in Markdown."""

LABEL = "\ufdd7"
"""How html_source.py encloses what an item is counted with where that is no number, which Markdown cannot say."""

ADDRESS = re.compile(r"(?:https?://|mailto:|tel:)\S", re.IGNORECASE)
"""Addresses that may be links; all others are only words."""

_SIGNS = re.compile("([\ufdd0-\ufdd6])")
_TURNS = {sign: (mark, step) for mark, signs in MARKS.items() for sign, step in zip(signs, (1, -1), strict=True)}
_BREAK_TAG = re.compile(r"<br\s{0,9}/?>", re.IGNORECASE)
_MARK = re.compile(r"(?<!\\)[*_`]")


def structure_of(markdown: str, *, dictated: bool) -> tuple[Block, ...]:
    """The blocks of a Markdown text (https://spec.commonmark.org/0.31.2/, tables as in GitHub's).

    Raises ConversionError: "too_deep" past MAX_DEPTH, "too_large" past any other limit
    of this module or of markdown_rules.py.
    """
    if markdown.count("\n") + markdown.count(LINE_END) > MAX_LINES or len(_MARK.findall(markdown)) > MAX_MARKS:
        raise ConversionError("too_large")
    return _Reader(parser_for(dictated=dictated), markdown, dictated=dictated).blocks()


def source_words(markdown: str) -> list[str]:
    """Runs of letters and digits that the structure must show, found without parsing.

    Leaves out what a parser may rightly change: list numbers, entities, addresses, names of pictures' files.
    """
    # An address that does not end in its line is taken as far as it goes, and kept: else each "](" would look again.
    text = re.sub(r"(?<=\])\([^)\n]*+\)?", lambda found: " " if found[0].endswith(")") else found[0], markdown)
    text = re.sub(r"&#?\w{1,32};|<br\s{0,9}/?>", " ", text, flags=re.IGNORECASE)
    text = re.sub(r"^(?:[\s>*+-]|\d{1,9}[.)](?=\s|$))+", "", text, flags=re.MULTILINE)
    return re.findall(r"[^\W_]+", text)


# ---------------------------------------------------------------- from tokens to blocks


class _Reader:
    """Walks the parser's flat list of tokens once."""

    def __init__(self, parser: MarkdownIt, markdown: str, *, dictated: bool) -> None:
        self._parser = parser
        self._source = markdown.split("\n")
        self._dictated = dictated
        self._surplus_cells = 0
        self._tokens: Iterator[Token] = iter(parser.parse(markdown))

    def blocks(self, closing: str = "") -> tuple[Block, ...]:
        found = []
        for token in self._tokens:
            if token.type == closing:
                break
            block = self._block(token)
            if block is not None:
                found.append(block)
        return tuple(found)

    def _block(self, token: Token) -> Block | None:
        match token.type:
            case "heading_open":
                return Heading(int(token.tag[1]), self._lines(next(self._tokens)))
            case "paragraph_open":
                lines = self._lines(next(self._tokens))
                return Paragraph(lines) if lines else None
            case "bullet_list_open" | "ordered_list_open":
                return self._listing(token.type.replace("open", "close"))
            case "blockquote_open":
                return Quote(self.blocks("blockquote_close"))
            case "table_open":
                return self._table()
            case "fence" | "code_block":
                info = (token.info.strip(),) if token.info.strip() else ()
                return Code((*info, *token.content.rstrip("\n").split("\n")))
            case "hr":
                return Rule()
        return None  # the closing half of a heading or paragraph

    def _listing(self, closing: str) -> Listing:
        found: list[tuple[str, str, tuple[Block, ...]]] = []
        for token in self._tokens:
            if token.type == closing:
                break
            found.append((token.info, token.markup, self.blocks("list_item_close")))
        # Heidi's models write 1. 1. 1. for 1. 2. 3.; a list that counts in any other way does so on purpose.
        ones = self._dictated and {info for info, _, _ in found} == {"1"}
        return Listing(
            tuple(
                _item(f"{number if ones else int(info)}{markup}" if info else "", blocks)
                for number, (info, markup, blocks) in enumerate(found, 1)
            )
        )

    def _table(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        cells: list[Cell] = []
        for token in self._tokens:
            match token.type:
                case "table_close":
                    break
                case "tr_open":
                    surplus = self._surplus(token, width=len(rows[0])) if rows else []
                    cells = []
                case "inline":
                    cells.append(Cell(self._lines(token)))
                case "tr_close":
                    rows.append((*cells, *surplus))
        return Table(rows[0], tuple(rows[1:]))

    def _surplus(self, row: Token, *, width: int) -> list[Cell]:
        """The cells of a row beyond its table's width, which the parser drops."""
        if row.map is None:
            return []
        line = re.sub(r"^(?:[\s>]|[*-]\s|\d{1,9}[.)]\s)*\|?", "", self._source[row.map[0]]).rstrip()
        texts = escapedSplit(line.removesuffix("|") if not line.endswith("\\|") else line)
        self._surplus_cells += len(texts[width:])
        if self._surplus_cells > MAX_SURPLUS:
            raise ConversionError("too_large")
        return [Cell(self._lines(token)) for text in texts[width:] for token in self._parser.parseInline(text.strip())]

    def _lines(self, inline: Token) -> tuple[Line, ...]:
        return _Lines(dictated=self._dictated).read(inline.children or [])


def _item(label: str, blocks: tuple[Block, ...]) -> Item:
    """An item of a list, whose text may begin with a label of its own."""
    match blocks:
        case [Paragraph(lines=[[span, *spans], *lines]), *others] if span.text.startswith(LABEL):
            _, letters, text = span.text.split(LABEL, 2)
            first = Paragraph(_trimmed([(replace(span, text=text), *spans), *lines]))
            return Item(f"{letters}.", (*([first] if first.lines else []), *others))
    return Item(label, blocks)


class _Lines:
    """The lines of one paragraph, heading or cell."""

    def __init__(self, *, dictated: bool) -> None:
        self._dictated = dictated
        self._depth = dict.fromkeys(MARKS, 0)
        self._href = self._link_text = self._link_title = ""
        self._brackets = False
        self._lines: list[list[Span]] = [[]]

    def read(self, tokens: list[Token]) -> tuple[Line, ...]:
        for token in tokens:
            self._read(token)
        return _trimmed([tuple(line) for line in self._lines])

    def _read(self, token: Token) -> None:
        match token.type:
            case "softbreak" | "hardbreak":
                self._lines.append([])
            case "strong_open" | "strong_close":
                self._depth["bold"] += token.nesting
            case "em_open" | "em_close":
                self._depth["italic"] += token.nesting
            case "link_open":
                self._open_link(token)
            case "link_close":
                self._close_link()
            case "image":
                self._text(f"[image: {name}]" if (name := _picture_name(token)) else "[image]")
            case "text" if self._dictated:
                self._text_with_breaks(token.content)
            case "text":
                self._text_with_signs(token.content)
            case _:
                self._text(token.content)

    def _open_link(self, token: Token) -> None:
        self._href, self._link_text = str(token.attrs.get("href", "")), ""
        self._link_title = str(token.attrs.get("title", ""))
        # "<BP:140>" has the shape of an address in angle brackets; its brackets are signs, and stay.
        self._brackets = token.markup == "autolink" and not self._is_link
        if self._brackets:
            self._text("<")

    def _close_link(self) -> None:
        if self._brackets:
            self._text(">")
        beside = "" if self._brackets else address_beside(self._link_text, self._href)
        notes = ", ".join(filter(None, [beside, self._link_title]))
        self._href = ""
        if notes:
            self._text(f" ({notes})")

    @property
    def _is_link(self) -> bool:
        return bool(self._href) and ADDRESS.match(self._href) is not None

    def _text_with_breaks(self, text: str) -> None:
        """Text in which "<br>", the only way to a second line in a Markdown table, ends a line."""
        first, *rest = _BREAK_TAG.split(text)
        self._text(first)
        for part in rest:
            self._lines.append([])
            self._text(part)

    def _text_with_signs(self, text: str) -> None:
        for part in _SIGNS.split(text):
            if part == LINE_END:
                self._lines.append([])
            elif part in _TURNS:
                mark, step = _TURNS[part]
                self._depth[mark] += step
            else:
                self._text(part)

    def _text(self, text: str) -> None:
        if not text:
            return
        self._link_text += text
        bold, italic, underline = (depth > 0 for depth in self._depth.values())
        self._lines[-1].append(Span(text, bold, italic, underline, self._href if self._is_link else ""))


def _picture_name(image: Token) -> str:
    return lines_text(_Lines(dictated=True).read(image.children or []))


def _trimmed(lines: list[Line]) -> tuple[Line, ...]:
    """Without blank lines at either end, and with at most one together."""
    kept: list[Line] = []
    for line in lines:
        blank = not lines_text((line,))
        if not blank or (kept and kept[-1]):
            kept.append(() if blank else line)
    return tuple(kept[:-1] if kept and not kept[-1] else kept)
