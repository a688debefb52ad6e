"""Cliniko's filter grammar: `q[]=FIELD:OPVALUE`, typed, ANDed, and refused with a 400 where it is wrong.

Owns which operators a type has, how values are read and compared, and which rows a list hides unless asked. Knows
nothing of any resource: each says which columns it can be filtered by. From Cliniko's reference, "Filtering results";
texts of the 400s as clients met them.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The type of a column, which decides its operators."""

    DATE = "date"
    DATETIME = "datetime"
    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    ARRAY = "array"


@dataclass(frozen=True, slots=True)
class Column:
    """A filterable column: its type and how to read it from a record."""

    kind: Kind
    read: Callable[[Any], Any]


Columns = Mapping[str, Column]
Test = Callable[[Any], bool]

OPERATORS: Mapping[Kind, tuple[str, ...]] = {
    Kind.DATE: (">=", "<=", "!?", "=", ">", "<", "?"),
    Kind.DATETIME: (">=", "<=", "!?", ">", "<", "?", "*"),
    Kind.NUMBER: ("!=", ">=", "<=", "!?", "=", ">", "<", "?"),
    Kind.STRING: ("!=", "~~", "!?", "=", "~", "?"),
    Kind.BOOLEAN: ("!=", "="),
    Kind.ARRAY: ("~",),
}
"""Longer operators first: `>=` must not be read as `>` and a value beginning with `=`."""

HIDING = ("archived_at", "cancelled_at", "deleted_at")
"""Rows with one of these set are hidden, unless a filter names the column (`archived_at:*`)."""


class BadFilter(Exception):
    """The request's filter or order is refused with a 400 and this message."""


@dataclass(frozen=True, slots=True)
class Collation:
    """How strings compare. Cliniko does not say; a switch offers both."""

    case_sensitive: bool = False
    milliseconds: bool = False
    """Whether date-times with fractions of a second are taken; undocumented too."""

    def key(self, text: str) -> str:
        """The form in which two strings are compared: as they are, or without case, accents and trailing blanks."""
        if self.case_sensitive:
            return text
        plain = unicodedata.normalize("NFD", text.rstrip().casefold())
        return "".join(each for each in plain if not unicodedata.combining(each))


def row_filter(queries: Sequence[str], columns: Columns, collation: Collation) -> Test:
    """What all the `q[]` values together let through; BadFilter if one of them is wrong."""
    tests = []
    named = set()
    for query in queries:
        name, colon, rest = query.partition(":")
        if not colon or name not in columns:
            raise BadFilter(f"{name} is not filterable")
        named.add(name)
        tests.append(_test(name, columns[name], rest, collation))
    hidden = [columns[name].read for name in HIDING if name in columns and name not in named]
    return lambda row: all(test(row) for test in tests) and all(read(row) is None for read in hidden)


def _test(name: str, column: Column, rest: str, collation: Collation) -> Test:
    operator = next((each for each in OPERATORS[column.kind] if rest.startswith(each)), None)
    if operator is None:
        raise BadFilter(f"Filter operator for {name} is not valid")
    text = rest.removeprefix(operator)
    match operator:
        case "?" | "!?" | "*" if text:
            raise BadFilter(f"Filter operator for {name} is not valid")
        case "?":
            return lambda row: column.read(row) is not None
        case "!?":
            return lambda row: column.read(row) is None
        case "*":
            return lambda row: True
    accepts = _comparison(name, column.kind, operator, text, collation)
    return lambda row: (value := column.read(row)) is not None and accepts(value)


def _comparison(name: str, kind: Kind, operator: str, text: str, collation: Collation) -> Test:
    match kind:
        case Kind.DATE if operator == "=":
            return _date_pattern(name, text)
        case Kind.DATE:
            return _ordered(operator, _date(name, text), lambda value: date.fromisoformat(value))
        case Kind.DATETIME:
            return _ordered(operator, _moment(text, collation), lambda value: value)
        case Kind.NUMBER if operator in ("=", "!="):
            wanted = {_number(name, each) for each in text.split(",")}
            return lambda value: (int(value) in wanted) == (operator == "=")
        case Kind.NUMBER:
            return _ordered(operator, _number(name, text), int)
        case Kind.BOOLEAN:
            truth = _boolean(name, text)
            return lambda value: (value == truth) == (operator == "=")
        case Kind.ARRAY:
            member = _number(name, text)
            return lambda value: member in {int(each) for each in value}
        case Kind.STRING:
            return _string_test(operator, text, collation)


def _ordered(operator: str, bound: Any, read: Callable[[Any], Any]) -> Test:
    match operator:
        case ">=":
            return lambda value: bool(read(value) >= bound)
        case ">":
            return lambda value: bool(read(value) > bound)
        case "<=":
            return lambda value: bool(read(value) <= bound)
    return lambda value: bool(read(value) < bound)


def _date(name: str, text: str) -> date:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadFilter(f"Filter value for {name} must be a date")


def _date_pattern(name: str, text: str) -> Test:
    if not re.fullmatch(r"[\d*]{4}-[\d*]{2}-[\d*]{2}", text, re.ASCII):
        raise BadFilter(f"Filter value for {name} must be a date")
    if "*" not in text:
        _date(name, text)
    pattern = re.compile(text.replace("*", r"\d"))
    return lambda value: pattern.fullmatch(value) is not None


def _moment(text: str, collation: Collation) -> datetime:
    fraction = r"(\.\d{1,6})?" if collation.milliseconds else ""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d" + fraction + "Z", text, re.ASCII):
            return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        pass
    raise BadFilter("Timestamp needs to be in UTC format.")


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,30}", text, re.ASCII):
        raise BadFilter(f"Filter value for {name} must be a number")
    return int(text)


def _boolean(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise BadFilter(f"Filter value for {name} must be a boolean")
    return text == "true"


def _string_test(operator: str, text: str, collation: Collation) -> Test:
    wanted = collation.key(text)
    match operator:
        case "=":
            return lambda value: collation.key(value) == wanted
        case "!=":
            return lambda value: collation.key(value) != wanted
        case "~":
            pattern = _like(f"%{wanted}%")
        case _:
            pattern = _like(wanted)
    return lambda value: pattern.fullmatch(collation.key(value)) is not None


def _like(wanted: str) -> re.Pattern[str]:
    """SQL's LIKE: `%` any text, `_` any character, and no way to say either literally."""
    parts = [{"%": ".*", "_": "."}.get(each, re.escape(each)) for each in wanted]
    return re.compile("".join(parts), re.DOTALL)
