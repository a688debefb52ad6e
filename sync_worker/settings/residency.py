"""Which hosts and Cliniko shards may be talked to: those in Australia, those the owner listed by name, and loopback.

Owns the facts about the two services' host names, says in sentences what breaks the rule, and who may let it be broken:
an override with a person's name and reason. It opens no connection.
Shards are known by their pattern and not by a list, since Cliniko adds some over the years
(https://docs.api.cliniko.com, "Shards").
"""

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_HOST = r"(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)"
_HOST_NAME = re.compile(_HOST)
HOST_AND_PORT = re.compile(rf"{_HOST}:\d{{1,5}}")
# No user name, no backslash: what two parsers read differently could pass the check and go elsewhere.
ADDRESS = re.compile(rf"https?://{_HOST}(?::\d{{1,5}})?(?:[/?][!-\[\]-~]*)?", re.IGNORECASE)

_SHARD = re.compile(r"[a-z]{2}\d{1,2}", re.ASCII)
_AUSTRALIAN_SHARD = re.compile(r"au\d{1,2}", re.ASCII)
_AUSTRALIAN_HOST = re.compile(r"au\.api\.heidihealth\.com|api\.au\d{1,2}\.cliniko\.com", re.ASCII)
_REGIONAL_HOST = re.compile(r"([a-z]{2})\.api\.heidihealth\.com|api\.([a-z]{2})\d{1,2}\.cliniko\.com", re.ASCII)
_HEIDI_TESTING_HOST = "registrar.api.heidihealth.com"
_COUNTRIES = {
    "au": "Australia",
    "us": "the United States",
    "uk": "the United Kingdom",
    "eu": "the European Union",
    "ca": "Canada",
}

OVERRIDE_BY = re.compile(r"[^\W\d_][\w .,'-]{1,63}")
"""A person's name, as the audit trail can hold it."""
OVERRIDE_REASON = re.compile(r"(?=.*\w)[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{10,300}")
"""A sentence on one line."""


@dataclass(frozen=True, slots=True)
class Override:
    """Who lets clinical data leave Australia, why, and to which hosts. The text is for the trail, never the log."""

    by: str
    reason: str = field(repr=False)
    hosts: tuple[str, ...]

    @property
    def warning(self) -> str:
        """What stands to be told as long as it is in force; without name and reason, since logs may hold it."""
        if not self.hosts:
            return "SYNC_DATA_RESIDENCY=OVERRIDE is in force, and every host is in Australia: set it back to AU."
        return (
            f"SYNC_DATA_RESIDENCY=OVERRIDE lets clinical data leave Australia: {', '.join(self.hosts)}. "
            "`sync-worker log` tells who decided it, and why."
        )


def base_url(value: str) -> str:
    """An address with one slash at its end, so that paths can be joined to it. Raises ValueError for anything else."""
    if not ADDRESS.fullmatch(value) or "?" in value or "#" in value:
        raise ValueError("not a base address")
    return value.rstrip("/") + "/"


def host_names(value: str) -> tuple[str, ...]:
    """A comma list of host names. Raises ValueError for addresses and wildcards: hosts are listed by name."""
    hosts = tuple(one.strip().lower().rstrip(".") for one in value.split(",") if one.strip())
    if not all(_HOST_NAME.fullmatch(one) for one in hosts):
        raise ValueError("not a host name")
    return hosts


def host_name(value: str) -> str:
    """One host's name, or this machine's. Raises ValueError for other addresses."""
    host = value.strip().lower().rstrip(".")
    if not is_loopback(host) and not _HOST_NAME.fullmatch(host):
        raise ValueError("not a host name")
    return host


def heidi_base(region: str) -> str:
    """The base address of Heidi's Open API in a region."""
    return f"https://{region}.api.heidihealth.com/api/v2/ml-scribe/open-api/"


def cliniko_base(shard: str) -> str:
    """The base address of Cliniko's API on a shard."""
    return f"https://api.{shard}.cliniko.com/v1/"


