"""Documents of every structure, each as Markdown and as HTML, with the words that a reader of it sees.

A `Part` is one block in both formats, as a language model and a rich-text editor would write it: signs are escaped
where the format needs it and nowhere else. Its words are in reading order, with what a note is known to add: numbers
of lists, a table's column names before each value, addresses of links.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape

from hypothesis import strategies as st

Words = tuple[str, ...]

# ---------------------------------------------------------------- words

SIGNS = (
    "<90", ">140", "+ve", "-ve", "3*10", "L4/5", "A&E", "[x]", "[ ]", "1.", "2)", "#", "-", "_", "*", "+", ">", "<",
    "~", "#NOF", "5/10", "6/52", "(R)", "BP>140", "RR<20", "a<b>c", "<insert>", "&amp;", "&lt;", "&nbsp;", "[a](b)",
    "**", "__", "x_y", "_x", "`", "``", "\\", "\\*", "C:\\x", "---", "===", "***", "___", "~~", "==x==", "x^2^",
    "H~2~O", "90°", "±5", "≤", "→", "½", "“so”", "it's", '"q"', "50%", "$5", "@", "{{name}}", "[date]", "!", "?",
    "(see", "Plan:", "pain,", "nil;", "1/2/2026", "03-6200", "10.5", "2026.", "https://example.org/a_b?c=1&d=2",
    "a@example.org", "☐", "☑", "✓", "😀", "👩🏽‍⚕️", "שלום", "ألم", "痛み", "e\u0301", "é", "ﬁ", "zero\u200bwidth",
    "left\u200emark",
)  # fmt: skip
LETTERS = st.text("abcdeiounrstRLXZéßøñ09", min_size=1, max_size=7)
word = st.one_of(LETTERS, LETTERS, st.sampled_from(SIGNS))
plain_word = LETTERS.map("w{}".format)
"""A word with which nothing special can begin."""
ENTITIES = {"°": "deg", "é": "eacute", "½": "frac12", "→": "rarr", "±": "plusmn", "≤": "le"}
ADDRESSES = ("https://example.org/a", "https://example.org/a_b?c=1&d=2", "mailto:gp@example.org", "https://e.org/x(1)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words within a line, and how it looks."""

    words: Words
    mark: str = ""
    space: str = " "
    address: str = ""

    @property
    def seen(self) -> Words:
        """The words as a reader of the note sees them."""
        return (*self.words, f"({self.address.removeprefix('mailto:')})") if self.address else self.words


MARKS = {
    "bold": "**{}**", "italic": "*{}*", "both": "***{}***", "code": "`{}`", "strong": "__{}__", "stress": "_{}_",
    "": "{}",
}  # fmt: skip
TAGS = {
    "bold": ("<b>{}</b>", "<strong>{}</strong>", "<span><b>{}</b></span>"),
    "italic": ("<i>{}</i>", "<em>{}</em>"),
    "both": ("<b><i>{}</i></b>", "<em><strong>{}</strong></em>"),
    "code": ("<code>{}</code>", "<u>{}</u>", "<mark>{}</mark>"),
    "strong": ("<B>{}</B>", "<b class='x'>{}</b>"),
    "stress": ("<EM>{}</EM>", "<i style='x'>{}</i>"),
    "": ("{}", "{}", "<span style='color:red'>{}</span>", "<font color=red>{}</font>"),
}


@st.composite
def pieces(draw: st.DrawFn, *, first: st.SearchStrategy[str] = word) -> tuple[Piece, ...]:
    """One line of text."""
    words = (draw(first), *draw(st.lists(word, max_size=4)))
    line = [Piece(words, space=draw(st.sampled_from("   \u00a0")))]
    for mark in draw(st.lists(st.sampled_from([*MARKS, "bold", "link"]), max_size=3)):
        inner = plain_word if mark == "code" else word
        words = tuple(draw(st.lists(inner, min_size=1, max_size=3)))
        if mark in ("strong", "stress"):  # nobody underlines a lone sign: "__/__" is a blank to be filled in
            words = ("w", *words, "w")
        if mark == "link":
            line.append(Piece(tuple(draw(st.lists(plain_word, min_size=1, max_size=2))), address=draw(addresses)))
        else:
            line.append(Piece(words, mark))
    return tuple(line)


