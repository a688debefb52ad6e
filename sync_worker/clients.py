"""How a clinician's two clients ask: whom, by which key, how long and how often at most."""

import math
from dataclasses import dataclass

from sync_worker import __version__
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.heidi import HeidiClient
from sync_worker.http import READ_ATTEMPTS, HttpClient, Observer, unobserved
from sync_worker.rate import Budget, RateBudget
from sync_worker.settings import ClinicianSettings, Settings

PAGE_DEADLINE_SECONDS = 6.0
PAGE_SILENCE_SECONDS = 60.0
CHECK_DEADLINE_SECONDS = 10.0
"""Somebody waits for a page: it asks once, not long, and then leaves a service that does not answer alone. Who checks
wants to be sure, and waits a little longer."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a client asks: how often, how long at most, and how long it leaves a service alone that did not answer."""

    tries: int = READ_ATTEMPTS
    longest_seconds: float = math.inf
    silence_seconds: float = 0.0


WORKERS = Manners()
PAGES = Manners(tries=1, longest_seconds=PAGE_DEADLINE_SECONDS, silence_seconds=PAGE_SILENCE_SECONDS)
CHECKS = Manners(tries=1, longest_seconds=CHECK_DEADLINE_SECONDS, silence_seconds=PAGE_SILENCE_SECONDS)


def heidi_client(
    settings: Settings,
    clinician: ClinicianSettings,
    clock: Clock,
    manners: Manners = WORKERS,
    observe: Observer = unobserved,
) -> HeidiClient:
    """Heidi as this clinician sees it."""
    http = HttpClient(
        service="heidi",
        base_url=settings.heidi_base,
        headers={"Accept": "application/json", "User-Agent": f"{settings.cliniko_app_name}/{__version__}"},
        allowed_hosts=settings.allowed_hosts,
        deadline_seconds=min(settings.heidi_timeout_seconds, manners.longest_seconds),
        clock=clock,
        tries=manners.tries,
        silence_seconds=manners.silence_seconds,
        observe=observe,
    )
    return HeidiClient(
        http=http,
        api_key=settings.heidi_key.get_secret_value,
        email=clinician.heidi_email,
        user_id=clinician.heidi_user_id,
        region=settings.heidi_region,
        clock=clock,
    )


def cliniko_client(
    settings: Settings,
    clinician: ClinicianSettings,
    clock: Clock,
    budget: Budget | None = None,
    manners: Manners = WORKERS,
    observe: Observer = unobserved,
) -> ClinikoClient:
    """Cliniko as this clinician's key sees it. The User-Agent names a contact, as Cliniko's reference demands."""
    return ClinikoClient(
        HttpClient(
            service="cliniko",
            base_url=settings.cliniko_base(clinician),
            headers={
                "Accept": "application/json",
                "User-Agent": f"{settings.cliniko_app_name} ({settings.cliniko_contact_email})",
            },
            user_name=clinician.cliniko_api_key.get_secret_value,
            allowed_hosts=settings.allowed_hosts,
            deadline_seconds=min(settings.cliniko_timeout_seconds, manners.longest_seconds),
            clock=clock,
            budget=budget or RateBudget(settings.cliniko_rate_per_minute, clock),
            tries=manners.tries,
            silence_seconds=manners.silence_seconds,
            observe=observe,
        )
    )
