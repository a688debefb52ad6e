"""What each setting may be, and what it is unless somebody says otherwise; handed down frozen once it is loaded.

`loading` reads them from their surroundings, `consistency` says what must hold between them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, PrivateAttr, SecretStr

from sync_worker.model import Revisions, Route
from sync_worker.settings import residency
from sync_worker.settings.bind import DEFAULT_BIND, LARGEST_PORT
from sync_worker.settings.clinic import EMAIL, USER_ID, ClinicFile, start_at, time_zone
from sync_worker.settings.keys import Key as LiveKey
from sync_worker.settings.residency import ADDRESS, HOST_AND_PORT, LOOPBACK, host_of
from sync_worker.settings.surroundings import Supervisor

SECRETS = (
    "HEIDI_API_KEY",
    "CLINIKO_API_KEY",
    "DATABASE_URL",
    "SYNC_HEARTBEAT_URL",
    "SYNC_ALERT_SMTP_PASSWORD",
    "SYNC_ALERT_WEBHOOK_URL",
)
"""Settings whose value is a key or holds one: each may also come from NAME_FILE or systemd's credentials."""

DECIDING = (
    "heidi_region",
    "cliniko_html",
    "sync_mode",
    "sync_start_at",
    "sync_settle_seconds",
    "sync_doubt_first_look_seconds",
    "sync_doubt_second_look_seconds",
    "sync_brake_posts_per_hour",
    "sync_revisions",
    "sync_match_identifiers",
    "sync_diary_veto",
    "sync_note_draft",
)
"""Settings that decide what is filed, on whom and how: the audit trail keeps a hash of them with each note."""

OVERRIDE = ("SYNC_RESIDENCY_OVERRIDE_BY", "SYNC_RESIDENCY_OVERRIDE_REASON")
"""Whose and why the override of residency is."""

KEY = re.compile(r"[!#-&(-\[\]-_a-~]+")
_APP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}")
_PARAMETER = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")


class Region(StrEnum):
    """Heidi's regions: the first part of its production host names."""

    AU = "au"
    US = "us"
    UK = "uk"
    EU = "eu"
    CA = "ca"


class Mode(StrEnum):
    """AUTO files notes; REHEARSE does everything but write to Cliniko."""

    AUTO = "auto"
    REHEARSE = "rehearse"


class TickEngine(StrEnum):
    """Who runs the ticks: this process alone, or any number of workers on one Postgres ledger."""

    EMBEDDED = "embedded"
    PROCRASTINATE = "procrastinate"


class MailTls(StrEnum):
    """How the mail server is spoken to; NONE only on this machine."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class HtmlKind(StrEnum):
    """Which tags the Cliniko account keeps in a note; BASIC is `div` and `br` alone."""

    FULL = "full"
    BASIC = "basic"


def _matching(pattern: re.Pattern[str]) -> BeforeValidator:
    """Fail without the value: hide_input_in_errors is the second lock, not the first."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError("refused")
        return value

    return BeforeValidator(check)


def as_database_url(value: str) -> str:
    """A ledger's address as SQLAlchemy takes it. SQLite in memory is refused: a ledger that forgets is none."""
    if value.startswith("postgresql://"):
        value = value.replace("postgresql://", "postgresql+psycopg://", 1)
    in_a_file = re.fullmatch(r"sqlite:///(?!:memory:)[^?]+", value)
    if not in_a_file and not re.fullmatch(r"postgresql\+psycopg://\S+", value):
        raise ValueError("refused")
    return value


def _networks(value: str) -> tuple[str, ...]:
    """A comma list of IP addresses and networks. Raises ValueError for names, and for everybody (`*`)."""
    return tuple(str(ip_network(one.strip())) for one in value.split(",") if one.strip())


def _emails(value: str) -> tuple[str, ...]:
    """A comma list of e-mail addresses. Raises ValueError without repeating them."""
    found = tuple(one.strip() for one in value.split(",") if one.strip())
    if not all(EMAIL.fullmatch(one) for one in found):
        raise ValueError("refused")
    return found


