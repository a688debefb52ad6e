"""How a field of a service's JSON is read: leniently, since sources disagree on types, and blank means missing."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any


def mapping_of(value: Any) -> dict[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(value: Any) -> str | None:
    """A text without the white space around it; None for a blank one and for anything else."""
    return value.strip() or None if isinstance(value, str) else None


def id_of(row: Mapping[str, Any], name: str = "id") -> str | None:
    """An id as a string, whether it came as one or as a number. Numbers stay exact: JSON's have no size here."""
    value = row.get(name)
    if isinstance(value, bool):
        return None
    return str(value) if isinstance(value, int) else text_of(value)


def date_of(value: Any) -> date | None:
    """A day, also where a time follows it; None for what is none."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def moment_of(value: Any) -> datetime | None:
    """A time in UTC; None for what is none. Naive stamps are UTC: read as Hobart's they would be half a day off."""
    if not isinstance(value, str):
        return None
    try:
        stamp = datetime.fromisoformat(value)
        return stamp.astimezone(UTC) if stamp.tzinfo else stamp.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