addresses = st.sampled_from(ADDRESSES)


def seen(line: Iterable[Piece]) -> Words:
    """The words of a line."""
    return tuple(each for piece in line for each in " ".join(piece.seen).split())


# ---------------------------------------------------------------- Markdown and HTML within a line

_ESCAPED = re.compile(
    r"(\*|`|\\(?=[!-/:-@\[-`{-~]|\Z)|(?<![^\W_])_|_(?![^\W_])|\[(?=[^\]]*\]\())|&(?=\w+;)|<(?=https?:)"
)
_OPENS_BLOCK = re.compile(r"(?:[#>+\-=]|#{1,6}|-{2,}|={2,}|~{3,}|\d{1,9}[.)]|`{3,})(?=\s|\Z)")


def markdown_line(line: Sequence[Piece]) -> str:
    """A line as Markdown, escaped where CommonMark would otherwise read a sign as markup."""
    text = " ".join(map(_markdown_piece, line))
    if opening := _OPENS_BLOCK.match(text):
        cut = opening.end() - 1 if opening[0][0].isdigit() else 0
        return f"{text[:cut]}\\{text[cut:]}"
    return text


def _markdown_piece(piece: Piece) -> str:
    if piece.mark == "code":
        return f"`{' '.join(piece.words)}`"
    text = piece.space.join(map(markdown_word, piece.words))
    return f"[{text}]({piece.address})" if piece.address else MARKS[piece.mark].format(text)


def markdown_word(text: str) -> str:
    """A word with a backslash before what would be markup; a star between letters multiplies, and needs none."""
    if re.fullmatch(r"\w+\*\w+", text):
        return text
    return re.sub(r"&(?=\w+;)", "&amp;", _ESCAPED.sub(_backslashed, text))


def _backslashed(sign: re.Match[str]) -> str:
    return sign[0] if sign[0] == "&" else f"\\{sign[0]}"


def html_line(line: Sequence[Piece], variant: int = 0) -> str:
    """A line as an editor writes it, in one of several fashions."""
    return " ".join(_html_piece(piece, variant) for piece in line)


def _html_piece(piece: Piece, variant: int) -> str:
    text = (piece.space if piece.space == " " else "&nbsp;").join(html_word(each, variant) for each in piece.words)
    if piece.address:
        return f'<a href="{escape(piece.address)}" target="_blank">{text}</a>'
    tags = TAGS[piece.mark]
    return tags[variant % len(tags)].format(text)


def html_word(text: str, variant: int) -> str:
    """A word with its entities: only those that are needed, or named, or numbered ones."""
    escaped = escape(text, quote=variant % 2 == 1)
    if variant % 3 == 1:
        return "".join(f"&{ENTITIES[sign]};" if sign in ENTITIES else sign for sign in escaped)
    return (
        "".join(f"&#x{ord(sign):x};" if ord(sign) > 127 else sign for sign in escaped) if variant % 3 == 2 else escaped
    )


# ---------------------------------------------------------------- blocks


@dataclass(frozen=True, slots=True)
class Part:
    """A block in both formats, and its words. `kind` decides what may stand right beneath it."""

    kind: str
    markdown: str
    html: str
    words: Words


variants = st.integers(0, 11)


