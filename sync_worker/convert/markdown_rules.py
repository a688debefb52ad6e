"""The rules by which Markdown is parsed: CommonMark's with tables, but for what a clinician writes otherwise.

Owns the few places where those rules would swallow clinical text ("> 90 degrees", "3*10, squats 3*10",
"Date: __/__/____") and the limits that keep a strange document from taking for ever.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, blockquote, heading, hr, lheading, list_block
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline

from sync_worker.errors import ConversionError

MAX_DEPTH = 64
"""Blocks within blocks. A nested list takes two; nobody reads twenty levels, and Python's stack ends near 200."""

MAX_BRACKETS = 2_000
"""Opening brackets in a document: each may cost a millisecond of search for a link's end."""

MAX_TOKENS = 150_000
"""What the parser makes of a document before it reads within lines: some 3 seconds' work at the most."""

_BRACKET = re.compile(r"(?<!\\)\[")
_THRESHOLD = re.compile(r">[ \t]?=?[ \t]?[.\d]")
_UNDERLINE = re.compile(r"\s*(?:=+|-+)\s*")
_BLANK_LINE = re.compile(r"_{4,}[ \t]*(?=\n|\Z)")
_FRACTURE = re.compile(r"#[ \t]+(?:[RL]|B/L|left|right|NO[FH]|[CTL]\d{1,2}|\d(?:st|nd|rd|th))\b", re.IGNORECASE)
_NEGATIVE = re.compile(r"- ?ve\b", re.IGNORECASE)
_OPENS_EMPHASIS = re.compile(r"[^\s_/.,;:!?)\]}-]|[-.][^\W_]")
_CLOSES_EMPHASIS = re.compile(r"(?:[^\s/(\[{:.,;-]|[^\s_][:.,;])\Z")
_UNDERSCORES = re.compile("_+")
_BOLD_BESIDE_WORD = re.compile(r"""\*\*(?=[\w("'“\[<>≤≥+])([^*\n]{0,200}[^\w\s*\\])\*\*(?=\w)""")


class _Markdown(MarkdownIt):
    """Addresses stay as they were written; which of them may be links is decided where lines are read."""

    def validateLink(self, url: str) -> bool:
        return True

    def normalizeLink(self, url: str) -> str:
        return url

    def normalizeLinkText(self, link: str) -> str:
        return link


def parser_for(*, dictated: bool) -> MarkdownIt:
    """A parser of a document's own Markdown, or of what html_source.py wrote, in which nothing needs these rules."""
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
