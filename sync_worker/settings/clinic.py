"""The practice's own file, clinic.toml: who its clinicians are, and what becomes of which kind of document.

Owns the file's shape and finds every mistake in it at once, a misspelt key included. It refuses to hold a key: a
clinician's Cliniko key is a reference to where the key is kept, and following it is the settings' business. No
sentence repeats a value of the file, which may be a key pasted into the wrong place or a person's address.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync_worker.model import DEFAULT_ROUTE, Route

EMAIL = re.compile(r"[^\s@()<>,;\"]+@[^\s@()<>,;\"]+\.[^\s@()<>,;\".]+", re.ASCII)
USER_ID = re.compile(r"[!-~]{1,128}")

# Clinicians' names are the only free text in our logs, so what they may hold is narrow.
_CLINICIAN_NAME = re.compile(r"[\w .'-]{1,80}")
_PRACTICE_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
# Strict on purpose: a key pasted here instead of a name holds a hyphen and is refused without being repeated.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,79}")
_SHORT_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_KEY = re.compile(r"[a-z_]{1,40}")
_LINE = re.compile(r"at line (\d+)")
_PLACEHOLDERS = {"document", "date"}

Accepts = Callable[[str], object]
"""Whether a text will do: anything true says yes."""

_NEVER_THE_KEY = '{ env = "NAME" } or { file = "/path" }, never the key itself'


@dataclass(frozen=True, slots=True)
class KeyReference:
    """Where a Cliniko key is kept: in the variable `env` (or the file `env`_FILE names), or in `file`."""

    env: str | None = None
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class ListedClinician:
    """A clinician as the file lists them; what was refused is "" or None, and a problem was told.

    `label` says where it stands, for sentences about it.
    """

    label: str
    name: str
    heidi_email: str
    heidi_user_id: str
    cliniko_api_key: KeyReference | None


@dataclass(frozen=True, slots=True)
class ClinicFile:
    """What clinic.toml says; empty where it says nothing or there is none."""

    practice_name: str | None = None
    timezone: ZoneInfo | None = None
    clinicians: tuple[ListedClinician, ...] = ()
    lists_clinicians: bool = False
    """Whether it means to list clinicians, even where none of them could be read."""
    routes: tuple[Route, ...] = ()


def time_zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name. Raises ValueError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        raise ValueError("not an IANA time zone") from None


def start_at(text: str) -> datetime | date:
    """A date or a date-time in ISO 8601; without an offset it is meant in the practice's time zone.

    Raises ValueError for anything else, and for years in which changing the time zone could overflow.
    """
    try:
        start: datetime | date = date.fromisoformat(text)
    except ValueError:
        start = datetime.fromisoformat(text)
    if not 2000 <= start.year <= 2200:
        raise ValueError("not a year of this practice")
    return start


def read_clinic_file(named: Path | None, problems: list[str]) -> ClinicFile:
    """Read the file that was named, else clinic.toml if the working directory has one.

    Every mistake becomes one sentence in `problems`; a clinician with one is kept, so that its key is still checked.
    """
    path = named or Path("clinic.toml")
    if not named and not path.exists():
        return ClinicFile()
    raw = _parse(path, problems)
    if raw is None:
        return ClinicFile(lists_clinicians=True)
    top = _Table(raw, path.name, problems)
    practice = top.table("practice")
    zone = practice.text("timezone", _is_zone, 'must be an IANA name such as "Australia/Hobart"')
    clinic = ClinicFile(
        lists_clinicians=bool(raw.get("clinicians")),
        practice_name=practice.text("name", _PRACTICE_NAME.fullmatch, "must be one line of at most 200 characters"),
        timezone=time_zone(zone) if zone else None,
        clinicians=tuple(_clinician(table, path.parent) for table in top.tables("clinicians")),
        routes=tuple(_route(table) for table in top.tables("routes")),
    )
    practice.refuse_the_rest()
    top.refuse_the_rest()
    _refuse_twins(clinic.clinicians, problems)
    return clinic


def _parse(path: Path, problems: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # -sig: Windows editors leave a mark
    except UnicodeDecodeError:
        problems.append(f"{path.name} is not UTF-8 text: save it as UTF-8.")
    except tomllib.TOMLDecodeError as error:
        # Only the line: the parser's text may repeat what stands there.
        line = _LINE.search(str(error))
        where = f"line {line[1]}" if line else "its end"
        problems.append(f"{path.name} is not valid TOML at {where}: check quotes and brackets there.")
    except (OSError, ValueError):  # ValueError: no path at all
        problems.append(
            "The file of SYNC_CONFIG_FILE (clinic.toml unless set) cannot be read: check its path and rights."
        )
    return None


def _clinician(table: "_Table", folder: Path) -> ListedClinician:
    name = table.text(
        "name", _CLINICIAN_NAME.fullmatch, "must be at most 80 letters, digits, blanks and . ' -", required=True
    )
    email = table.text("heidi_email", EMAIL.fullmatch, "must be an e-mail address", required=True)
    user_id = table.text(
        "heidi_user_id", USER_ID.fullmatch, "must be at most 128 characters without blanks", required=True
    )
    key = _key_reference(table, folder)
    table.refuse_the_rest()
    return ListedClinician(table.where, name or "", email or "", user_id or "", key)


def _key_reference(table: "_Table", folder: Path) -> KeyReference | None:
    """A relative `file` is meant from the folder of clinic.toml."""
    match table.take("cliniko_api_key"):
        case {"env": str(name), **rest} if not rest and _VARIABLE.fullmatch(name):
            return KeyReference(env=name)
        case {"file": str(file), **rest} if not rest and file.strip() and "\0" not in file:
            return KeyReference(file=folder / file.strip())
        case None:
            table.complain("cliniko_api_key", f"is missing: write {_NEVER_THE_KEY}")
        case {"env": _}:
            table.complain("cliniko_api_key", "env must be a name in CAPITAL_LETTERS, never the key itself")
        case _:
            table.complain("cliniko_api_key", f"must be {_NEVER_THE_KEY}")
    return None


def _route(table: "_Table") -> Route:
    text = "must be one line of text in quotes"
    route = Route(
        heidi_template=table.text("heidi_template", _SHORT_TEXT.fullmatch, text),
        document_name=table.text("document_name", _SHORT_TEXT.fullmatch, text),
        cliniko_template=table.text("cliniko_template", _SHORT_TEXT.fullmatch, text),
        layout=table.text("layout", _one_of("sections", "single"), 'must be "sections" or "single"')
        or DEFAULT_ROUTE.layout,
        title=table.text("title", _is_title, "must be text with no placeholder but {document} and {date}")
        or DEFAULT_ROUTE.title,
        action=table.text("action", _one_of("post", "skip", "review"), 'must be "post", "skip" or "review"')
        or DEFAULT_ROUTE.action,
    )
    table.refuse_the_rest()
    return route


def _one_of(*words: str) -> Accepts:
    return words.__contains__


def _is_zone(name: str) -> bool:
    try:
        return bool(time_zone(name))
    except ValueError:
        return False


def _is_title(text: str) -> bool:
    """Only bare placeholders: a format or an attribute could reach into what is put there."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        return False
    bare = all(not form and not conversion for _, name, form, conversion in parts if name is not None)
    return bare and {name for _, name, _, _ in parts if name is not None} <= _PLACEHOLDERS


