"""What Cliniko keeps of the HTML in an answer.

Owns the allow-list of tags, the older one of accounts with the simpler editor, and the way text in unescaped angle
brackets is lost: a note that says "ROM <90" without an entity does not say it for long. From Cliniko's reference,
"Permitted HTML in paragraph answers", read in the harsh way wherever it leaves a choice.
"""

import html
import re
from enum import StrEnum

FULL_TAGS = frozenset(("p", "div", "br", "ul", "ol", "li", "blockquote", "h1", "h2", "b", "i", "u", "a"))
LEGACY_TAGS = frozenset(("div", "br"))
"""The list of the older reference; some accounts may still keep no more than this."""

SAFE_ADDRESS = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)


class Html(StrEnum):
    """Which tags an account keeps."""

    FULL = "full"
    LEGACY = "legacy"


_UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_BRACKETS = re.compile(r"<[^>]*(?:>|\Z)")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s[^>]*)?)/?>")
_HREF = re.compile(r"""\shref\s*=\s*("[^"]*"|'[^']*'|[^\s>"']+)""", re.IGNORECASE)


def sanitised(answer: str, tags: str = Html.FULL) -> str:
    """The answer as Cliniko stores and echoes it.

    Line feeds, returns and tabs go; tags off the list go and leave their text; anything else between angle brackets
    goes with what it holds, and an open `<` without its `>` takes the rest of the answer along. Entities come back in
    one form: only `&`, `<` and `>` stay escaped.
    """
    kept = FULL_TAGS if tags == Html.FULL else LEGACY_TAGS
    text = _UNSEEN.sub("", re.sub(r"[\n\r\t]", "", answer))
    parts: list[str] = []
    end = 0
    for bracket in _BRACKETS.finditer(text):
        parts += [_normal(text[end : bracket.start()]), _kept_tag(bracket.group(), kept)]
        end = bracket.end()
    return "".join([*parts, _normal(text[end:])])


def one_line(answer: str) -> str:
    """A `text` answer, which is a single line and no HTML."""
    return re.sub(r"[\n\r\t]", "", answer)


def _normal(text: str) -> str:
    return html.escape(html.unescape(text), quote=False)


def _kept_tag(bracket: str, kept: frozenset[str]) -> str:
    tag = _TAG.fullmatch(bracket)
    if tag is None or tag[2].lower() not in kept:
        return ""
    closing, name = tag[1], tag[2].lower()
    if name == "br":
        return "<br>"
    return f"<{closing}{name}{'' if closing or name != 'a' else _href(tag[3])}>"


def _href(attributes: str) -> str:
    found = _HREF.search(attributes)
    if found is None:
        return ""
    address = html.unescape(found[1].strip("\"'")).strip()
    return f' href="{html.escape(address)}"' if SAFE_ADDRESS.match(address) else ""
