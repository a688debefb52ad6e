"""How a document is known in Cliniko: by eight characters in its note's title."""

import hashlib
import re

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_AT_THE_END = re.compile(rf"· ref ([{_CROCKFORD}]{{8}})\s*\Z")
_ANYWHERE = re.compile(rf"\bref ([{_CROCKFORD}]{{8}})\b")


def reference_of(*, region: str, session_id: str, document_id: str) -> str:
    """Eight characters that name a document in its note's title, the same for ever.

    The first 40 bits of SHA-256 over region, session id and document id, in Crockford's base 32
    (https://www.crockford.com/base32.html): no I, L, O or U, so that it can be read aloud.
    """
    digest = hashlib.sha256("\n".join((region, session_id, document_id)).encode()).digest()
    bits = int.from_bytes(digest[:5], "big")
    return "".join(_CROCKFORD[bits >> shift & 31] for shift in range(35, -1, -5))


def reference_in(title: str) -> str | None:
    """The reference at the end of a note's title; None in a title that is not this program's.

    A clinician may well write "ref" and eight characters into a text, but ends no title as this program does.
    """
    found = _AT_THE_END.search(title)
    return found[1] if found is not None else None


def references_in(text: str) -> frozenset[str]:
    """Whatever reads like a reference anywhere in a note's title or text: ours, and perhaps a clinician's own words."""
    return frozenset(_ANYWHERE.findall(text))
