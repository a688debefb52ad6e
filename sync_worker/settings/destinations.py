"""Where this program can send anything: each host, what goes there, which setting lets it, and the country it claims.

Pure: it reads the settings and asks nobody. What a host's name says can be proved here; where the servers behind it
stand is the service's promise, and its contract's business.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import URL, make_url

from sync_worker.settings.residency import cliniko_base, country_of, heidi_base, host_of, is_loopback
from sync_worker.settings.values import Settings

TO_PEOPLE = "codes and sentences of alarms, names of clinicians, counts, and the last hash of each audit trail"
ALARMS = {
    "alarm mail": ("sync_alert_smtp_host", TO_PEOPLE),
    "alarm webhook": ("sync_alert_webhook_url", TO_PEOPLE),
    "heartbeat": ("sync_heartbeat_url", "nothing but that this program works"),
}
"""Destinations of the owner's choice: the setting that names the host, and what goes there."""
TO_HEIDI = (
    "the practice's Heidi key, the clinician's e-mail and id, and ids of sessions and profiles; what Heidi answers are "
    "patients' names, birth dates and documents"
)
TO_CLINIKO = (
    "the clinician's Cliniko key, the notes with their whole text, and patients' names, birth dates and e-mails to "
    "search by; what Cliniko answers are charts, bookings and notes"
)
TO_LEDGER = "ids, times, statuses, keyed hashes, accounts of the page and the audit trail"


@dataclass(frozen=True, slots=True)
class Destination:
    """One host that may be talked to. `country` is what its name claims; None where it claims nothing."""

    name: str
    host: str
    data: str
    patients_data: bool
    allowed_by: str
    country: str | None
    provable: str
    promised: str


def destinations(settings: Settings) -> list[Destination]:
    """Every destination, those of patients' data first."""
    found = [_service("Heidi", host_of(settings.heidi_base), TO_HEIDI, _heidi_allowed_by(settings))]
    for base in dict.fromkeys(settings.cliniko_base(one) for one in settings.clinicians):
        found.append(_service("Cliniko", host_of(base), TO_CLINIKO, _cliniko_allowed_by(settings, base)))
    for name, (setting, data) in ALARMS.items():
        if host := _host_in(settings, setting):
            found.append(_other(name, host, data, f"{setting.upper()} and SYNC_ALLOWED_HOSTS"))
    ledger = make_url(settings.database_url.get_secret_value())
    if ledger.get_backend_name() != "sqlite":
        found += [_other("ledger", host, TO_LEDGER, "DATABASE_URL alone") for host in _ledger_hosts(ledger)]
    return found


def unused_hosts(settings: Settings, found: Sequence[Destination]) -> list[str]:
    """Hosts of SYNC_ALLOWED_HOSTS to which nothing goes: each is a permission that nobody needs."""
    return sorted(set(settings.sync_allowed_hosts) - {one.host for one in found})


def in_words(settings: Settings, found: Sequence[Destination]) -> Iterator[str]:
    """The same for a person."""
    for one in found:
        yield f"{one.name}: {one.host}"
        yield f"  goes there: {one.data}"
        yield f"  patients' data: {'YES' if one.patients_data else 'no'}"
        yield f"  allowed by: {one.allowed_by}"
        yield f"  country: {one.country or 'unknown, since its name claims none'}"
        yield f"  provable: {one.provable}"
        yield f"  promised: {one.promised}"
    for host in unused_hosts(settings, found):
        yield f"{host} is in SYNC_ALLOWED_HOSTS, and nothing goes there: remove it."
    override = settings.residency_override
    if override is None:
        yield "Residency: AU. Any other region, shard or host of patients' data is refused when the program starts."
    else:
        hosts = ", ".join(override.hosts) or "nothing, since every host is in Australia"
        yield f"Residency: OVERRIDDEN by {override.by}, because: {override.reason} It lets pass: {hosts}."


def _service(name: str, host: str, data: str, allowed_by: str) -> Destination:
    if is_loopback(host):
        return _here(name, host, data, allowed_by, patients_data=True)
    country = country_of(host)
    provable = "the host's name and the region in it" if country else "the host's name, which the owner chose"
    whose = f"{name}'s" if country else "the promise of whoever runs the host"
    promised = (
        f"{whose} promise: where the servers stand" if country else f"{whose}: where it stands, and what it keeps"
    )
    return Destination(name, host, data, True, allowed_by, country, provable, promised)


def _other(name: str, host: str, data: str, allowed_by: str) -> Destination:
    if is_loopback(host):
        return _here(name, host, data, allowed_by, patients_data=False)
    promised = "whoever runs the host: where it stands, and what it keeps"
    return Destination(name, host, data, False, allowed_by, None, "the host's name, which the owner chose", promised)


def _here(name: str, host: str, data: str, allowed_by: str, *, patients_data: bool) -> Destination:
    provable = "the address: nothing leaves this machine"
    return Destination(name, host, data, patients_data, allowed_by, "this machine", provable, "nothing")


def _heidi_allowed_by(settings: Settings) -> str:
    if settings.heidi_base_url is None or host_of(settings.heidi_base_url) == host_of(
        heidi_base(settings.heidi_region)
    ):
        return _and_override(settings, host_of(settings.heidi_base), f"HEIDI_REGION={settings.heidi_region}")
    return _and_override(settings, host_of(settings.heidi_base), "HEIDI_BASE_URL")


def _cliniko_allowed_by(settings: Settings, base: str) -> str:
    shards = sorted({one.cliniko_shard for one in settings.clinicians if settings.cliniko_base(one) == base})
    derived = {host_of(cliniko_base(shard)) for shard in shards}
    setting = f"the shard {', '.join(shards)} of the keys" if host_of(base) in derived else "CLINIKO_BASE_URL"
    return _and_override(settings, host_of(base), setting)


def _and_override(settings: Settings, host: str, setting: str) -> str:
    override = settings.residency_override
    if override is not None and host in override.hosts:
        return f"{setting}, with SYNC_DATA_RESIDENCY=OVERRIDE by {override.by}"
    return f"{setting} and SYNC_ALLOWED_HOSTS" if host in settings.sync_allowed_hosts else setting


def _ledger_hosts(ledger: URL) -> list[str]:
    """The hosts of a database's address: those behind its ?, as libpq takes them, win over the one before it."""
    named = [one for name in ("hostaddr", "host") for one in ledger.normalized_query.get(name, ())]
    hosts = [host for one in named for host in one.split(",") if host] or [ledger.host or "localhost"]
    # a path is a socket of this machine
    return list(dict.fromkeys("localhost" if host.startswith(("/", "@")) else _without_port(host) for host in hosts))


def _without_port(host: str) -> str:
    return host.partition(":")[0].lower() if host.count(":") == 1 else host.strip("[]").lower()


def _host_in(settings: Settings, setting: str) -> str | None:
    """The host that a setting names, itself or in its address; None where it is not set."""
    value = getattr(settings, setting, None)
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not text:
        return None
    return host_of(text) if urlsplit(text).hostname else str(text).lower()
