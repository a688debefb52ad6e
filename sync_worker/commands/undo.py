"""`undo`: takes back a note that we wrote and nobody has touched; for any other it tells what to do by hand.

The note is looked at here, so that the person learns at once; the worker's next tick looks again, and archives it.
"""

from sync_worker.amend import is_untouched
from sync_worker.bootstrap import cliniko_client
from sync_worker.commands import setup
from sync_worker.commands.review import actor, clinician_of, life_of, require_code, tell
from sync_worker.errors import NotPossible
from sync_worker.ledger import Ledger
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.views import EntryLife
from sync_worker.settings import Mode


def undo(entry: int, reason: str, *, as_json: bool) -> int:
    """Have an entry's note archived with the next tick. Raises `NotPossible`, with the steps by hand, if touched."""
    require_code(reason)
    settings, clock = setup.load_to_ask()
    engine = setup.require_ledger(settings, read_only=False)
    life = life_of(engine, entry)
    known = Ledger(engine, region=settings.heidi_region).entries.get(entry)
    if settings.sync_mode is Mode.REHEARSE:
        raise NotPossible("SYNC_MODE=rehearse changes nothing in Cliniko: archive the note there by hand.")
    if known is None or life.note_id is None or life.status == "withdrawn":
        raise NotPossible(f"Entry {entry} is {life.status.replace('_', ' ')}: there is no note to take back.")
    client = cliniko_client(settings, clinician_of(settings, life), clock)
    try:
        note = client.find_note(life.note_id)
    finally:
        client.close()
    if note is None:
        raise NotPossible(f"Cliniko shows no note {life.note_id} to this clinician's key: look for it there by hand.")
    if not note.archived and not is_untouched(Ledger(engine, region=settings.heidi_region), known, note):
        raise NotPossible(_by_hand(life))
    Decisions(engine, actor()).withdraw(entry, reason, clock.now())
    sentence = f"Note {life.note_id} is archived with the next tick, if nobody touches it."
    return tell(engine, entry, sentence, as_json=as_json)


def _by_hand(life: EntryLife) -> str:
    note, patient = life.note_id, life.patient_id
    return (
        f"Note {note} is not, or not for sure, as this program left it, so only its author may take it back. By hand: "
        f"1. open note {note} of patient {patient} in Cliniko; 2. copy what the clinician added to where it belongs; "
        "3. archive the note there; 4. run this command again, which then records that it was taken back."
    )
