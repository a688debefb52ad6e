"""The broken workers: what each does wrong, the text that makes it so, and the tests that must fail for it."""

from dataclasses import dataclass

DOUBT, LOOK, LEDGER = "tests/test_doubt.py", "tests/test_first_look.py", "tests/test_ledger.py"
CHANGES, COLLECT, LEASES = "tests/test_changes.py", "tests/test_collect.py", "tests/test_leases.py"


@dataclass(frozen=True, slots=True)
class BrokenWorker:
    """One file of the program with one text replaced by another."""

    name: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]


BROKEN_WORKERS = (
    BrokenWorker(
        "resends after a doubt without looking",
        "lifecycle.py",
        'return Settlement(S.IN_DOUBT, None, None, "in_doubt", code)',
        'return Settlement(S.PENDING, None, None, "in_doubt", code)',
        (DOUBT,),
    ),
    BrokenWorker(
        "looks by patient, not by author",
        "doubts.py",
        "        for doubt in doubts:\n            with suppress(EntryMoved):  # a person ended",
        "        notes = [note for note in notes if note.patient_id in {one.attempt.patient_id for one in doubts}]\n"
        "        for doubt in doubts:\n            with suppress(EntryMoved):  # a person ended",
        (DOUBT,),
    ),
    BrokenWorker(
        "moves the cursor before the entries are recorded",
        "collect.py",
        "        self._record(self._stamps())\n",
        "        seen, self.seen = self.seen, []\n        self._record(self._stamps())\n"
        "        self.seen = seen\n        self._record()\n",
        ("tests/simulation", COLLECT),
    ),
    BrokenWorker(
        "does not look before the first request of a tick",
        "first_look.py",
        "            self._notes = AuthorsNotes(found)\n",
        "            self._notes = AuthorsNotes([])\n",
        (LOOK,),
    ),
    BrokenWorker(
        "claims without naming its epoch",
        "ledger/attempts.py",
        "        with writing(self.engine) as db:\n            require_lease(db, lease)\n            if is_paused",
        "        with writing(self.engine) as db:\n            if is_paused",
        (LEDGER,),
    ),
    BrokenWorker(
        "does not see archived notes when it looks",
        "cliniko.py",
        '("q[]", f"created_at:>={stamp}"), WITH_ARCHIVED]',
        '("q[]", f"created_at:>={stamp}")]',
        (DOUBT, LOOK),
    ),
    BrokenWorker(
        "takes a lost answer for a request that was not sent",
        "cliniko.py",
        "        except RemoteError as error:\n            return InDoubt(error.code)\n",
        "        except RemoteError as error:\n            return NotSent(error.code)\n",
        (DOUBT,),
    ),
    BrokenWorker(
        "puts what a dead worker left open back to pending",
        "ledger/attempts.py",
        'settlement = Settlement(Status.IN_DOUBT, outcome="in_doubt", code="abandoned")',
        'settlement = Settlement(Status.PENDING, outcome="in_doubt", code="abandoned")',
        (DOUBT, LEDGER),
    ),
    BrokenWorker(
        "is content with one look",
        "lifecycle.py",
        "    if looks < 2:\n        return None\n",
        "    if looks < 1:\n        return None\n",
        (DOUBT, "tests/test_lifecycle.py"),
    ),
    BrokenWorker(
        "sends a request again when its answer is lost",
        "cliniko.py",
        "            return self._http.write_once(operation, method, path, body, guard=guard)\n",
        "            try:\n"
        "                return self._http.write_once(operation, method, path, body, guard=guard)\n"
        "            except RemoteError:\n"
        "                return self._http.write_once(operation, method, path, body, guard=guard)\n",
        (DOUBT,),
    ),
    BrokenWorker(
        "lets the one more request go to another patient",
        "patients.py",
        "if entry is not None and entry.bound and isinstance(match, Matched)",
        "if entry is not None and False and isinstance(match, Matched)",
        (DOUBT,),
    ),
    BrokenWorker(
        "claims an entry that has a note already",
        "ledger/attempts.py",
        "where = (EntryRow.note_id.is_(None), EntryRow.clinician_id == lease.clinician_id)",
        "where = (EntryRow.clinician_id == lease.clinician_id,)",
        (LEDGER,),
    ),
    BrokenWorker(
        "works without holding the clinician's lock",
        "ledger/leases.py",
        "                if not self._locks.try_lock(clinician_id):\n                    return None\n",
        "                self._locks.try_lock(clinician_id)\n",
        (LEASES,),
    ),
    BrokenWorker(
        "sends although its lease was lost after the claim",
        "ledger/leases.py",
        "if not self.is_kept(lease) or clock",
        "if clock",
        ("tests/test_guard.py",),
    ),
    BrokenWorker(
        "overwrites a draft that the clinician has touched",
        "amend.py",
        "        and note.updated_at == entry.note_updated_at\n"
        "        and ledger.keyed_hash(canonical_text(note.content)) == left\n",
        "",
        (CHANGES,),
    ),
    BrokenWorker(
        "takes a failed look for one that found nothing",
        "doubts.py",
        "        try:\n            notes = self._authors_notes(doubts)\n        except NotAuthorised as error:",
        "        from sync_worker.errors import Unavailable\n\n"
        "        try:\n            notes = self._authors_notes(doubts)\n"
        "        except Unavailable:\n            notes = []\n        except NotAuthorised as error:",
        (DOUBT,),
    ),
    BrokenWorker(
        "takes a step of its clock for the time between two looks",
        "doubts.py",
        "        looked_at = self._cliniko.server_date or self._clock.now()\n",
        "        looked_at = self._clock.now()\n",
        ("tests/faults/test_clock_steps.py",),
    ),
    BrokenWorker(
        "looks too early after an old copy of the ledger was restored",
        "pipeline.py",
        "            self._wait_for_the_lists()\n",
        "",
        ("tests/test_copies.py",),
    ),
    BrokenWorker(
        "sends again at a person's word while the note may still be on its way",
        "outbox.py",
        "            doubted_since=now - self._surely_listed,\n",
        "",
        ("tests/test_decisions.py",),
    ),
)
