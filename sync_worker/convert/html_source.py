"""HTML cleaned and written as Markdown, so that both formats take one path into a note.

Owns what is kept of a web page (its words, its blocks, bold, italics, links) and the words to check the result
against. Refuses scripts, styles and every attribute but a few; never fetches anything.
"""

import re
from html import unescape
from itertools import groupby

import nh3
from bs4 import BeautifulSoup, Tag
from bs4.element import PageElement
from markdownify import MarkdownConverter

from sync_worker.convert.html_repair import exchange, has_block, mend, refill, tags_within, taken
from sync_worker.convert.markdown_rules import MAX_DEPTH
from sync_worker.convert.markdown_source import ADDRESS, LINE_END, MARKS
from sync_worker.convert.structure import address_beside
from sync_worker.convert.words import BLOCK_TAGS, carries, fold, readable
from sync_worker.errors import ConversionError

MAX_OPEN_TAGS = 256
"""Tags open at once before cleaning. The cleaner's time grows with the square of the depth: 100 000 take 48 s."""

MAX_TAGS = 80_000
"""Tags, opening and closing, after cleaning: a close page has some hundred. So many take 3 to 6 s."""

MAX_ATTRIBUTES = 1_000
"""Attributes of one tag. The cleaner compares each with all others of its tag: 100 000 take a minute."""

