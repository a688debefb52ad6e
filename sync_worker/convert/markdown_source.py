"""Markdown read into the structure of a document, by CommonMark's rules with tables.

Owns the few places where those rules would swallow what a clinician wrote ("> 90 degrees", "3*10, squats 3*10",
"Date: __/__/____") and the limits that keep a strange document from taking for ever. Refuses to let raw HTML through:
a "<" is text.

Two kinds come here. `dictated=True` is a document's own Markdown; `dictated=False` is what html_source.py wrote, which
escapes every sign and marks bold, italics and line ends with characters of its own.
"""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, blockquote, heading, hr, lheading, list_block
from markdown_it.rules_block.table import escapedSplit
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

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

MAX_DEPTH = 64
"""Blocks within blocks. A nested list takes two; nobody reads twenty levels, and Python's stack ends near 200."""

MAX_BRACKETS = 2_000
"""Opening brackets in a document: each may cost a millisecond of search for a link's end."""

MAX_LINES = 50_000
MAX_TOKENS = 150_000
"""Lines, and what the parser makes of them before it reads within lines: each some 3 seconds' work at the most."""

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

ADDRESS = re.compile(r"(?:https?://|mailto:|tel:)\S", re.IGNORECASE)
"""Addresses that may be links; all others are only words."""

_SIGNS = re.compile("([\ufdd0-\ufdd6])")
_TURNS = {sign: (mark, step) for mark, signs in MARKS.items() for sign, step in zip(signs, (1, -1), strict=True)}
_BREAK_TAG = re.compile(r"<br\s{0,9}/?>", re.IGNORECASE)
_BRACKET = re.compile(r"(?<!\\)\[")
_MARK = re.compile(r"(?<!\\)[*_`]")
_THRESHOLD = re.compile(r">[ \t]?=?[ \t]?[.\d]")
_UNDERLINE = re.compile(r"\s*(?:=+|-+)\s*")
_BLANK_LINE = re.compile(r"_{4,}[ \t]*(?=\n|\Z)")
_FRACTURE = re.compile(r"#[ \t]+(?:[RL]|B/L|left|right|NO[FH]|[CTL]\d{1,2}|\d(?:st|nd|rd|th))\b", re.IGNORECASE)
_NEGATIVE = re.compile(r"- ?ve\b", re.IGNORECASE)
_OPENS_EMPHASIS = re.compile(r"[^\s_/.,;:!?)\]}-]|[-.][^\W_]")
_CLOSES_EMPHASIS = re.compile(r"(?:[^\s/(\[{:.,;-]|[^\s_][:.,;])\Z")
_UNDERSCORES = re.compile("_+")
_BOLD_BESIDE_WORD = re.compile(r"""\*\*(?=[\w("'“\[<>≤≥+])([^*\n]{0,200}[^\w\s*\\])\*\*(?=\w)""")


def structure_of(markdown: str, *, dictated: bool) -> tuple[Block, ...]:
    """The blocks of a Markdown text (https://spec.commonmark.org/0.31.2/, tables as in GitHub's).

    Raises ConversionError: "too_deep" past MAX_DEPTH, "too_large" past any other limit of this module.
    """
    if markdown.count("\n") + markdown.count(LINE_END) > MAX_LINES or len(_MARK.findall(markdown)) > MAX_MARKS:
        raise ConversionError("too_large")
    return _Reader(_parser(dictated=dictated), markdown, dictated=dictated).blocks()


def source_words(markdown: str) -> list[str]:
    """Runs of letters and digits that the structure must show, found without parsing.

    Leaves out what a parser may rightly change: list numbers, entities, addresses, names of pictures' files.
    """
    # An address that does not end in its line is taken as far as it goes, and kept: else each "](" would look again.
    text = re.sub(r"(?<=\])\([^)\n]*+\)?", lambda found: " " if found[0].endswith(")") else found[0], markdown)
    text = re.sub(r"&#?\w{1,32};|<br\s{0,9}/?>", " ", text, flags=re.IGNORECASE)
    text = re.sub(r"^(?:[\s>*+-]|\d{1,9}[.)](?=\s|$))+", "", text, flags=re.MULTILINE)
    return re.findall(r"[^\W_]+", text)


# ---------------------------------------------------------------- the parser


class _Markdown(MarkdownIt):
    """Addresses stay as they were written; which of them may be links is decided where lines are read."""

    def validateLink(self, url: str) -> bool:
        return True

    def normalizeLink(self, url: str) -> str:
        return url

    def normalizeLinkText(self, link: str) -> str:
        return link


