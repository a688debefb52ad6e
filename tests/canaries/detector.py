"""Finds a string in whatever writing it came out: plain, percent-encoded, as JSON or HTML, in base64, as UTF-16."""

import base64
import html
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, quote_plus

from tests.canaries.kinds import Kind


@dataclass(frozen=True, slots=True)
class Hit:
    """A kind that came out, where, and in which path."""

    kind: str
    place: str
    path: str


def hits(kinds: Iterable[Kind], place: str, path: str, found: bytes | str, *, belongs: str = "") -> Iterator[Hit]:
    """Every kind that `found` holds; those that belong to the place of this name are left out."""
    text = (found if isinstance(found, bytes) else found.encode(errors="surrogatepass")).lower()
    for kind in kinds:
        if belongs not in kind.belongs and any(writing in text for writing in writings(kind.value)):
            yield Hit(kind.name, place, path)


@cache
def writings(value: str) -> tuple[bytes, ...]:
    """The value in each writing, in small letters."""
    texts = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], html.escape(value)}
    raw = [text.encode() for text in texts] + [value.encode("utf-16-le")]
    raw += [coded for coded in map(lambda shift: _base64(value, shift), range(3)) if len(coded) > 7]
    return tuple({one.lower() for one in raw})


def _base64(value: str, shift: int) -> bytes:
    """The part of the base64 that is the same whatever stands around it; `shift` is how many bytes stand before."""
    coded = base64.b64encode(b"\0" * shift + value.encode())
    first = (shift * 8 + 5) // 6
    return coded[first : (shift + len(value.encode())) * 8 // 6]
