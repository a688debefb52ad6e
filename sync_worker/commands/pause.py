"""`pause` and `resume`: recorded in the ledger, so that they hold over restarts and for every process."""

from sync_worker.clock import SystemClock
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, say
from sync_worker.errors import NotPossible
from sync_worker.ledger import Ledger
from sync_worker.ledger.decisions import Decisions


def pause(clinician: str | None) -> int:
    """Stop posting for a clinician, or for everybody."""
    decisions, ids, who = _prepare(clinician)
    decisions.pause(ids, SystemClock().now())
    resume = "sync-worker resume" if clinician is None else f'sync-worker resume "{clinician}"'
    say(f"Posting is paused for {who}. Sessions are still taken in. `{resume}` ends it.")
    return DONE


def resume(clinician: str | None) -> int:
    """Post again, for a clinician or for everybody."""
    decisions, ids, who = _prepare(clinician)
    if ids is not None and decisions.is_everybody_paused():
        raise NotPossible("Posting is paused for everybody: `sync-worker resume`, without a name, ends that.")
    decisions.resume(ids, SystemClock().now())
    say(f"Posting is on again for {who}.")
    return DONE


def _prepare(clinician: str | None) -> tuple[Decisions, list[int] | None, str]:
    settings, _ = setup.load()
    engine = setup.require_ledger(settings, read_only=False)
    decisions = Decisions(engine, setup.actor())
    if clinician is None:
        return decisions, None, "everybody"
    named = setup.clinicians_named(settings, clinician)
    clinicians = Ledger(engine, region=settings.heidi_region).clinicians
    ids = [clinicians.enter(one.heidi_user_id).clinician_id for one in named]  # a pause may come before the first tick
    return decisions, ids, ", ".join(one.name for one in named)