def _parser(*, dictated: bool) -> MarkdownIt:
    # Past maxNesting markdown-it drops the rest of a block without a word; _refuse_extremes looks below it.
    parser = _Markdown("commonmark", {"html": False, "maxNesting": MAX_DEPTH + 8}).enable("table")
    # "[Note]: stable" is a sentence, not the definition of a link, and indented lines are not code.
    parser.disable(["code", "reference", "html_block", "html_inline"])
    parser.core.ruler.before("inline", "extremes", _refuse_extremes)
    if dictated:
        parser.block.ruler.at("blockquote", _quote, {"alt": ["paragraph", "reference", "blockquote", "list"]})
        parser.block.ruler.at("list", _list, {"alt": ["paragraph", "reference", "blockquote"]})
        parser.block.ruler.at("heading", _heading, {"alt": ["paragraph", "reference", "blockquote"]})
        parser.block.ruler.at("lheading", _underlined_heading)
        parser.block.ruler.at("hr", _rule, {"alt": ["paragraph", "reference", "blockquote", "list"]})
        parser.block.ruler.before("paragraph", "row_end", _row_end, {"alt": ["blockquote"]})
        parser.inline.ruler.before("emphasis", "times", _times)
        parser.inline.ruler.before("emphasis", "blank", _blank)
        parser.inline.ruler.before("emphasis", "bold_beside_word", _bold_beside_word)
    return parser


def _refuse_extremes(state: StateCore) -> None:
    if any(token.level > MAX_DEPTH for token in state.tokens):
        raise ConversionError("too_deep")
    _refuse_many_tokens(state)
    if len(_BRACKET.findall(state.src)) > MAX_BRACKETS:
        raise ConversionError("too_large")


def _refuse_many_tokens(state: StateBlock | StateCore) -> None:
    if len(state.tokens) > MAX_TOKENS:
        raise ConversionError("too_large")


def _quote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A quotation, but not "> 90 degrees" or ">=140": a threshold at the start of a line is no quotation."""
    if _THRESHOLD.match(state.src, state.bMarks[start] + state.tShift[start]):
        return False
    return blockquote(state, start, end, silent)


def _list(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A list, but not of "+ 2 reflexes", "+ SLR" or "- ve Lachman": these signs say positive and negative."""
    _refuse_many_tokens(state)  # here too: a short line can open many lists
    position = state.bMarks[start] + state.tShift[start]
    if state.src.startswith("+", position) or _NEGATIVE.match(state.src, position):
        return False
    return list_block(state, start, end, silent)


def _row_end(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The end of a table at a line without a bar: what is written right beneath it is no value of its first column."""
    line = state.src[state.bMarks[start] : state.eMarks[start]]
    return silent and state.parentType == "table" and "|" not in line and bool(line.strip())


def _heading(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A heading, but not of "- # wrist 2019", or of "# L ankle" right beneath text: there the sign says fracture.

    Where it is neither, the line stays as it was written. Who has written headings with one sign writes more of them.
    """
    position = state.bMarks[start] + state.tShift[start]
    if state.parentType == "list" and state.src.startswith(("# ", "#\t"), position):
        return False
    beneath_text = state.parentType == "paragraph" and state.sCount[start] >= state.blkIndent
    if beneath_text and _FRACTURE.match(state.src, position) and all(token.tag != "h1" for token in state.tokens):
        return False
    return heading(state, start, end, silent)


def _rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A line across the page, but not "________", where somebody is to sign."""
    if _BLANK_LINE.match(state.src, state.bMarks[start] + state.tShift[start]):
        return False
    return hr(state, start, end, silent)


def _underlined_heading(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A heading with a line under it, but not a sentence or several lines of text that a rule follows."""
    if start + 1 >= end:
        return False
    title, under = (state.src[state.bMarks[n] : state.eMarks[n]] for n in (start, start + 1))
    if not _UNDERLINE.fullmatch(under) or title.rstrip().endswith((".", "!", "?", ";", ",")):
        return False
    return lheading(state, start, end, silent)


def _times(state: StateInline, silent: bool) -> bool:
    """A star with letters or digits on both sides multiplies ("3*10"); as emphasis it would vanish."""
    around = state.src[max(state.pos - 1, 0) : state.pos + 2]
    if len(around) < 3 or around[1] != "*" or not (around[0].isalnum() and around[2].isalnum()):
        return False
    if not silent:
        state.pending += "*"
    state.pos += 1
    return True


def _blank(state: StateInline, silent: bool) -> bool:
    """A blank to be filled in ("Date: ___/___/____", "(__)"): read as emphasis its underscores would vanish."""
    run = _UNDERSCORES.match(state.src, state.pos, state.posMax)
    if run is None:
        return False
    around = _CLOSES_EMPHASIS.search(state.src[max(run.start() - 2, 0) : run.start()])
    if len(run[0]) < 3 and (around or _OPENS_EMPHASIS.match(state.src, run.end())):
        return False
    if not silent:
        state.pending += run[0]
    state.pos = run.end()
    return True


def _bold_beside_word(state: StateInline, silent: bool) -> bool:
    """Bold that ends in a sign right before a word ("**Pain:**constant"), which by CommonMark's rules is none."""
    bold = _BOLD_BESIDE_WORD.match(state.src, state.pos, state.posMax)
    if (
        bold is None
        or (state.pos and state.src[state.pos - 1] in "*\\")
        or state.src[state.pos - 1 : state.pos].isalnum()
    ):
        return False
    if not silent:
        state.push("strong_open", "strong", 1).markup = "**"
        state.pos, end, state.posMax = bold.start(1), state.posMax, bold.end(1)
        state.md.inline.tokenize(state)
        state.posMax = end
        state.push("strong_close", "strong", -1).markup = "**"
    state.pos = bold.end()
    return True


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
                Item(f"{number if ones else int(info)}{markup}" if info else "", blocks)
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
