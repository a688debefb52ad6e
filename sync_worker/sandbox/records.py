"""What the records of both stand-ins share: the clock they are stamped by, and how a verb edits one.

Owns nothing else; each API's records are in a module of their own.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


def set_fields(record: object, fields: Mapping[str, Any], allowed: set[str]) -> None:
    """Change the named fields of a record; TypeError for any other, so that typos are loud."""
    if unknown := fields.keys() - allowed:
        raise TypeError(f"no field {min(unknown)!r}: one of {sorted(allowed)}")
    for name, value in fields.items():
        setattr(record, name, value)
