"""`review`: what waits for a person, and what the person decides.

Decisions go to the ledger; the worker acts on them.
"""

import re
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from sync_worker.advice import ADVICE
from sync_worker.clients import cliniko_client
from sync_worker.cliniko_values import CLINIKO_ID
from sync_worker.clock import SystemClock
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, print_json, say
from sync_worker.commands.preview import preview_json, show_previews
from sync_worker.errors import ConfigurationError, NotPossible
from sync_worker.ledger import Ledger
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.views import EntryLife, ReviewItem, Views
from sync_worker.records import Reason
from sync_worker.settings import ClinicianSettings, Settings
from sync_worker.workbench import scope_of, workbench

CODE = re.compile(r"[a-z][a-z0-9_]{0,47}")


def list_waiting(*, as_json: bool) -> int:
    """Print the review list."""
    settings, _ = setup.load()
    engine = setup.require_ledger(settings)
    items = Views(engine).review_list()
    names = {one.heidi_user_id: one.name for one in settings.clinicians}
    if as_json:
        print_json({"entries": [_item_json(item, names) for item in items]})
    elif not items:
        say("Nothing waits for a person.")
    else:
        _show_list(items, names, setup.zone(settings, engine))
    return DONE


def show(entry: int, *, as_json: bool) -> int:
    """Print one entry's whole life."""
    settings, _ = setup.load()
    engine = setup.require_ledger(settings)
    life = life_of(engine, entry)
    if as_json:
        print_json(_life_json(life))
    else:
        _show_life(life, setup.zone(settings, engine))
    return DONE


def preview(entry: int, *, as_json: bool) -> int:
    """Print one entry's note as it would be sent now, from live data. Writes nothing, anywhere."""
    settings, clock = setup.load_to_ask()
    ledger = Ledger(setup.require_ledger(settings), region=settings.heidi_region)
    clinician = clinician_of(settings, life_of(ledger.engine, entry))
    found = ledger.entries.get(entry)
    assert found is not None  # noqa: S101 - `life_of` has just read it
    with workbench(settings, clinician, ledger, clock) as one:
        session = one.reader.session(found.session_id)
        scope = scope_of(settings, one.state, one.identity, None, clock.now())
        if session is not None:
            scope = replace(scope, oldest=min(scope.oldest, session.created_at))
        seen = one.previewer.preview(one.planner(scope).plan_entry(found))
    if as_json:
        print_json(preview_json(seen))
    else:
        show_previews([seen])
    return DONE


def assign(entry: int, patient: str, *, as_json: bool) -> int:
    """File an entry on this patient, with the next tick."""
    if not CLINIKO_ID.fullmatch(patient):
        raise ConfigurationError(["--patient takes the number at the end of the patient's address in Cliniko."])
    engine, decisions, clock = _deciding()
    decisions.assign(entry, patient, clock.now())
    return tell(engine, entry, "It is filed on that patient with the next tick.", as_json=as_json)


def dismiss(entry: int, reason: str, *, as_json: bool) -> int:
    """Do not file an entry."""
    require_code(reason)
    engine, decisions, clock = _deciding()
    decisions.dismiss(entry, reason, clock.now())
    return tell(engine, entry, "It is not filed.", as_json=as_json)


def retry(entry: int, *, as_json: bool) -> int:
    """Try an entry again with the next tick."""
    settings, clock = setup.load()
    engine = setup.require_ledger(settings, read_only=False)
    Decisions(engine, setup.actor()).retry(entry, clock.now())
    return tell(engine, entry, "It is tried again with the next tick.", as_json=as_json)


def resolve(entry: int, note: str | None, *, not_there: bool, as_json: bool) -> int:
    """End a doubt. A note's id is looked up in Cliniko first: a slip of the pen would lose the document."""
    if (note is None) is not not_there:
        raise ConfigurationError(["Say either --note ID, if the note is in Cliniko, or --not-there."])
    if note is not None and not CLINIKO_ID.fullmatch(note):
        raise ConfigurationError(["--note takes the number of the note in its Cliniko address."])
    settings, clock = setup.load()
    engine = setup.require_ledger(settings, read_only=False)
    decisions = Decisions(engine, setup.actor())
    if note is None:
        decisions.resolve_not_there(entry, clock.now())
        return tell(
            engine,
            entry,
            "It is filed once more, on the same patient, two minutes from now at the soonest.",
            as_json=as_json,
        )
    _require_note(settings, engine, clock, entry, note)
    decisions.resolve_there(entry, note, clock.now())
    return tell(engine, entry, f"Its note is {note}.", as_json=as_json)


def require_code(reason: str) -> None:
    """Refuse a reason that is no code: words could hold a patient's data."""
    if not CODE.fullmatch(reason):
        raise ConfigurationError(
            ["--reason takes a code of small letters and underscores, such as filed_by_hand: never a patient's data."]
        )


