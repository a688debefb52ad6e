"""Documents to measure conversion with: what a clinic writes, and what would be slow if anything were.

Each entry of ORDINARY and HOSTILE makes a document of about a given number of characters, and tells its format. A
hostile one repeats what costs some parser, tree or expression most; none of them says anything of a person.
"""

from collections.abc import Callable
from html import escape

from sync_worker.sandbox.documents import raw_notes

Maker = Callable[[int], str]
MARKDOWN, HTML = "MARKDOWN", "HTML"

_SENTENCE = "The patient reports pain in the right knee since Tuesday, worse on stairs and after long walks, ROM <90."
_LISTS = """## Objective
- Effusion: **mild**, sweep test +ve
- ROM <90 flexion & full extension
  - extension lag of *5* degrees

Gait antalgic on the right, with reduced stance. Squat limited by pain at 60 degrees.

"""
_HTML_LISTS = (
    "<h2>Objective</h2><ul><li>Effusion: <strong>mild</strong>, sweep test +ve</li>"
    "<li>ROM &lt;90 flexion &amp; full extension<ul><li>extension lag of <em>5</em> degrees</li></ul></li></ul>"
    "<p>Gait antalgic on the right, with reduced stance. Squat limited by pain at 60 degrees.</p>\n"
)
_TABLE = "| Test | Left | Right |\n|---|---|---|\n" + "| Hop distance | 112 cm | 98 cm |\n" * 10 + "\n"
_HTML_ROW = "<tr><td>Hop distance</td><td>112 cm</td><td>98 cm</td></tr>"
_HTML_TABLE = f"<table><tr><th>Test</th><th>Left</th><th>Right</th></tr>{_HTML_ROW * 10}</table>\n"
_NOTES = "\n\n".join(note.text for note in raw_notes()) + "\n\n"


def repeated(part: str, *, before: str = "", after: str = "") -> Maker:
    """A maker that repeats a part as often as the size allows."""
    return lambda size: before + part * max((size - len(before) - len(after)) // len(part), 1) + after


def nested(before: str, after: str, *, depth: int, inner: str = "x") -> Maker:
    """A maker that repeats a nest of this depth."""
    return repeated(before * depth + inner + after * depth)


def _counted(part: str, *, before: str = "", after: str = "") -> Maker:
    """A maker of parts that each hold their own number, so that no two are alike."""

    def make(size: int) -> str:
        count = max(size // (len(part.format(0)) + 4), 1)
        return before + "".join(part.format(number) for number in range(count)) + after

    return make


def _ticks(size: int) -> str:
    """Runs of backticks of which none is as long as another: none closes any."""
    parts, length = list[str](), 0
    while length < size:
        parts.append("`" * (len(parts) + 1) + "x")
        length += len(parts[-1])
    return "".join(parts)


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part).replace(chr(10), '<br>')}</p>" for part in text.split("\n\n"))


ORDINARY: dict[str, tuple[str, Maker]] = {
    "paragraphs": (MARKDOWN, repeated(f"{_SENTENCE}\n\n")),
    "lists": (MARKDOWN, repeated(_LISTS)),
    "tables": (MARKDOWN, repeated(_TABLE)),
    "57 notes": (MARKDOWN, repeated(_NOTES)),
    "html paragraphs": (HTML, repeated(f"<p>{escape(_SENTENCE)}</p>")),
    "html lists": (HTML, repeated(_HTML_LISTS)),
    "html lists in one div": (HTML, repeated(_HTML_LISTS, before="<div>", after="</div>")),
    "html tables": (HTML, repeated(_HTML_TABLE)),
    "html 57 notes": (HTML, repeated(_paragraphs(_NOTES))),
}

