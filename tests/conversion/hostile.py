"""Documents that nobody would write: every trick against a converter of HTML and Markdown, mixed by a seed.

`outcome` renders one and tells whether it was filed or refused. Anything but a `ConversionError`, a tag that Cliniko
does not permit, an attribute but a safe address, or a note that Cliniko would refuse is an error.
"""

import random

from sync_worker.convert import has_words
from sync_worker.errors import ConversionError
from sync_worker.model import Document
from sync_worker.sandbox.sanitiser import Html
from tests.conversion.reading import rendered, stored

SCRIPTS = (
    "<script>alert(1)</script>", "<SCRIPT SRC=//e.org/x.js></SCRIPT>", "<script>", "</script>", "<style>p{}</style>",
    "<style>", "<scr<script>ipt>alert(1)</scr</script>ipt>", "<svg onload=alert(1)>", "<svg><script>1</script></svg>",
    "<math><mi xlink:href='javascript:1'>x</mi></math>", "<math><mtext><table><mglyph><style><img src=x onerror=1>",
    "<iframe src=javascript:1></iframe>", "<iframe srcdoc='<script>1</script>'>", "<object data=x><embed src=y>",
    "<noscript><p title='</noscript><img src=x onerror=1>'>", "<template><script>1</script></template>", "<template>",
    "<textarea><script>1</script></textarea>", "<title><b>x</b></title>", "<xmp><p>x</xmp>", "<plaintext>",
    "<base href='javascript:1/'>", "<meta http-equiv=refresh content='0;url=x'>", "<link rel=stylesheet href=x>",
    "<select><option>a<option>b</select>", "<form action=javascript:1><button>x</button><input value=y>",
)  # fmt: skip
ATTRIBUTES = (
    "onclick=alert(1)", "onmouseover='x'", 'style="background:url(javascript:1)"', "href=javascript:alert(1)",
    "href='JaVaScRiPt:1'", "href='java\tscript:1'", 'href="data:text/html,<script>1</script>"',
    "href=' https://e.org'", "href='https://e.org/\"><script>1</script>'", "href=//e.org",
    "href=mailto:a@example.org", "href='vbscript:1'", "href='", "href", "=x", "x=<b>", "class='a' id=b",
    "colspan=999999", "rowspan=-1", "start=99999999999999999999", "value=abc", "href='https://e.org/\u202e'",
    "a\x00b=1", "href=&#106;avascript:1", "xmlns:x=y", "data-x='</p>'",
)  # fmt: skip
TAGS = (
    "a", "b", "i", "u", "p", "div", "span", "ul", "ol", "li", "table", "tr", "td", "th", "tbody", "thead", "caption",
    "pre", "code", "h1", "h6", "blockquote", "br", "hr", "img", "input", "dl", "dd", "q", "s", "sup", "del", "font",
    "center", "P", "sCrIpT", "o:p", "x-y", "svg", "math", "details", "body", "html", "head", "em", "strong", "button",
    "label", "ruby", "rt",
)  # fmt: skip
SIGNS = (
    "<", ">", "&", '"', "'", "<<<<", "&&&", "]]>", "<![CDATA[x]]>", "<!-- x -->", "<!--", "-->",
    "<!--[if mso]>x<![endif]-->", "<![if !supportLists]>", "<?php x ?>", "<!DOCTYPE html>", "</", "</>", "< p>",
    "<\x00p>", "<p\x00>", "\x00", "\x1b[31m", "\ud800", "\udfff", "\ufffd", "\ufeff", "\ufdd0", "\ufdd6", "\uffff",
    "\x85", "\u2028", "\x0b", "\x7f", "\u202e", "\u200d", "&#0;", "&#x110000;", "&#xD800;", "&#99999999999;",
    "&#xfdd0;", "&#10;", "&#9;", "&lt;script&gt;", "&amp;lt;", "&nbsp", "&ampamp;", "&#", "&;", "\U000e0041",
    "e" + "\u0301" * 40, "\\", "`", "```", "~~~", "*", "**", "_", "__", "[", "](", "![", ")", "[a](javascript:1)",
    "[a](<b>)", "[a]: https://e.org", "<https://e.org>", "<javascript:1>", "| a | b |", "|---|---|", "---", "===",
    "# ", "- ", "1. ", "999999999. ", "> ", "\t", "\n", "\n\n", "\r", "\r\n", "    ", "{{x}}", "<%= x %>", "${x}",
)  # fmt: skip
WORDS = ("pain", "5/10", "ROM <90", "BP >140", "nil", "A&E", "痛み", "ألم", "😀")
KINDS = ("HTML", "MARKDOWN", "html", "", None, "PDF", "text/html")


def a_document(seed: int) -> tuple[str, str | None]:
    """The document of a seed, and the format it claims to be in."""
    chance = random.Random(seed)
    kind = chance.choice(KINDS)
    if chance.random() < 0.03:
        return _huge(chance), kind
    size = chance.choice((1, 3, 10, 30, 100))
    return "".join(_piece(chance) for _ in range(chance.randint(1, size))), kind


def outcome(seed: int) -> str:
    """ "filed" or "refused"; any other end is a fault and raises."""
    content, kind = a_document(seed)
    has_words(Document("doc-1", "session-1", "Report", content, kind))
    html, layout = random.Random(seed).choice((("full", "sections"), ("full", "single"), ("basic", "sections")))
    try:
        questions = rendered(content, kind, html=html, layout=layout)
    except ConversionError as refusal:
        if refusal.code not in ("too_large", "too_deep", "words_lost"):
            raise AssertionError(refusal.code) from None
        return "refused"
    for tags in Html:
        stored(questions, tags)
    return "filed"


def _piece(chance: random.Random) -> str:
    match chance.randint(0, 9):
        case 0:
            return chance.choice(SCRIPTS)
        case 1 | 2:
            return _tag(chance)
        case 3:
            name = chance.choice(TAGS)
            return f"<{name}>{chance.choice(WORDS)}</{name}>"
        case 4:
            return f"</{chance.choice(TAGS)}>"
        case 5:
            return chance.choice(SIGNS) * chance.choice((1, 1, 1, 2, 20))
        case 6 | 7:
            return chance.choice(SIGNS)
        case 8:
            return "".join(chr(chance.randrange(0x110000)) for _ in range(chance.randint(1, 5)))
    return f" {chance.choice(WORDS)} "


def _tag(chance: random.Random) -> str:
    attributes = " ".join(chance.choice(ATTRIBUTES) for _ in range(chance.randint(0, 3)))
    return f"<{chance.choice(TAGS)} {attributes}{chance.choice(('>', '>', '>', '/>', '', ' >>'))}"


def _huge(chance: random.Random) -> str:
    """One thing many times: within itself, in a row, crossed, or two megabytes of it."""
    tag, other = chance.choice(TAGS), chance.choice(TAGS)
    many = chance.choice((50, 500, 5000))
    match chance.randint(0, 5):
        case 0:
            return f"<{tag}>" * many + "x" + f"</{tag}>" * many
        case 1:
            return f"<{tag}><{other}>x</{tag}></{other}>" * many
        case 2:
            return chance.choice(SIGNS) * many + "x"
        case 3:
            return "<table><tr><td>" * min(many, 60) + "x" + "</table>" * min(many, 60)
        case 4:
            piece = _piece(chance) or "x"
            return piece * (2_000_000 // len(piece))
    return ("".join(_piece(chance) for _ in range(5)) + " ") * many
