"""What must hold between settings, and no setting can say alone: each rule gives sentences on what to do."""

import importlib.util
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urlsplit

from sync_worker.settings import residency
from sync_worker.settings.bind import LARGEST_PORT
from sync_worker.settings.clinic import ClinicFile
from sync_worker.settings.residency import host_of
from sync_worker.settings.surroundings import Surroundings, misspelt
from sync_worker.settings.values import OVERRIDE, ClinicianSettings, MailTls, Region, Settings, TickEngine

Labelled = list[tuple[str, ClinicianSettings]]
"""Clinicians, each with what its Cliniko key is called in sentences."""
CLINIKO_ALLOWS = 200
"""Requests a minute for each user, which all programs with a key of theirs share."""


def residency_problems(settings: Settings, labelled: Labelled, refused: Collection[str]) -> Iterator[str]:
    """What would let clinical data leave Australia; no setting can say that alone."""
    listed = settings.sync_allowed_hosts
    given = {name: getattr(settings, name.lower()) for name in OVERRIDE}
    yield from residency.override_problems(settings.sync_data_residency, given, refused)
    overridden = settings.sync_data_residency == "OVERRIDE"
    if settings.heidi_region is not Region.AU and not overridden:
        yield "HEIDI_REGION must be au: SYNC_DATA_RESIDENCY=AU refuses every other region."
    for label, clinician in labelled:
        yield from residency.shard_problems(label, clinician.cliniko_shard, overridden=overridden)
    for name in ("HEIDI_BASE_URL", "CLINIKO_BASE_URL"):
        if address := getattr(settings, name.lower()):
            yield from residency.base_url_problems(name, address, listed, overridden=overridden)
    for name in ("SYNC_HEARTBEAT_URL", "SYNC_ALERT_WEBHOOK_URL"):
        if address := getattr(settings, name.lower()):
            yield from residency.listed_url_problems(name, address.get_secret_value(), listed)


def engine_problems(settings: Settings) -> Iterator[str]:
    """What the engine of several workers needs, one thing at a time."""
    if settings.sync_engine is not TickEngine.PROCRASTINATE:
        return
    if settings.database_url.get_secret_value().startswith("sqlite"):
        yield (
            "SYNC_ENGINE=procrastinate needs Postgres: set DATABASE_URL to postgresql+psycopg://USER:PASSWORD@HOST/NAME"
            " (`sync-worker db move` takes a ledger there), or SYNC_ENGINE to embedded."
        )
    elif importlib.util.find_spec("procrastinate") is None:
        yield (
            "SYNC_ENGINE=procrastinate needs the package procrastinate, which is not installed here: install "
            "requirements/distributed.txt, or set SYNC_ENGINE to embedded."
        )


def mail_problems(settings: Settings) -> Iterator[str]:
    """What keeps alarms from being mailed, or would mail them where nobody may listen."""
    host = settings.sync_alert_smtp_host
    if not settings.sync_alert_email_to:
        return
    if host is None:
        yield "SYNC_ALERT_SMTP_HOST is not set: name the mail server that sends to SYNC_ALERT_EMAIL_TO."
        return
    if settings.sync_alert_email_from is None:
        yield "SYNC_ALERT_EMAIL_FROM is not set: give the address from which the mail server sends."
    if not residency.is_loopback(host) and host not in settings.sync_allowed_hosts:
        yield "The host of SYNC_ALERT_SMTP_HOST is not in SYNC_ALLOWED_HOSTS: list it there."
    if settings.sync_alert_smtp_tls is MailTls.NONE and not residency.is_loopback(host):
        yield "SYNC_ALERT_SMTP_TLS must be starttls or tls: only this machine may be spoken to without encryption."


def page_problems(settings: Settings) -> Iterator[str]:
    """What would let the page's passwords and patients travel where others can read them."""
    if not settings.sync_web_enabled:
        return
    base = settings.sync_web_base_url
    if int(settings.sync_web_bind.rpartition(":")[2]) > LARGEST_PORT:
        yield f"SYNC_WEB_BIND must be HOST:PORT with a port of at most {LARGEST_PORT}."
    if base is not None and not _is_whole_site(base):
        yield (
            "SYNC_WEB_BASE_URL must be https://HOST or https://HOST:PORT with nothing behind it: the page's links "
            "begin at the host, so give it a host name of its own."
        )
    if base is not None and urlsplit(base).scheme != "https" and not residency.is_loopback(host_of(base)):
        yield "SYNC_WEB_BASE_URL must begin with https://: put a proxy with a certificate before the page."
    if base is None and not residency.is_loopback(settings.sync_web_bind.rpartition(":")[0].strip("[]")):
        yield (
            "SYNC_WEB_BIND opens the page to the network: set SYNC_WEB_BASE_URL to the https:// address under which "
            "people reach it, or bind it to 127.0.0.1."
        )


def _is_behind_an_unnamed_proxy(settings: Settings) -> bool:
    base = settings.sync_web_base_url
    is_proxied = settings.sync_web_enabled and base is not None and not residency.is_loopback(host_of(base))
    return is_proxied and not settings.sync_web_trusted_proxies


def _is_stand_in(base: str | None) -> bool:
    return base is not None and residency.is_loopback(host_of(base))


def _is_whole_site(base: str) -> bool:
    try:
        return urlsplit(base).path == "/" and (urlsplit(base).port or 1) <= LARGEST_PORT
    except ValueError:  # how the standard library tells of a larger port
        return False


def warnings(given: Mapping[str, str], clinic: ClinicFile, settings: Settings, around: Surroundings) -> Iterator[str]:
    """What was set and is not obeyed, and what is obeyed and looks like a slip."""
    if (override := settings.residency_override) is not None:
        yield override.warning
    pointed_at = {one.cliniko_api_key.env for one in clinic.clinicians if one.cliniko_api_key}
    for name in ("HEIDI_USER_EMAIL", "HEIDI_USER_ID", "CLINIKO_API_KEY"):
        if clinic.lists_clinicians and name in given and name not in pointed_at:
            yield f"{name} is not used: the file of SYNC_CONFIG_FILE lists the clinicians and wins."
    if _is_behind_an_unnamed_proxy(settings):
        yield (
            "SYNC_WEB_BASE_URL is set without SYNC_WEB_TRUSTED_PROXIES: all callers will look like the proxy, and "
            "share five tries a minute to log in. Set it to the proxy's IP address."
        )
    if settings.cliniko_rate_per_minute > CLINIKO_ALLOWS and not _is_stand_in(settings.cliniko_base_url):
        yield (
            f"CLINIKO_RATE_PER_MINUTE={settings.cliniko_rate_per_minute} is more than the {CLINIKO_ALLOWS} requests a "
            "minute that Cliniko allows a user: it refuses what is above, of your other programs too. Set it lower."
        )
    keys = [clinician.cliniko_api_key.get_secret_value() for clinician in settings.clinicians]
    if len(set(keys)) < len(keys):
        yield "Two clinicians share one Cliniko key: the notes of both will have the same author in Cliniko."
    yield from misspelt(around.names(), [field.upper() for field in Settings.model_fields], pointed_at)