def shard_of(key: str) -> str:
    """A Cliniko key's shard: the text after its last hyphen; keys of the first years have none and mean au1."""
    _, hyphen, tail = key.rpartition("-")
    return tail.lower() if hyphen else "au1"


def host_of(address: str) -> str:
    """The address's host name in lower case, without a last dot."""
    return (urlsplit(address).hostname or "").rstrip(".")


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    try:
        return host in LOOPBACK or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def country_of(host: str) -> str | None:
    """The country or union that the host's name claims, if any. No name proves where servers stand."""
    found = _REGIONAL_HOST.fullmatch(host)
    code = (found[1] or found[2]) if found else None
    return _COUNTRIES.get(code, code.upper()) if code else None


def may_pass(host: str, listed: Collection[str]) -> bool:
    """Whether patients' data may go to a host without an override: Australia's, this machine, or one listed by name.

    A name that claims another country passes no list.
    """
    if is_loopback(host) or _AUSTRALIAN_HOST.fullmatch(host):
        return True
    return host in listed and country_of(host) is None


def overridden_hosts(hosts: Iterable[str], listed: Collection[str]) -> tuple[str, ...]:
    """Those hosts that only an override lets pass, in order."""
    return tuple(sorted({host for host in hosts if not may_pass(host, listed)}))


def shard_problems(label: str, shard: str, *, overridden: bool = False) -> Iterator[str]:
    """What is wrong with the shard of the key called `label`; one that is none is not repeated: it is key text."""
    if not _SHARD.fullmatch(shard):
        yield f"{label} does not end in a shard such as -au3: copy the whole key from Cliniko."
    elif not overridden and not _AUSTRALIAN_SHARD.fullmatch(shard):
        yield f"{label} belongs to the shard {shard}, outside Australia: SYNC_DATA_RESIDENCY=AU refuses it."


def base_url_problems(name: str, address: str, listed: Collection[str], *, overridden: bool = False) -> Iterator[str]:
    """What is wrong with where an overridden base address points."""
    host = host_of(address)
    if host == _HEIDI_TESTING_HOST:
        yield f"{name} is Heidi's testing host, where patients' data must not go: remove it."
    elif not overridden and not may_pass(host, listed):
        if country_of(host) is not None:
            yield f"{name} is a host outside Australia: SYNC_DATA_RESIDENCY=AU refuses it, listed or not."
        else:
            yield f"{name} is not a host in Australia that we know: correct it, or list its host in SYNC_ALLOWED_HOSTS."
    yield from _plain_http_problems(name, address)


def override_problems(residency: str, given: Mapping[str, str | None], refused: Collection[str]) -> Iterator[str]:
    """What is missing of an override: all three settings, or none. `residency` is AU or OVERRIDE.

    `given` are its other two settings, the name first; of those `refused` enough was said.
    """
    if residency == "OVERRIDE":
        for (name, value), what in zip(given.items(), ("the person's name", "a sentence that says why"), strict=True):
            if value is None and name not in refused:
                yield f"{name} is not set: SYNC_DATA_RESIDENCY=OVERRIDE needs {what}."
    elif any(value is not None for value in given.values()):
        yield (
            "SYNC_RESIDENCY_OVERRIDE_BY and SYNC_RESIDENCY_OVERRIDE_REASON override nothing while SYNC_DATA_RESIDENCY "
            "is AU: set that to OVERRIDE, or remove them."
        )


def listed_url_problems(name: str, address: str, listed: Collection[str]) -> Iterator[str]:
    """What is wrong with an address of the owner's own choice: its host must be listed by name."""
    host = host_of(address)
    if not is_loopback(host) and host not in listed:
        yield f"The host of {name} is not in SYNC_ALLOWED_HOSTS: list it there, or remove {name}."
    yield from _plain_http_problems(name, address)


def _plain_http_problems(name: str, address: str) -> Iterator[str]:
    if urlsplit(address).scheme.lower() != "https" and not is_loopback(host_of(address)):
        yield f"{name} must begin with https://: only this machine may be spoken to without encryption."