def _times(value: str) -> tuple[time, ...]:
    """A comma list of times of day such as 07:00; `off` is none. Raises ValueError."""
    if value.strip().lower() == "off":
        return ()
    found = tuple(time.fromisoformat(one.strip()) for one in value.split(",") if one.strip())
    if any(one.tzinfo for one in found):
        raise ValueError("refused")
    return tuple(sorted(found))


def _must(sentence: str, **limits: Any) -> Any:
    """The limits of a setting and the one sentence that is said when they are broken."""
    return Field(description=f"must be {sentence}", **limits)


def _whole(what: str, least: int, most: int) -> Any:
    return _must(f"a whole number of {what} from {least} to {most}", ge=least, le=most)


_YEAR = 366 * 24 * 3600  # a longer wait is a slip of the pen, and overflows dates

Key = Annotated[SecretStr, _matching(KEY), _must("the key alone, without blanks or quotes")]
Email = Annotated[str | None, _matching(EMAIL), _must("an e-mail address"), Field(repr=False)]
BaseUrl = Annotated[
    str | None,
    BeforeValidator(residency.base_url),
    _must("an address such as https://host/path, with no user name or ?"),
]
Interval = Annotated[int, _whole("seconds", 1, _YEAR)]
Delay = Annotated[int, _whole("seconds", 0, _YEAR)]
Timeout = Annotated[float, _must("a number of seconds above 0, at most 3600", gt=0, le=3600, allow_inf_nan=False)]
Switch = Annotated[bool, _must("true or false")]


@dataclass(frozen=True, slots=True)
class ClinicianSettings:
    """A clinician, as Heidi and Cliniko know them. The note's author in Cliniko is the user behind the key."""

    name: str
    heidi_email: str
    heidi_user_id: str
    cliniko_api_key: LiveKey

    @property
    def cliniko_shard(self) -> str:
        """Where the key's Cliniko account lives: the text after the key's last hyphen, au1 where there is none.

        Another key of the same clinician lives there too, or is not taken up.
        """
        return residency.shard_of(self.cliniko_api_key.get_secret_value())


