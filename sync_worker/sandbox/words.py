"""An independent look at whether a note kept every word of its document.

Owns one question: which words that a reader of the document sees are missing from the note, or out of order?
It reads Markdown, HTML and Cliniko's note content by its own small rules, on purpose without the converter
whose work it judges and without the libraries that one uses. It refuses to judge looks: bold, levels of
headings and kinds of lists are no words, and neither are the numbers of numbered lists. Words are told apart
by white space and compared whole, signs included, so that "<90" which became "90" is a lost word.
"""

import html
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

NAME_LIMIT = 255
"""Longest name of a question in Cliniko; only a word longer than this may arrive in pieces."""


def document_words(content: str, content_type: str | None) -> list[str]:
    """Return the words a reader of a Heidi document sees, in reading order.

    `content_type` is "MARKDOWN", "HTML" or None; without one (Heidi's list of documents leaves it out) the
    content is HTML if it holds a block tag.
    """
    return [word for run in _document_runs(content, content_type) for word in run.words]


def note_words(content: Mapping[str, Any] | None) -> list[str]:
    """Return the words of a Cliniko note's content: names and answers in order, tags gone, entities decoded."""
    words: list[str] = []
    for section in (content or {}).get("sections") or ():
        words += _split(section.get("name") or "") + _split(section.get("description") or "")
        for question in section.get("questions") or ():
            words += _question_words(question)
    return words


def lost_words(content: str, content_type: str | None, note: Mapping[str, Any] | None) -> list[str]:
    """Return the words of a document that its note does not hold in the same order; empty when nothing is lost.

    The note may say more: the document's name, its source, numbers, a colon after a name. Names of a table's
    columns may stand anywhere within that table, any number of times, since notes have no tables and repeat
    them beside the cells.
    """
    runs = _document_runs(content, content_type)
    told = _rejoined(note_words(note), [word for run in runs for word in run.words])
    index = _places(told)
    places = _placed([word for run in runs if not run.names_column for word in run.words], index)
    return list(_missing(runs, places, told, index))


# ---------------------------------------------------------------- what a document says


@dataclass(frozen=True, slots=True)
class _Run:
    """Words that stand together. `table` numbers the table they stand in, from 1; 0 is outside of any."""

    words: list[str]
    table: int = 0
    names_column: bool = False


_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_BREAK = "br"
_BLOCK = re.compile(
    r"address|article|aside|blockquote|body|caption|d[dlt]|div|fig(caption|ure)|footer|h[1-6]|header|[hb]r|html|li|main"
    r"|nav|[ou]l|p|pre|section|table|tbody|t[dhr]|tfoot|thead"
)
_INLINE = re.compile(r"[abiqsu]|abbr|cite|code|del|em|ins|kbd|mark|small|span|strike|strong|su[bp]|var")
_UNSEEN_TAGS = frozenset(("head", "noscript", "script", "style", "template", "title"))
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)(?:\s[^<>]*)?/?>")


def _document_runs(content: str, content_type: str | None) -> list[_Run]:
    return _html_runs(content) if _reads_as_html(content, content_type) else _markdown_runs(content)


def _reads_as_html(content: str, content_type: str | None) -> bool:
    """Go by the tags more than by the label, which Heidi may leave out."""
    tags = {tag[1].lower() for tag in _TAG.finditer(content)}
    # "br" alone proves nothing: it is what Markdown's writers use inside a table's cell.
    if any(_BLOCK.fullmatch(tag) for tag in tags - {_BREAK}):
        return True
    return content_type == "HTML" and any(tag == _BREAK or _INLINE.fullmatch(tag) for tag in tags)


def _split(text: str) -> list[str]:
    """Cut at white space, no-break spaces included; what no reader sees is dropped."""
    return unicodedata.normalize("NFC", text).translate(_INVISIBLE).split()


def _question_words(question: Mapping[str, Any]) -> list[str]:
    words = _split(question.get("name") or "")
    answer = question.get("answer") or ""
    if question.get("type") == "paragraph":  # the only kind whose answer is HTML; text and dates are plain lines
        words += [word for run in _html_runs(answer) for word in run.words]
    else:
        words += _split(answer)
    for choice in (*(question.get("answers") or ()), question.get("other") or {}):
        words += _split(choice.get("value") or "")
    return words


