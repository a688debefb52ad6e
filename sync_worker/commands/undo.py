"""`undo`: takes back a note that we wrote and nobody has touched; for any other it tells what to do by hand.

The note is looked at here, so that the person learns at once; the worker's next tick looks again, and archives it. A
note on the wrong patient is reported before Cliniko is asked, as on the page: it may be down just then. That happens
once: who runs the command again, after steps by hand, only has it recorded that the note is gone.
"""

from sync_worker.amend import is_untouched
from sync_worker.clients import cliniko_client
from sync_worker.clock import Clock
from sync_worker.commands import setup
from sync_worker.commands.review import clinician_of, life_of, require_code, tell
from sync_worker.errors import NotPossible, RemoteError
from sync_worker.ledger import Ledger
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.views import EntryLife
from sync_worker.records import Entry, PauseReason
from sync_worker.settings import Mode, Settings


def undo(entry: int, reason: str, *, as_json: bool) -> int:
    """Have an entry's note archived with the next tick. Raises `NotPossible`, with the steps by hand, if touched."""
    require_code(reason)
    settings, clock = setup.load_to_ask()
    engine = setup.require_ledger(settings, read_only=False)
    life, decisions = life_of(engine, entry), Decisions(engine, setup.actor())
    ledger = Ledger(engine, region=settings.heidi_region)
    known = ledger.entries.get(entry)
    if known is None or life.note_id is None or life.status == "withdrawn":
        raise NotPossible(f"Entry {entry} is {life.status.replace('_', ' ')}: there is no note to take back.")
    sentence = f"Note {life.note_id} is archived with the next tick, if nobody touches it."
    if reason != PauseReason.WRONG_PATIENT or known.patient_id in known.barred:  # reported already
        _require_within_reach(settings, ledger, clock, life, known)
        decisions.withdraw(entry, reason, clock.now())
        return tell(engine, entry, sentence, as_json=as_json)
    decisions.wrong_patient(entry, clock.now())
    paused = _paused(settings, life)
    try:
        _require_within_reach(settings, ledger, clock, life, known)
    except NotPossible as error:
        raise NotPossible(f"{paused} {error}") from None
    except RemoteError as error:
        later = "The note is archived once Cliniko can be asked, if nobody touches it."
        raise NotPossible(f"{paused} {later} {error.sentence}") from None
    return tell(engine, entry, f"{paused} {sentence}", as_json=as_json)


def _paused(settings: Settings, life: EntryLife) -> str:
    """That the clinician is paused, and how that ends for them alone: other clinicians' pauses are other stories."""
    name = next((one.name for one in settings.clinicians if one.heidi_user_id == life.heidi_user_id), None)
    if name is None:
        return "Posting is paused for this clinician."
    return f'Posting is paused for {name} until `sync-worker resume "{name}"`.'


def _require_within_reach(settings: Settings, ledger: Ledger, clock: Clock, life: EntryLife, known: Entry) -> None:
    """Raise `NotPossible`, with what to do by hand, where this program may not archive the note."""
    if settings.sync_mode is Mode.REHEARSE:
        raise NotPossible("SYNC_MODE=rehearse changes nothing in Cliniko: archive the note there by hand.")
    client = cliniko_client(settings, clinician_of(settings, life), clock)
    try:
        note = client.find_note(str(life.note_id))
    finally:
        client.close()
    if note is None:
        raise NotPossible(f"Cliniko shows no note {life.note_id} to this clinician's key: look for it there by hand.")
    if not note.archived and not is_untouched(ledger, known, note):
        raise NotPossible(_by_hand(life))


def _by_hand(life: EntryLife) -> str:
    note, patient = life.note_id, life.patient_id
    return (
        f"Note {note} is not, or not for sure, as this program left it, so only its author may take it back. By hand: "
        f"1. open note {note} of patient {patient} in Cliniko; 2. copy what the clinician added to where it belongs; "
        "3. archive the note there; 4. run this command again, which then records that it was taken back."
    )