def heading(line: Sequence[Piece], level: int, variant: int = 0) -> Part:
    """A heading of level 1 to 6, the upper two at times with a line of signs below instead of signs before."""
    html = html_line(line, variant)
    if variant in (3, 4):
        html = ("<strong>{}</strong>" if variant == 3 else "<span style='font-size:2em'>{}</span>").format(html)
    markdown = markdown_line(line)
    said = seen(line)
    if variant == 6 and level < 3 and said[-1].isalnum():
        return Part("underlined", f"{markdown}\n{'=-'[level - 1] * 5}", f"<H{level}>{html}</H{level}>", said)
    markdown = f"{markdown[:-1]}\\#" if markdown.endswith(" #") else markdown
    closing = f" {'#' * level}" if variant == 5 else ""
    return Part("heading", f"{'#' * level} {markdown}{closing}", f"<h{level}>{html}</h{level}>", said)


BOXES = (
    "<p>{}</p>", "<P CLASS=x>{}</P>", "<div>{}</div>", "<div><div>{}</div></div>", "<section><p>{}</p></section>",
    "<center>{}</center>", "<p>{}<br></p><p>&nbsp;</p>", "\n<p>\n  {}\n</p>\n", "<br>{}<br>",
    "<p><span>{}</span></p><p><br></p>",
)  # fmt: skip


def paragraph(lines: Sequence[Sequence[Piece]], variant: int = 0) -> Part:
    """Lines that belong together, with a single line end between them."""
    joint = ("<br>", "<br/>", "<BR>\n")[variant % 3]
    html = BOXES[variant % len(BOXES)].format(joint.join(html_line(line, variant) for line in lines))
    ending = ("\n", "  \n", "\\\n")[variant % 3]
    return Part(
        "paragraph", ending.join(map(markdown_line, lines)), html, tuple(w for line in lines for w in seen(line))
    )


def bold_paragraph(words: Words, variant: int = 0) -> Part:
    """A line in bold that serves as a heading."""
    made = paragraph([[Piece(words, "bold")]], variant)
    return Part("bold", made.markdown, made.html, made.words)


@dataclass(frozen=True, slots=True)
class Entry:
    """An item of a list: its lines, and a list below it."""

    lines: tuple[tuple[Piece, ...], ...]
    below: Part | None = None


def listing(entries: Sequence[Entry], *, start: int = 0, variant: int = 0) -> Part:
    """A list: of bullets where `start` is 0, else numbered from there."""
    markdown, html, words = list[str](), list[str](), list[str]()
    for number, entry in enumerate(entries, start):
        label = f"{number}." if start else "-*"[variant % 2]
        text = ("\n\n" if variant == 10 else "\n").join(map(markdown_line, entry.lines))
        below = f"\n{entry.below.markdown}" if entry.below else ""
        # Four spaces below a bullet, or three, or two: all of them are written.
        markdown.append(_indented(f"{text}{below}", label + " " * (1 if start else 1 + variant % 3)))
        words += [*([label] if start else []), *(w for line in entry.lines for w in seen(line))]
        words += entry.below.words if entry.below else ()
        html.append(_html_item(entry, variant))
    opening = "ul" if not start else "ol" if start == 1 else f'ol start="{start}"'
    joined = "\n\n" if variant == 7 else "\n"
    return Part(
        "numbers" if start else "bullets",
        joined.join(markdown),
        f"<{opening}>{''.join(html)}</{opening[:2]}>",
        tuple(words),
    )


def _html_item(entry: Entry, variant: int) -> str:
    text = ("</p><p>" if variant == 10 else "<br>").join(html_line(line, variant) for line in entry.lines)
    text = f"<p>{text}</p>" if variant % 3 == 1 else text
    below = entry.below.html if entry.below else ""
    return f"<li>{text}</li>{below}" if variant % 4 == 2 else f"<li>{text}{below}</li>"


def _indented(text: str, label: str) -> str:
    return label + text.replace("\n", "\n" + " " * len(label))