class _HtmlReader(HTMLParser):
    """Collects the runs of an HTML text. A block tag parts words, an inline tag does not."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.runs: list[_Run] = []
        self._text: list[str] = []
        self._unseen = 0
        self._tables = 0
        self._open_tables = 0
        self._row = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN_TAGS:
            self._unseen += 1
        elif tag == "img":
            self._text.append(f" {dict(attrs).get('alt') or ''} ")
        elif _BLOCK.fullmatch(tag):
            self.flush()
            self._enter(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN_TAGS:
            self._unseen = max(0, self._unseen - 1)
        elif _BLOCK.fullmatch(tag):
            self.flush()
            if tag == "table":
                self._open_tables = max(0, self._open_tables - 1)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._text.append(data)

    def flush(self) -> None:
        """End the run that is being read."""
        if words := _split("".join(self._text)):
            inside = self._tables if self._open_tables else 0
            self.runs.append(_Run(words, inside, names_column=bool(inside) and self._row == 1))
        self._text.clear()

    def _enter(self, tag: str) -> None:
        if tag == "table":
            self._tables += not self._open_tables
            self._open_tables += 1
            self._row = 0
        elif tag == "tr":
            self._row += 1


def _html_runs(content: str) -> list[_Run]:
    reader = _HtmlReader()
    reader.feed(content)
    reader.close()
    reader.flush()
    return reader.runs


# ---------------------------------------------------------------- Markdown, line by line

_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_RULE = re.compile(r"\s*(?:([-*_])(?:\s*\1)+|=+|-)\s*")
_HEADING = re.compile(r"\s*#{1,6}(?:\s+|$)(.*?)(?:\s+#+)?\s*")
# ">140" without a space is what a clinician measured, not a quotation.
_MARKER = re.compile(r"\s*(?:[-*+]|>|\d{1,9}[.)])(?:\s+|$)")
_TABLE_RULE = re.compile(r"(?=.*\|)\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_LINK = re.compile(r'!?\[([^\]]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"]*")?\)')
_ADDRESS = re.compile(r"<((?:https?|mailto):[^<>\s]+)>")
_STARS = re.compile(r"(\*{1,3}|~~)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_UNDERLINES = re.compile(r"(?<!\w)(_{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)", re.DOTALL)

# Signs that are text, not markup, are moved to a private plane of Unicode until the markup is gone.
_PRIVATE = 0xE000
_HIDE = {sign: _PRIVATE + sign for sign in range(0x21, 0x7F) if not chr(sign).isalnum()}
_SHOW = {hidden: sign for sign, hidden in _HIDE.items()}


def _markdown_runs(content: str) -> list[_Run]:
    lines = _ESCAPE.sub(lambda found: found[1].translate(_HIDE), content).splitlines()
    runs: list[_Run] = []
    paragraph: list[str] = []
    tables = at = 0
    fenced = False
    while at < len(lines):
        line = lines[at]
        if not fenced and "|" in line and at + 1 < len(lines) and _TABLE_RULE.fullmatch(lines[at + 1]):
            tables += 1
            rows = _table_rows(lines, at)
            runs += [_inline(paragraph), *_row_runs(rows, tables)]
            at += len(rows)  # and one more below, for the rule under the names
            paragraph = []
        elif _FENCE.match(line):
            fenced = not fenced
        elif fenced:
            runs.append(_Run(_split(line.translate(_SHOW))))
        else:
            paragraph = _take_line(line, paragraph, runs)
        at += 1
    return [run for run in (*runs, _inline(paragraph)) if run.words]


def _take_line(line: str, paragraph: list[str], runs: list[_Run]) -> list[str]:
    """Add one line to the paragraph being read, or end it; returns the paragraph to go on with."""
    heading = _HEADING.fullmatch(line)
    if heading or not line.strip() or _RULE.fullmatch(line):
        runs.append(_inline(paragraph))
        if heading:
            runs.append(_inline([heading[1]]))
        return []
    bare = line
    while marker := _MARKER.match(bare):
        bare = bare[marker.end() :]
    if bare is line:
        return [*paragraph, line]
    runs.append(_inline(paragraph))
    return _take_line(bare, [], runs)


def _table_rows(lines: Sequence[str], at: int) -> list[list[str]]:
    """Return the cells of the table whose first line is `at`, without the rule under its names."""
    rows = [_cells(lines[at])]
    for line in lines[at + 2 :]:
        if "|" not in line:
            break
        rows.append(_cells(line))
    return rows


def _cells(line: str) -> list[str]:
    return line.strip().removeprefix("|").removesuffix("|").split("|")


def _row_runs(rows: Sequence[Sequence[str]], table: int) -> list[_Run]:
    return [
        _Run(_inline([cell]).words, table, names_column=number == 0) for number, row in enumerate(rows) for cell in row
    ]


def _inline(lines: Sequence[str]) -> _Run:
    """Return the words of a paragraph: code, links, tags and emphasis give up their signs, in this order."""
    text = "\n".join(line.removesuffix("\\") for line in lines)
    text = _CODE.sub(lambda found: found[2].translate(_HIDE), text)
    text = _ADDRESS.sub(r"\1", _LINK.sub(r"\1", text))
    text = _TAG.sub(_without_tag, text)
    for signs in (_STARS, _STARS, _UNDERLINES, _UNDERLINES):  # twice: emphasis inside emphasis
        text = signs.sub(r"\2", text)
    return _Run(_split(html.unescape(text).translate(_SHOW)))


def _without_tag(found: re.Match[str]) -> str:
    """Drop the tags a reader never sees; any other angle bracket is a clinician's sign."""
    tag = found[1].lower()
    if _BLOCK.fullmatch(tag):
        return " "
    return "" if _INLINE.fullmatch(tag) else found[0]


