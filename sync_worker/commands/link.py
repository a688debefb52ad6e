"""`link`: how a clinician links their Heidi account to this program's user."""

from sync_worker.clients import heidi_client
from sync_worker.clock import SystemClock
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, PARTLY, say
from sync_worker.settings import ClinicianSettings, Settings

ASK_EVERY_SECONDS = 3
WAIT_SECONDS = 15 * 60


def link(wanted: str | None) -> int:
    """Print each address, and wait until the account is linked. 1 if it was not within a quarter of an hour."""
    settings, clock = setup.load_to_ask()
    results = [_link(settings, clock, clinician) for clinician in setup.clinicians_named(settings, wanted)]
    return DONE if all(results) else PARTLY


def _link(settings: Settings, clock: SystemClock, clinician: ClinicianSettings) -> bool:
    heidi = heidi_client(settings, clinician, clock)
    try:
        if heidi.is_linked():
            say(f"{clinician.name} is linked.")
            return True
        say(f"{clinician.name}: open this address in a browser, signed in to your own Heidi account.")
        say("It holds a key to your account for a while: open it here, and send it to nobody.")
        say(heidi.link_url())
        for _ in range(WAIT_SECONDS // ASK_EVERY_SECONDS):
            clock.sleep(ASK_EVERY_SECONDS)
            if heidi.is_linked():
                say(f"{clinician.name} is linked now.")
                return True
    finally:
        heidi.close()
    say(f"{clinician.name} is not linked yet. Run `sync-worker link` again when you are ready.")
    return False
