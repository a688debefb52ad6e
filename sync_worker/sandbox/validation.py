"""What Cliniko refuses in the content of a treatment note, and what it stores of the rest.

Owns the content schema and nothing else: whether patients or bookings exist is asked elsewhere. From Cliniko's
reference, "Treatment note content schema". Keys that the schema does not know are dropped; known keys on the wrong
type of question are refused. Every complaint is a sentence about `content`.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from sync_worker.sandbox.sanitiser import one_line, sanitised

NAME_LIMIT = 255
DESCRIPTION_LIMIT = 10_000
WRITTEN = frozenset(("text", "paragraph", "date"))
CHOSEN = frozenset(("checkboxes", "radiobuttons"))
DRAWN = frozenset(("bodycharts",))
"""Body charts cannot be drawn through the API: such a question may stand, without an answer."""


class Invalid(Exception):
    """The content is refused with a 422 and this message."""


def stored_content(content: Any, tags: str) -> dict[str, Any] | None:
    """The content as Cliniko keeps it, answers sanitised with the list `tags`; Invalid if it is refused."""
    if content is None:
        return None
    sections = content.get("sections") if isinstance(content, dict) else None
    return {"sections": _each(sections, "sections", lambda section: _section(section, tags))}


def _each(items: Any, name: str, read: Callable[[dict[str, Any]], dict[str, Any]]) -> list[dict[str, Any]]:
    if not isinstance(items, list) or not items:
        raise Invalid(f"'{name}' must not be empty")
    if not all(isinstance(item, dict) for item in items):
        raise Invalid(f"'{name}' must be objects")
    return [read(item) for item in items]


def _section(section: dict[str, Any], tags: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, limit in (("name", NAME_LIMIT), ("description", DESCRIPTION_LIMIT)):
        if section.get(name) is not None:
            kept[name] = _text(section[name], f"section {name}", limit)
    if "questions" in section:
        kept["questions"] = _each(section["questions"], "questions", lambda each: _question(each, tags))
    return kept


def _question(question: dict[str, Any], tags: str) -> dict[str, Any]:
    name = _text(question.get("name"), "question name", NAME_LIMIT)
    if not name.strip():
        raise Invalid("question name can't be blank")
    kind = question.get("type")
    if not isinstance(kind, str) or kind not in WRITTEN | CHOSEN | DRAWN:
        raise Invalid("question type is not included in the list")
    misplaced = {"answer"} - ({"answer"} if kind in WRITTEN else set())
    misplaced |= {"answers", "other"} - ({"answers", "other"} if kind in CHOSEN else set())
    if wrong := misplaced & question.keys():
        raise Invalid(f"'{min(wrong)}' is not accepted for {kind} questions")
    return {"name": name, "type": kind, **_answer(question, kind, tags), **_choices(question, kind)}


def _answer(question: dict[str, Any], kind: str, tags: str) -> dict[str, Any]:
    if "answer" not in question:
        return {}
    answer = question["answer"]
    if not isinstance(answer, str) or not answer.strip():
        raise Invalid("'answer' must not be empty")
    if kind == "date":
        return {"answer": _day(answer)}
    answer = sanitised(answer, tags) if kind == "paragraph" else one_line(answer)
    if not answer.strip():
        raise Invalid("'answer' must not be empty")
    return {"answer": answer}


def _day(answer: str) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", answer, re.ASCII):
            return date.fromisoformat(answer).isoformat()
    except ValueError:
        pass
    raise Invalid("'answer' must be a date (YYYY-MM-DD)")


def _choices(question: dict[str, Any], kind: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if "answers" in question:
        kept["answers"] = _each(question["answers"], "answers", _choice)
    if "other" in question:
        kept["other"] = _other(question["other"])
    chosen = sum("selected" in each for each in [*kept.get("answers", []), kept.get("other", {})])
    if kind == "radiobuttons" and chosen > 1:
        raise Invalid("only one answer can be selected")
    return kept


def _choice(answer: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if "value" in answer:
        kept["value"] = _choice_value(answer["value"])
    if "selected" in answer:
        kept["selected"] = _true(answer["selected"], "selected")
    return kept


def _other(other: Any) -> dict[str, Any]:
    if not isinstance(other, dict) or not isinstance(other.get("enabled"), bool):
        raise Invalid("'other' must say whether it is enabled")
    kept: dict[str, Any] = {"enabled": other["enabled"]}
    if "selected" in other:
        kept["selected"] = _true(other["selected"] and other["enabled"], "selected")
    if "value" in other:
        _true(kept.get("selected"), "selected")
        kept["value"] = _choice_value(other["value"])
    return kept


def _choice_value(value: Any) -> str | None:
    return None if value is None else _text(value, "answer value", NAME_LIMIT)


def _true(value: Any, name: str) -> bool:
    if value is not True:
        raise Invalid(f"'{name}' accepts only true, and only where it may stand")
    return True


def _text(value: Any, what: str, limit: int) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{what} can't be blank")
    if len(value) > limit:
        raise Invalid(f"{what} is too long (maximum is {limit} characters)")
    return value