def table(names: Sequence[Words], rows: Sequence[Sequence[Words]], variant: int = 0) -> Part:
    """A table whose first row names its columns; of names that are all blank it has none."""
    grid = [names, *rows]
    bars = "{}" if variant in (4, 5) and len(names) > 1 and all(map(all, grid)) else "| {} |"
    markdown = [bars.format(" | ".join(_cell(cell, variant, markdown=True) for cell in row)) for row in grid]
    markdown.insert(1, bars.format("|".join([("---", ":--", ":-:", "---:")[variant % 4]] * len(names))))
    named = any(names)
    words = [w for name in names for w in name]
    for row in rows:
        words += _row_words(names, row) if named else [w for cell in row for w in cell]
    return Part("table", "\n".join(markdown), _html_table(names if named else None, rows, variant), tuple(words))


def _cell(words: Words, variant: int, *, markdown: bool) -> str:
    """A cell's words, at times in bold or on two lines."""
    if not words:
        return ""
    cut = 1 if variant == 8 else len(words)
    lines = [[Piece(line, "bold" if variant == 7 else "")] for line in (words[:cut], words[cut:]) if line]
    if markdown:
        return "<br>".join(markdown_line(line).replace("|", "\\|") for line in lines)
    return ("<p>{}</p>" if variant % 3 == 1 else "{}").format("<br>".join(html_line(line, variant) for line in lines))


def _row_words(names: Sequence[Words], row: Sequence[Words]) -> Words:
    """Each value after its column's name: "Left: 5/5; Right: 4/5"."""
    said = [(*_column(name), *cell) for name, cell in zip(names, row, strict=True) if cell]
    return tuple(w for value in said[:-1] for w in (*value[:-1], value[-1] + ";")) + (said[-1] if said else ())


def _column(name: Words) -> Words:
    return (*name[:-1], name[-1].rstrip(":") + ":") if name else ()


def _html_table(names: Sequence[Words] | None, rows: Sequence[Sequence[Words]], variant: int) -> str:
    def cells(tag: str, row: Sequence[Words]) -> str:
        return "<tr>" + "".join(f"<{tag}>{_cell(cell, variant, markdown=False)}</{tag}>" for cell in row) + "</tr>"

    head = cells("th", names) if names is not None else ""
    body = "".join(cells("td", row) for row in rows)
    if variant % 2:
        head, body = f"<thead>{head}</thead>" if head else "", f"<tbody>{body}</tbody>"
    return f"<table border=1>{head}{body}</table>"


def quotation(inner: Sequence[Part]) -> Part:
    """Blocks that somebody else said."""
    markdown = "\n\n".join(part.markdown for part in inner)
    return Part(
        "quotation",
        "\n".join(f"> {line}".rstrip() for line in markdown.split("\n")),
        f"<blockquote>{''.join(part.html for part in inner)}</blockquote>",
        tuple(w for part in inner for w in part.words),
    )


def code(lines: Sequence[Words]) -> Part:
    """Lines whose white space counts."""
    text = "\n".join("  " * (number % 3) + "  ".join(line) for number, line in enumerate(lines))
    return Part("code", f"```\n{text}\n```", f"<pre>{escape(text)}</pre>", tuple(w for line in lines for w in line))


RULE = Part("rule", "---", "<hr>", ())

# ---------------------------------------------------------------- documents