class _Table:
    """One table of the file: hands its keys out by kind and remembers what nobody asked for."""

    def __init__(self, raw: object, where: str, problems: list[str]) -> None:
        self.where = where
        self._problems = problems
        self._rest: dict[str, Any] = dict(raw) if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            problems.append(f"{where} must be a table of its own, in [brackets].")

    def complain(self, key: str, what: str) -> None:
        self._problems.append(f"{self.where}: {key} {what}.")

    def take(self, key: str) -> Any:
        """The key's raw value, or None where it is absent."""
        return self._rest.pop(key, None)

    def text(self, key: str, accepts: Accepts, must: str, *, required: bool = False) -> str | None:
        """The key's text without surrounding blanks; None, and a problem, where it will not do."""
        value = self.take(key)
        if value is None:
            if required:
                self.complain(key, "is missing")
            return None
        if isinstance(value, str) and accepts(value.strip()):
            return value.strip()
        self.complain(key, must)
        return None

    def table(self, key: str) -> "_Table":
        """The table under the key; an empty one where it is absent."""
        return _Table(self._rest.pop(key, {}), f"{self.where}, {key}", self._problems)

    def tables(self, key: str) -> list["_Table"]:
        """The tables under the key, counted from one in sentences about them."""
        raw = self._rest.pop(key, [])
        if not isinstance(raw, list):
            self.complain(key, f"must be written with double brackets: [[{key}]]")
            return []
        return [_Table(one, f"{self.where}, {key} {n}", self._problems) for n, one in enumerate(raw, 1)]

    def refuse_the_rest(self) -> None:
        """A key that nobody asked for is a misspelt one: a setting believed in and not obeyed."""
        for key in self._rest:
            named = key if _KEY.fullmatch(key) else "one of its keys"
            self.complain(named, "is not known here: check its spelling or remove it")


def _refuse_twins(clinicians: tuple[ListedClinician, ...], problems: list[str]) -> None:
    """Heidi knows a clinician by the id, our commands and ledger by the name: neither may stand twice."""
    for key in ("heidi_user_id", "name"):
        seen: set[str] = set()
        for clinician in clinicians:
            value = getattr(clinician, key)
            if value and value in seen:
                problems.append(f"{clinician.label}: {key} stands there already: give each clinician their own.")
            seen.add(value)