class Settings(BaseModel):
    """Every setting, its name in lower case; `clinicians`, `routes` and the addresses follow from them.

    Only `load_settings` makes one: what a field alone cannot say (residency, who must be named) is checked there.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, validate_default=False)

    heidi_api_key: Key = SecretStr("")
    heidi_region: Annotated[Region, BeforeValidator(str.lower), _must("one of au, us, uk, eu, ca")] = Region.AU
    heidi_base_url: BaseUrl = None
    heidi_user_email: Email = None
    heidi_user_id: Annotated[
        str | None, _matching(USER_ID), _must("at most 128 characters without blanks"), Field(repr=False)
    ] = None
    heidi_updated_since_param: Annotated[str | None, _matching(_PARAMETER), _must("the name of a query parameter")] = (
        None
    )
    heidi_retention_days: Annotated[int | None, _whole("days", 1, 36_500)] = None
    heidi_timeout_seconds: Timeout = 20.0

    cliniko_api_key: Key = SecretStr("")
    cliniko_base_url: BaseUrl = None
    cliniko_app_name: Annotated[str, _matching(_APP_NAME), _must("at most 64 letters, digits, blanks and . _ / -")] = (
        "heidi-cliniko-sync"
    )
    cliniko_contact_email: Email = None
    cliniko_rate_per_minute: Annotated[int, _whole("requests", 1, 100_000)] = 90
    cliniko_html: Annotated[HtmlKind, BeforeValidator(str.lower), _must("full or basic")] = HtmlKind.FULL
    cliniko_timeout_seconds: Timeout = 35.0

    database_url: Annotated[
        SecretStr,
        BeforeValidator(as_database_url),
        _must("sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"),
    ] = SecretStr("sqlite:///data/sync_worker.db")

    sync_config_file: Annotated[Path | None, _must("the path of a file")] = None
    sync_timezone: Annotated[
        ZoneInfo | None, PlainValidator(time_zone), _must("an IANA name such as Australia/Hobart")
    ] = None
    sync_mode: Annotated[Mode, BeforeValidator(str.lower), _must("auto or rehearse")] = Mode.AUTO
    sync_poll_interval_seconds: Interval = 120
    sync_sweep_interval_seconds: Interval = 900
    sync_start_at: Annotated[
        datetime | date | None,
        PlainValidator(start_at),
        _must("a date such as 2026-03-01 or a date-time such as 2026-03-01T08:00+11:00"),
    ] = None
    """A date-time without zone and a date are meant in the practice's time zone."""
    sync_lookback_days: Annotated[int, _whole("days", 1, 3650)] = 14
    sync_cursor_overlap_seconds: Delay = 900
    sync_settle_seconds: Delay = 600
    sync_doubt_first_look_seconds: Delay = 30
    sync_doubt_second_look_seconds: Delay = 120
    sync_brake_posts_per_hour: Annotated[int, _whole("notes", 0, 100_000)] = 30
    sync_revisions: Annotated[Revisions, BeforeValidator(str.lower), _must("review, update_draft or ignore")] = (
        Revisions.REVIEW
    )
    sync_match_identifiers: Annotated[int, _must("2 or 3", ge=2, le=3)] = 2
    sync_diary_veto: Switch = True
    sync_note_draft: Switch = True
    sync_data_residency: Annotated[
        Literal["AU", "OVERRIDE"], BeforeValidator(str.upper), _must("AU, or OVERRIDE with a name and a reason")
    ] = "AU"
    sync_residency_override_by: Annotated[
        str | None, _matching(residency.OVERRIDE_BY), _must("a person's name, at most 64 characters"), Field(repr=False)
    ] = None
    sync_residency_override_reason: Annotated[
        str | None,
        _matching(residency.OVERRIDE_REASON),
        _must("a sentence on one line, of 10 to 300 characters"),
        Field(repr=False),
    ] = None
    sync_allowed_hosts: Annotated[
        tuple[str, ...],
        BeforeValidator(residency.host_names),
        _must("host names with commas between them, no addresses or *"),
    ] = ()
    sync_engine: Annotated[TickEngine, BeforeValidator(str.lower), _must("embedded or procrastinate")] = (
        TickEngine.EMBEDDED
    )
    sync_ticks_at_once: Annotated[int, _whole("clinicians", 1, 64)] = 8

    sync_web_enabled: Switch = True
    sync_web_bind: Annotated[str, _matching(HOST_AND_PORT), _must("HOST:PORT")] = DEFAULT_BIND
    sync_web_base_url: BaseUrl = None
    sync_web_trusted_proxies: Annotated[
        tuple[str, ...], BeforeValidator(_networks), _must("IP addresses or networks with commas between them")
    ] = ()
    sync_web_metrics_from: Annotated[
        tuple[str, ...], BeforeValidator(_networks), _must("IP addresses or networks with commas between them")
    ] = ()
    sync_heartbeat_url: Annotated[
        SecretStr | None, _matching(ADDRESS), _must("an address such as https://host/path")
    ] = None

    sync_alert_email_to: Annotated[
        tuple[str, ...], BeforeValidator(_emails), _must("e-mail addresses with commas between them"), Field(repr=False)
    ] = ()
    sync_alert_email_from: Email = None
    sync_alert_smtp_host: Annotated[str | None, BeforeValidator(residency.host_name), _must("a host's name")] = None
    sync_alert_smtp_port: Annotated[int, _whole("the port's number,", 1, LARGEST_PORT)] = 587
    sync_alert_smtp_user: Annotated[
        str | None, _matching(USER_ID), _must("at most 128 characters without blanks"), Field(repr=False)
    ] = None
    sync_alert_smtp_password: Annotated[
        SecretStr, _matching(re.compile(r"[^\x00-\x1f\x7f]+")), _must("the password alone, on one line")
    ] = SecretStr("")
    sync_alert_smtp_tls: Annotated[MailTls, BeforeValidator(str.lower), _must("starttls, tls or none")] = (
        MailTls.STARTTLS
    )
    sync_alert_webhook_url: Annotated[
        SecretStr | None, _matching(ADDRESS), _must("an address such as https://host/path")
    ] = None
    sync_alert_digest_at: Annotated[
        tuple[time, ...], BeforeValidator(_times), _must("times such as 07:00,16:00 with commas between them, or off")
    ] = (time(7), time(16))
    """In the practice's time zone."""

    sync_log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        BeforeValidator(str.upper),
        _must("DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    ] = "INFO"
    sync_log_format: Annotated[
        Literal["json", "console"] | None, BeforeValidator(str.lower), _must("json or console")
    ] = None

    _clinic: ClinicFile = PrivateAttr(default=ClinicFile())
    _clinicians: tuple[ClinicianSettings, ...] = PrivateAttr(default=())
    _warnings: tuple[str, ...] = PrivateAttr(default=())
    _supervisor: Supervisor = PrivateAttr(default=Supervisor())
    _heidi_key: LiveKey = PrivateAttr(default_factory=lambda: LiveKey(""))

    def complete(
        self, clinic: ClinicFile, clinicians: tuple[ClinicianSettings, ...], supervisor: Supervisor, heidi_key: LiveKey
    ) -> None:
        """Add what the environment alone does not hold; `loading` does, once."""
        self._clinic, self._clinicians = clinic, clinicians
        self._supervisor, self._heidi_key = supervisor, heidi_key

    def remember_warnings(self, sentences: Iterable[str]) -> None:
        """Add what was set and looks like a slip; `loading` does, once: from then on nothing here changes."""
        self._warnings = tuple(sentences)

    @property
    def clinicians(self) -> tuple[ClinicianSettings, ...]:
        """Those of clinic.toml, else the one that the environment describes."""
        return self._clinicians

    @property
    def routes(self) -> tuple[Route, ...]:
        """clinic.toml's routes in their order; a document that fits none takes `model.DEFAULT_ROUTE`."""
        return self._clinic.routes

    @property
    def practice_name(self) -> str | None:
        """The practice's name, where clinic.toml says it."""
        return self._clinic.practice_name

    @property
    def timezone(self) -> ZoneInfo | None:
        """SYNC_TIMEZONE, else clinic.toml's; None means the Cliniko account's."""
        return self.sync_timezone or self._clinic.timezone

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was set and will not be obeyed, one sentence each."""
        return self._warnings

    @property
    def heidi_key(self) -> LiveKey:
        """HEIDI_API_KEY as it is now."""
        return self._heidi_key

    @property
    def supervisor(self) -> Supervisor:
        """Who wants to hear how the service is, as the environment tells."""
        return self._supervisor

    @property
    def fingerprint(self) -> str:
        """Sixteen characters that change when a setting does that decides what is filed and how; no secret counts."""
        deciding = [f"{name}={getattr(self, name)!r}" for name in DECIDING]
        told = [*deciding, f"timezone={self.timezone}", *(repr(route) for route in self.routes)]
        return sha256("\n".join(told).encode()).hexdigest()[:16]

    @property
    def heidi_base(self) -> str:
        """Heidi's base address, ending in a slash."""
        return self.heidi_base_url or residency.heidi_base(self.heidi_region)

    def cliniko_base(self, clinician: ClinicianSettings) -> str:
        """Cliniko's base address for this clinician's key, ending in a slash."""
        return self.cliniko_base_url or residency.cliniko_base(clinician.cliniko_shard)

    @property
    def residency_override(self) -> residency.Override | None:
        """The override in force; its hosts are those that would be refused without it."""
        by, reason = self.sync_residency_override_by, self.sync_residency_override_reason
        if self.sync_data_residency != "OVERRIDE" or by is None or reason is None:
            return None
        bases = [self.heidi_base, residency.heidi_base(self.heidi_region)]
        for one in self.clinicians:
            bases += [self.cliniko_base(one), residency.cliniko_base(one.cliniko_shard)]
        return residency.Override(by, reason, residency.overridden_hosts(map(host_of, bases), self.sync_allowed_hosts))

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """The names of all hosts that may be talked to."""
        bases = [self.heidi_base, *(self.cliniko_base(clinician) for clinician in self.clinicians)]
        return LOOPBACK | set(self.sync_allowed_hosts) | {host_of(base) for base in bases}