short_words = st.lists(word, min_size=1, max_size=3).map(tuple)
lines_of_text = st.lists(pieces(), min_size=1, max_size=3)
long_words = st.lists(word, min_size=40, max_size=90).map(tuple)
headings = st.builds(
    heading,
    st.one_of(pieces(), pieces(), pieces(), long_words.map(lambda words: (Piece(words),))),
    st.integers(1, 6),
    variants,
)
paragraphs = st.builds(paragraph, lines_of_text, variants)
bold_paragraphs = st.builds(bold_paragraph, st.lists(plain_word, min_size=1, max_size=3).map(tuple), variants)
codes = st.builds(code, st.lists(st.lists(plain_word, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3))


@st.composite
def listings(draw: st.DrawFn, depth: int = 2) -> Part:
    """A list, with lists below some of its items."""
    entries = []
    for _ in range(draw(st.integers(1, 3))):
        lines = tuple(draw(st.lists(pieces(), min_size=1, max_size=2)))
        below = draw(listings(depth - 1)) if depth and draw(st.integers(0, 3)) == 0 else None
        entries.append(Entry(lines, below))
    # Only a list that starts at 1 may stand right beneath text.
    start = draw(st.sampled_from([0, 0, 1, 1, 3] if depth == 2 else [0, 1]))
    return listing(entries, start=start, variant=draw(variants))


@st.composite
def tables(draw: st.DrawFn) -> Part:
    """A table, with blank cells among others, and with or without names of its columns."""
    width = draw(st.integers(1, 4))
    cell = st.one_of(short_words, short_words, st.just(()))
    row = st.lists(cell, min_size=width, max_size=width)
    names = draw(st.one_of(row, row, st.just([()] * width)))
    rows = draw(st.lists(row, min_size=0 if any(names) else 1, max_size=3))
    return table(names, rows, draw(variants))


quoted_paragraphs = st.builds(paragraph, st.lists(pieces(first=plain_word), min_size=1, max_size=2), st.just(0))
quotations = st.builds(quotation, st.tuples(quoted_paragraphs, st.one_of(bold_paragraphs, listings(0))))
parts = st.one_of(
    headings, headings, paragraphs, paragraphs, paragraphs, bold_paragraphs, listings(), listings(), tables(),
    quotations, codes, st.just(RULE),
)  # fmt: skip
BREAK = partial(paragraph, [[Piece(("then",))]])
GLUED = {
    "heading": {"heading", "paragraph", "bullets", "numbers", "table", "quotation", "code", "rule"},
    "paragraph": {"heading", "bullets", "quotation", "code"},
    "bold": {"heading", "paragraph", "bullets", "quotation", "code"},
    "bullets": {"heading", "quotation", "code"},
    "numbers": {"heading", "quotation", "code"},
    "table": {"heading", "quotation", "code", "plain"},
}
"""What a writer may put on the very next line."""
FRACTURE = re.compile(r"# (?:[RL]|B/L|left|right|NO[FH]|[CTL]\d{1,2}|\d(?:st|nd|rd|th))\b", re.IGNORECASE)
"""Right beneath text this is no heading: the sign says fracture."""


@dataclass(frozen=True, slots=True)
class Made:
    """A document in both formats, with its words, and the kind of the part in which the first of them stand."""

    markdown: str
    html: str
    words: Words
    first: str


@st.composite
def documents(draw: st.DrawFn) -> Made:
    """A document of one to six parts."""
    found = made(draw(st.lists(parts, min_size=1, max_size=6)), tight=draw(st.booleans()))
    ending = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return replace(found, markdown=found.markdown.replace("\n", ending), html=found.html.replace("\n", ending))


def made(parts_: Sequence[Part], *, tight: bool = False) -> Made:
    """A document of these parts, with blank lines between them, or as few as the format allows."""
    kept = [part for n, part in enumerate(parts_) for part in (*_between(parts_[n - 1] if n else None, part), part)]
    markdown = ""
    for n, part in enumerate(kept):
        may_be_glued = part.kind in GLUED.get(kept[n - 1].kind, ()) and not FRACTURE.match(part.markdown)
        glued = n and tight and may_be_glued
        markdown += ("" if not n else "\n" if glued else "\n\n") + part.markdown
    said = [part for part in kept if part.words]
    return Made(
        markdown,
        "".join(part.html for part in kept),
        tuple(w for part in kept for w in part.words),
        said[0].kind if said else "",
    )


def _between(before: Part | None, part: Part) -> tuple[Part, ...]:
    """Markdown joins two lists of numbers into one, so a writer puts a word between them."""
    lists = ("numbers", "bullets")
    return (BREAK(),) if before is not None and before.kind in lists and part.kind in lists else ()