def clinician_of(settings: Settings, life: EntryLife) -> ClinicianSettings:
    """The clinician whose entry it is, with their key. Raises `NotPossible` if they left the settings."""
    found = next((one for one in settings.clinicians if one.heidi_user_id == life.heidi_user_id), None)
    if found is None:
        raise NotPossible("The entry's clinician is not in the settings any more, so the note cannot be looked up.")
    return found


def _deciding() -> tuple[Engine, Decisions, SystemClock]:
    settings, clock = setup.load()
    engine = setup.require_ledger(settings, read_only=False)
    return engine, Decisions(engine, setup.actor()), clock


def _require_note(settings: Settings, engine: Engine, clock: SystemClock, entry: int, note: str) -> None:
    setup.require_told_residency(settings)
    clinician = clinician_of(settings, life_of(engine, entry))
    client = cliniko_client(settings, clinician, clock)
    try:
        if client.find_note(note) is None:
            raise NotPossible(f"Cliniko shows no note {note} to {clinician.name}'s key: check the number.")
    finally:
        client.close()


def life_of(engine: Engine, entry: int) -> EntryLife:
    """One entry with its whole life. Raises `NotPossible` if there is no such number."""
    life = Views(engine).entry_life(entry)
    if life is None:
        raise NotPossible(f"There is no entry {entry}: `sync-worker review list` and `sync-worker log` show them.")
    return life


def tell(engine: Engine, entry: int, sentence: str, *, as_json: bool) -> int:
    """Say where the entry stands after a decision, and what happens next."""
    life = life_of(engine, entry)
    if as_json:
        print_json({"entry": life.entry, "status": life.status, "reason": life.reason})
    else:
        say(f"Entry {entry} is {life.status.replace('_', ' ')}. {sentence}")
    return DONE


def _item_json(item: ReviewItem, names: dict[str, str]) -> dict[str, Any]:
    return {
        "entry": item.entry,
        "reason": item.reason,
        "waiting_on": item.waiting_on,
        "clinician": names.get(item.heidi_user_id, item.heidi_user_id),
        "session_id": item.session_id,
        "document_id": item.document_id,
        "waiting_since": item.waiting_since.isoformat(),
        "candidates": list(item.candidates),
    }


def _life_json(life: EntryLife) -> dict[str, Any]:
    return {
        "entry": life.entry,
        "status": life.status,
        "reason": life.reason,
        "waiting_on": life.waiting_on,
        "session_id": life.session_id,
        "document_id": life.document_id,
        "found_at": life.found_at.isoformat(),
        "patient_id": life.patient_id,
        "note_id": life.note_id,
        "candidates": list(life.candidates),
        "attempts": [_plain(attempt) for attempt in life.attempts],
        "history": [_plain(step) for step in life.history],
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


def _show_list(items: list[ReviewItem], names: dict[str, str], zone: tzinfo) -> None:
    table = Table(title="Waiting for a person")
    for heading in ("Entry", "Why", "Waits on", "Clinician", "Since", "Charts"):
        table.add_column(heading, no_wrap=heading != "Clinician")
    for item in items:
        table.add_row(
            str(item.entry),
            item.reason,
            item.waiting_on,
            names.get(item.heidi_user_id, item.heidi_user_id),
            f"{item.waiting_since.astimezone(zone):%d %b %H:%M}",
            str(len(item.candidates)),
        )
    Console().print(table)
    say("`sync-worker review show ENTRY` tells more of one, and with --preview shows its note.")


def _show_life(life: EntryLife, zone: tzinfo) -> None:
    say(f"Entry {life.entry}: {life.status.replace('_', ' ')}" + (f", {life.reason}" if life.reason else ""))
    if life.status == "review" and life.reason:
        say(f"  {ADVICE[Reason(life.reason)]}")
    say(f"  session {life.session_id}, document {life.document_id}")
    if life.note_id:
        say(f"  note {life.note_id} on patient {life.patient_id}")
    for candidate in life.candidates:
        agrees, against = ", ".join(candidate["for"]) or "nothing", ", ".join(candidate["against"]) or "nothing"
        say(f"  patient {candidate['patient_id']}: for it {agrees}; against it {against}")
    for attempt in life.attempts:
        say(f"  attempt {attempt['number']}: {attempt['outcome'] or 'open'} {attempt['code'] or ''}".rstrip())
    for step in life.history:
        say(f"  {_step(step, zone)}")


def _step(step: dict[str, Any], zone: tzinfo) -> str:
    reason = f" ({step['reason']})" if step["reason"] else ""
    move = f"{step['from_status'] or 'found'} -> {step['to_status']}"
    return f"{step['at'].astimezone(zone):%Y-%m-%d %H:%M:%S} {move}{reason} by {step['actor']}"