_INLINE_TAGS = frozenset(
    ["a", "b", "br", "del", "em", "i", "img", "input", "ins", "q", "s", "strike", "strong", "sup", "u"]
)
_NO_WORDS = {"script", "style", "template", "title"}
_ATTRIBUTES = {
    "a": {"href"},
    "img": {"alt"},
    "input": {"type", "checked", "value"},
    "li": {"value"},
    "ol": {"start", "type"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_SCHEMES = {"http", "https", "mailto", "tel"}
_VOID_TAGS = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_IMPLIED_ENDS = frozenset(
    ["p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "optgroup", "colgroup"]
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_TAG_TO_ITS_END = re.compile(r"""<[a-zA-Z](?:[^"'>]++|"[^"]*+"|'[^']*+')*+""")
_QUOTED = re.compile(r""""[^"]*+"|'[^']*+'""")
_ATTRIBUTE_BEGIN = re.compile(r"""[\s/"]+""")
# A parser repeats unclosed formatting tags in every paragraph, but at most three that are alike.
_FORMATTING = re.compile(r"<(b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)\s[^<>]*>", re.IGNORECASE)
# A word processor on the web wraps all that is copied from it in bold that is none.
_NO_BOLD = re.compile(r"<b\s[^<>]*font-weight:\s*(?:normal|400)\b[^<>]*>", re.IGNORECASE)
_SPAN = re.compile(r"<(/?)span\b([^<>]*)>", re.IGNORECASE)
_NAMED_PICTURE = re.compile(r'<img alt="([^"]+)">')
# On the cleaned text, where tags are spelt one way, this takes a hundredth of the time that changing a tree takes.
_SPOKEN = (
    (re.compile(r'<img(?: alt="")?>'), "[image]"),
    (re.compile(r"<(del|s|strike)>(\s*)</\1>"), r"\2"),
    (re.compile(r"</?(?:del|s|strike)>"), "~~"),
    (re.compile(r"<q>"), "“"),
    (re.compile(r"</q>"), "”"),
    # Ten to the third must not read 103; the letters of 1st may stand as they are.
    (re.compile(r"<sup>(?=(?:<[a-z]+>|\s)*[+\-−]?\d)"), "^"),
    (re.compile(r"</?sup>"), ""),
)
_UNSEEN = re.compile(r"<(!--|!doctype|!\[(?:if|endif)\b|\?xml\b|(?:script|style|template|title)\b)", re.IGNORECASE)
_UNSEEN_ENDS = {
    "!--": re.compile("-->"),
    **dict.fromkeys(("!doctype", "![if", "![endif", "?xml"), re.compile(">")),
    **{name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in _NO_WORDS},
}
_WHOLE_TAG = re.compile(r"""</?([a-zA-Z][\w:-]*+)(?:"[^"]*+"|'[^']*+'|[^<>"'])*+>""")
_CLOSED = re.compile(r"</([a-zA-Z][\w:-]*)\s*>")
_TAG_NAMES = (
    BLOCK_TAGS
    | _INLINE_TAGS
    | _VOID_TAGS
    | frozenset(
        ["abbr", "big", "body", "button", "cite", "code", "colgroup", "font", "head", "html", "kbd", "label", "math"]
    )
    | frozenset(["mark", "nobr", "samp", "select", "small", "span", "sub", "svg", "textarea", "time", "tt", "var"])
)
_WHITE_SPACE = re.compile(r"[ \t\n\r\f]+")
_SIGNS = re.compile(r"[!-/:-@\[-`{-~]")


class HtmlSource:
    """A document's HTML: `words` as a reader sees them, and the `markdown` that says the same.

    Raises ConversionError: "too_deep" where tags nest deeper than MAX_DEPTH, "too_large" where more than `limit`
    characters remain after cleaning, "words_lost" where cleaning took text for a tag ("<baseline today").
    """

    def __init__(self, html: str, *, limit: int) -> None:
        _refuse_many_open_tags(html, limit=MAX_OPEN_TAGS, implied=_IMPLIED_ENDS | _VOID_TAGS)
        _refuse_many_attributes(html)
        cleaned = _clean(html)
        if len(cleaned) > limit:
            raise ConversionError("too_large")
        self._soup = _parse(cleaned)
        _speak(self._soup)
        self.words = fold("".join(_reading(self._soup, [])))
        if not carries(self.words, _source_words(html)):
            raise ConversionError("words_lost")

    def markdown(self) -> str:
        """The document as Markdown, for `structure_of(..., dictated=False)`. To be asked for once: uses up the tree."""
        mend(self._soup)
        markdown = str(_Converter(bullets="-", heading_style="atx").convert_soup(self._soup))
        del self._soup  # as garbage it costs nothing more; alive, each full collection would walk it again
        return markdown


def _source_words(html: str) -> list[str]:
    """Runs of letters and digits that a reader must see, found without parsing.

    A tag is what has the name of one, or a name that is closed somewhere, or is a word processor's ("o:p").
    """
    text = _without_unseen(html)
    names = _TAG_NAMES | {name.lower() for name in _CLOSED.findall(text)}

    def seen(tag: re.Match[str]) -> str:
        name = tag[1].lower()
        return "\n" if name in names or ":" in name or "-" in name else tag[0]

    return re.findall(r"[^\W_]+", fold(unescape(_WHOLE_TAG.sub(seen, text))))


def _without_unseen(html: str) -> str:
    """Without comments, scripts and their kin; one without an end stays, and its end is looked for once only."""
    parts: list[str] = []
    position = start = 0
    endless = set[str]()
    while begin := _UNSEEN.search(html, position):
        position, kind = begin.end(), begin[1].lower()
        end = None if kind in endless else _UNSEEN_ENDS[kind].search(html, position)
        if end is None:
            endless.add(kind)
            continue
        parts.append(html[start : begin.start()])
        position = start = end.end()
    return " ".join([*parts, html[start:]])


# ---------------------------------------------------------------- limits and cleaning


def _refuse_many_open_tags(html: str, *, limit: int, implied: frozenset[str]) -> None:
    still_open: dict[str, int] = {}
    depth = 0
    for closing, name in _TAG.findall(html):
        tag = name.lower()
        if tag in implied:
            continue
        step = 1 if not closing else -1 if still_open.get(tag) else 0
        still_open[tag] = still_open.get(tag, 0) + step
        depth += step
        if depth > limit:
            raise ConversionError("too_deep")


def _refuse_many_attributes(html: str) -> None:
    for tag in _TAG_TO_ITS_END.findall(html):
        if len(tag) > MAX_ATTRIBUTES and len(_ATTRIBUTE_BEGIN.findall(_QUOTED.sub('"', tag))) > MAX_ATTRIBUTES:
            raise ConversionError("too_large")


def _clean(html: str) -> str:
    cleaned = nh3.clean(
        _FORMATTING.sub(r"<\1>", _NO_BOLD.sub("<span>", _struck(html))),
        tags={*BLOCK_TAGS, *_INLINE_TAGS},
        clean_content_tags=_NO_WORDS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel=None,
    )
    spoken = readable(cleaned).replace("<br>", LINE_END)  # readable first: entities bring control characters
    spoken = _NAMED_PICTURE.sub(lambda picture: f"[image: {picture[1].replace('<', '&lt;')}]", spoken)
    for tags, words in _SPOKEN:
        spoken = tags.sub(words, spoken)
    return spoken


def _struck(html: str) -> str:
    """Text that only a style strikes out, as a tag does: without its line it would read as if it still held."""
    if "line-through" not in html:
        return html
    still_open: list[bool] = []

    def named(span: re.Match[str]) -> str:
        if not span[1]:
            still_open.append("line-through" in span[2])
            return "<s>" if still_open[-1] else span[0]
        return "</s>" if still_open and still_open.pop() else span[0]

    return _SPAN.sub(named, html)


def _parse(cleaned: str) -> BeautifulSoup:
    _refuse_many_open_tags(cleaned, limit=MAX_DEPTH, implied=_VOID_TAGS)
    if cleaned.count("<") > MAX_TAGS:
        raise ConversionError("too_large")
    return BeautifulSoup(f"<div>{cleaned}</div>", "html.parser")


# ---------------------------------------------------------------- what is seen but is no text becomes text


def _speak(soup: BeautifulSoup) -> None:
    """Turn boxes, addresses and laid-out text into words that need no tags."""
    for pre in tags_within(soup, {"pre"}):
        exchange(pre.find_all(string=True), lambda text: [_laid_out(str(text))])
        pre.name = "p"
    exchange(tags_within(soup, {"input"}), _spoken_box)
    links = tags_within(soup, {"a"})
    exchange([link for link in links if not _mend_address(link)], taken)
    for tag in (soup, *soup.find_all(True)):
        _join_texts(tag)


def _laid_out(text: str) -> str:
    return text.expandtabs(4).replace(" ", "\u00a0").replace("\n", LINE_END)


def _join_texts(tag: Tag) -> None:
    """Make one text of those that stand side by side."""
    runs = [(is_text, list(run)) for is_text, run in groupby(tag.contents, key=lambda node: not isinstance(node, Tag))]
    if any(is_text and len(run) > 1 for is_text, run in runs):
        refill(tag, [node for is_text, run in runs for node in (["".join(map(str, run))] if is_text else run)])


def _spoken_box(box: Tag) -> list[str]:
    """A box in words, for its place or, where an editor put its line into a block of its own, at that line's head."""
    line: PageElement | None = box.next_sibling
    while isinstance(line, Tag) and isinstance(line.next_element, Tag) and line.next_element.name in BLOCK_TAGS:
        line = line.next_element
    if not isinstance(line, Tag) or line.name not in ("div", "p"):
        return [_box_words(box)]
    line.insert(0, _box_words(box))
    return []


def _box_words(box: Tag) -> str:
    if str(box.get("type")).lower() in ("checkbox", "radio"):
        return "[x] " if box.has_attr("checked") else "[ ] "
    return f" {box.get('value') or ''} "


def _mend_address(link: Tag) -> bool:
    """Write the address so that Markdown can hold it, and tell whether it is to stay a link.

    A link without text shows its address; so does one that Markdown cannot hold, which leaves only its words.
    """
    href = re.sub(r"[\s<>\\|]", lambda sign: f"%{ord(sign[0]):02X}", str(link.get("href") or "").strip())
    if not href or href.startswith("#"):
        return False
    if not fold(link.get_text()):
        link.string = href
    if not ADDRESS.match(href) or has_block(link):
        beside = address_beside(link.get_text(" "), href)
        link.append(f" ({beside})" if beside else "")
        return False
    link["href"] = href
    return True


def _reading(tag: Tag, parts: list[str]) -> list[str]:
    """The text in reading order, with a space wherever a line or block ends, added to `parts`."""
    for child in tag.contents:
        if not isinstance(child, Tag):
            parts.append(str(child).replace(LINE_END, " "))
            continue
        apart = " " if child.name in BLOCK_TAGS else ""
        parts.append(apart)
        _reading(child, parts)
        if child.name == "a":
            beside = address_beside(child.get_text(), str(child["href"]))
            parts.append(f" ({beside})" if beside else "")
        parts.append(apart)
    return parts


# ---------------------------------------------------------------- writing Markdown


class _Converter(MarkdownConverter):
    """markdownify, with the marks of markdown_source.py and without its open faults in lists."""

    def escape(self, text: str, parent_tags: set[str]) -> str:
        """Every sign of ASCII is escaped: then no word of the text can be read as Markdown."""
        return _SIGNS.sub(r"\\\g<0>", _WHITE_SPACE.sub(" ", text))

    def convert_b(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return text.join(MARKS["bold"])

    def convert_i(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return text.join(MARKS["italic"])

    def convert_u(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return text.join(MARKS["underline"])

    convert_strong = convert_b
    convert_em = convert_i
    convert_ins = convert_u

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return f"[{text}](<{str(el['href']).replace('&', '&amp;')}>)"

    def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        first, *rest = text.strip().split("\n")
        label = f"{el['value']}. " if el.has_attr("value") else "- "
        lines = [label + first, *(" " * len(label) + line if line else "" for line in rest)]
        return "\n".join(lines) + "\n" if text.strip() else "\n"