HOSTILE: dict[str, tuple[str, Maker]] = {
    "brackets": (MARKDOWN, repeated("[")),
    "closing brackets": (MARKDOWN, repeated("](")),
    "pairs of brackets": (MARKDOWN, repeated("[]")),
    "escaped brackets": (MARKDOWN, repeated("\\[")),
    "links": (MARKDOWN, repeated("[a](b) ")),
    "pictures": (MARKDOWN, repeated("![")),
    "emphasis": (MARKDOWN, repeated("*a**b***")),
    "open emphasis": (MARKDOWN, repeated("*a _")),
    "closing emphasis": (MARKDOWN, repeated("a* a_ ")),
    "stars": (MARKDOWN, repeated("*")),
    "many small emphases": (MARKDOWN, repeated("*a* ")),
    "backticks": (MARKDOWN, _ticks),
    "pairs of backticks": (MARKDOWN, repeated("`a` ")),
    "backslashes": (MARKDOWN, repeated("\\*")),
    "entities": (MARKDOWN, repeated("&amp;")),
    "open entities": (MARKDOWN, repeated("&a")),
    "less-than signs": (MARKDOWN, repeated("<")),
    "open addresses": (MARKDOWN, repeated("<a:")),
    "addresses": (MARKDOWN, repeated("<a:b>")),
    "short items": (MARKDOWN, repeated("- a\n")),
    "short items, loose": (MARKDOWN, repeated("- a\n\n")),
    "items of one nest": (MARKDOWN, repeated("- " * 25 + "a\n")),
    "lists ever deeper": (MARKDOWN, repeated("".join("  " * depth + "- a\n" for depth in range(25)))),
    "numbered items": (MARKDOWN, _counted("{0}. a\n")),
    "quotations": (MARKDOWN, repeated("> " * 30 + "a\n")),
    "lazy quotations": (MARKDOWN, repeated("> a\nb\n")),
    "short paragraphs": (MARKDOWN, repeated("a\n\n")),
    "lines": (MARKDOWN, repeated("a\n")),
    "blank lines": (MARKDOWN, repeated("\n", after="a")),
    "white space": (MARKDOWN, repeated(" ", before="a", after="a")),
    "rules": (MARKDOWN, repeated("---\n\n")),
    "headings": (MARKDOWN, repeated("# a\n")),
    "underlined headings": (MARKDOWN, repeated("a\n---\n")),
    "fences": (MARKDOWN, repeated("```\na\n```\n")),
    "open fence": (MARKDOWN, repeated("a\n", before="```\n")),
    "fence in fence": (MARKDOWN, repeated("```\n", before="````\n")),
    "a wide table": (MARKDOWN, lambda size: "|a" * (size // 6) + "\n" + "|-" * (size // 6) + "\n" + "|b" * (size // 6)),
    "rows wider than their table": (MARKDOWN, repeated("|b" * 100 + "\n", before="|a|\n|-|\n")),
    "rows of nothing": (MARKDOWN, repeated("|\n", before="|a" * 100 + "\n" + "|-" * 100 + "\n")),
    "bars": (MARKDOWN, repeated("|")),
    "small tables": (MARKDOWN, repeated("|a|\n|-|\n\n")),
    "breaks": (MARKDOWN, repeated("a<br>")),
    "accents": (MARKDOWN, repeated("\u0301\u0316", before="a")),
    "one word": (MARKDOWN, repeated("a")),
    "signs for nobody": (MARKDOWN, repeated("\u200b", after="a")),
    "deep tags": (HTML, nested("<div>", "</div>", depth=30)),
    "tags too deep": (HTML, nested("<div>", "</div>", depth=300)),
    "open tags": (HTML, repeated("<i>a")),
    "open paragraphs": (HTML, repeated("<p>a")),
    "open marks in paragraphs": (HTML, repeated("<p><b>a")),
    "marks": (HTML, repeated("<b>a</b> ")),
    "marks around blocks": (HTML, repeated("<b><p>a</p>b</b>")),
    "one mark around blocks": (HTML, repeated("<p>a</p>b", before="<b>", after="</b>")),
    "nests of marks around blocks": (HTML, nested("<b><i>", "</i></b>", depth=10, inner="<p>a</p>")),
    "line breaks": (HTML, repeated("a<br>")),
    "boxes": (HTML, repeated("<input type=checkbox>")),
    "html links": (HTML, repeated("<a href=x>a</a>")),
    "html addresses": (HTML, repeated('<a href="https://a.b">a</a>')),
    "html pictures": (HTML, repeated("<img>", before="<p>", after="</p>")),
    "html entities": (HTML, repeated("&lt;", before="<p>")),
    "html less-than signs": (HTML, repeated("<", before="<p>", after="</p>")),
    "html less-than and letters": (HTML, repeated("<a ", before="<p>", after="</p>")),
    "open quotation marks": (HTML, repeated('<a "', before="<p>", after="</p>")),
    "open comments": (HTML, repeated("<!--", before="<p>a</p>")),
    "open doctypes": (HTML, repeated("<!doctype ", before="<p>a</p>")),
    "open scripts": (HTML, repeated("<script ", before="<p>a</p>")),
    "many attributes": (HTML, _counted(" a{0}", before="<p", after=">a</p>")),
    "sentences between blocks": (HTML, repeated("<p>a</p>b")),
    "html short items": (HTML, repeated("<li>a</li>", before="<ul>", after="</ul>")),
    "strays in a list": (HTML, repeated("a<li>b</li>", before="<ul>", after="</ul>")),
    "nested items": (HTML, nested("<ul><li>a", "</li></ul>", depth=25)),
    "a wide html table": (HTML, repeated("<td>a", before="<table><tr>", after="</table>")),
    "a long html table": (HTML, repeated("<tr><td>a", before="<table>", after="</table>")),
    "tall and wide cells": (HTML, repeated("<tr><td rowspan=1000 colspan=100>a", before="<table>", after="</table>")),
    "nested tables": (HTML, nested("<table><tr><td>a", "</td></tr></table>", depth=12)),
    "wide tables in a cell": (
        HTML, repeated("<td>a", before="<table><tr><td><table><tr>", after="</table></table>")
    ),
    "small html tables": (HTML, repeated("<table><caption>a</caption><tr><td>b</table>")),
    "text in a table": (HTML, repeated("a<tr>", before="<table>", after="</table>")),
    "blocks in a heading": (HTML, repeated("<div>a</div>", before="<h2>", after="</h2>")),
    "laid-out text": (HTML, repeated("a  b\n", before="<pre>", after="</pre>")),
    "marks in laid-out text": (HTML, repeated("a<b> b</b>\n", before="<pre>", after="</pre>")),
    "powers": (HTML, repeated("1<sup>2</sup>")),
    "html accents": (HTML, repeated("\u0301\u0316", before="<p>a")),
}  # fmt: skip