# ---------------------------------------------------------------- what the note kept

_ADDED_BEFORE = '(["“'
_ADDED_AFTER = ':;,.)]"”'

_Places = Mapping[str, Sequence[int]]


def _rejoined(told: Sequence[str], words: Sequence[str]) -> list[str]:
    """Put words together again that no question's name could hold in one piece."""
    long_words = [word for word in words if len(word) > NAME_LIMIT]
    joined = list(told)
    for word in long_words:
        for start in range(len(joined)):
            end = _piece_end(joined, start, word)
            if end > start + 1:
                joined[start:end] = [word]
                break
    return joined


def _piece_end(told: Sequence[str], start: int, word: str) -> int:
    """Return where the pieces of `word` that begin at `start` end; 0 if they are not its pieces."""
    rest = word
    for at in range(start, len(told)):
        if not rest.startswith(told[at]):
            return 0
        rest = rest.removeprefix(told[at])
        if not rest:
            return at + 1
    return 0


def _places(told: Sequence[str]) -> _Places:
    """Return at which places of the note each word can be read."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(told):
        for reading in _readings(word):
            places[reading].append(place)
    return places


def _readings(word: str) -> set[str]:
    """Return the word itself, and without the punctuation that a note may have put around it."""
    first = len(word) - len(word.lstrip(_ADDED_BEFORE))
    last = len(word.rstrip(_ADDED_AFTER))
    ends = range(last, len(word) + 1)
    return {word[start:end] for start in range(first + 1) for end in ends if start < end}


def _placed(words: Sequence[str], places: _Places) -> list[int | None]:
    """Return each word's place in the note, places rising; None where the word is lost."""
    taken: list[int | None] = []
    after = -1
    for word in words:
        known = places.get(word, ())
        following = bisect_right(known, after)
        if following == len(known):
            return _longest_order(words, places)
        after = known[following]
        taken.append(after)
    return taken


def _longest_order(words: Sequence[str], places: _Places) -> list[int | None]:
    """Keep as many words in order as possible, so that one lost word does not make others seem lost.

    The longest rising chain of places, by patience sorting: `tops[n]` is where the best chain of n + 1 words
    ends. A word's places are tried from the last to the first, so that it is used once.
    """
    tops: list[int] = []
    ends: list[tuple[int, int]] = []
    before: dict[tuple[int, int], tuple[int, int] | None] = {}
    for number, word in enumerate(words):
        for place in reversed(places.get(word, ())):
            length = bisect_left(tops, place)
            before[number, place] = ends[length - 1] if length else None
            tops[length : length + 1] = [place]
            ends[length : length + 1] = [(number, place)]
    return _chain(len(words), ends[-1] if ends else None, before)


def _chain(
    length: int, end: tuple[int, int] | None, before: Mapping[tuple[int, int], tuple[int, int] | None]
) -> list[int | None]:
    placed: list[int | None] = [None] * length
    while end:
        placed[end[0]] = end[1]
        end = before[end]
    return placed


def _missing(runs: Sequence[_Run], placed: Sequence[int | None], told: Sequence[str], places: _Places) -> Iterator[str]:
    """Yield the lost words in the document's order; names of columns are looked for within their table's stretch."""
    used = set(placed)
    at = 0
    for number, run in enumerate(runs):
        if run.names_column:
            start, end = _stretch(runs, number, at, placed, len(told))
            yield from _missing_names(run, range(start, end), places, used)
            continue
        for word in run.words:
            if placed[at] is None:
                yield word
            at += 1


def _stretch(runs: Sequence[_Run], number: int, at: int, placed: Sequence[int | None], length: int) -> tuple[int, int]:
    """Return from where to where the note tells the table whose column name is run `number`.

    `at` counts the words placed before it: a table's names are its first row, so they are all from before the
    table.
    """
    table = runs[number].table
    inside = sum(len(run.words) for run in runs if run.table == table and not run.names_column)
    start = max((place for place in placed[:at] if place is not None), default=-1) + 1
    end = min((place for place in placed[at + inside :] if place is not None), default=length)
    return start, end


def _missing_names(run: _Run, stretch: range, places: _Places, used: set[int | None]) -> Iterator[str]:
    after = stretch.start - 1
    for word in run.words:
        free = (place for place in places.get(word, ()) if place in stretch and place not in used)
        place = next((place for place in free if place > after), None)
        if place is None:
            yield word
        else:
            after = place
