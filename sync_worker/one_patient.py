"""One session, one patient: the match of a document beside what a person said of the others of its session.

Objects with `PATIENT_CHANGED` where a match would put a session's documents on two charts, or the next one on a chart
that a person has ruled out. A chart that was merged into another is the same patient's. To a person's own choice it
objects only where the session names somebody else than when that person was asked. It chooses no chart.
"""

from dataclasses import dataclass

from sync_worker import lifecycle
from sync_worker.ledger import Ledger
from sync_worker.model import Session
from sync_worker.patients import Patients
from sync_worker.prepare import NeedsReview, Preparation, Prepared
from sync_worker.reading import hint_seen
from sync_worker.records import Entry, Reason, Status

BEGUN = (Status.POSTED, Status.POSTING, Status.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class OnePatient:
    """Looks at the other documents of a session. `ledger` is None where there is none yet."""

    ledger: Ledger | None
    patients: Patients

    def check(self, found: Preparation, session: Session, entry: Entry | None) -> Preparation:
        """What was found, or the question instead. `entry` is the document's own. Raises `RemoteError`."""
        if not isinstance(found, Prepared) or not self._objects(found.note.patient_id, session, entry):
            return found
        return NeedsReview(Reason.PATIENT_CHANGED, found.candidates, rule=found.rule)

    def _objects(self, patient_id: str, session: Session, entry: Entry | None) -> bool:
        if self.ledger is None:
            return False
        if entry is not None and entry.pinned:
            is_renamed = lifecycle.names_another(entry, hint_seen(self.ledger, session))
            return is_renamed and not self.patients.is_about(session, patient_id)
        own = entry.entry_id if entry is not None else None
        others = [one for one in self.ledger.entries.of_session(session.session_id) if one.entry_id != own]
        told = [one for one in others if one.patient_id is not None and _tells(one)]
        ruled_out = self.ledger.entries.ruled_out(session.session_id) if told else set()
        return any(
            self.patients.is_one_chart(one.patient_id or "", patient_id) is (one.entry_id in ruled_out) for one in told
        )


def _tells(entry: Entry) -> bool:
    """Whether the entry's patient is more than a match that came to nothing."""
    return entry.pinned or entry.bound or entry.note_id is not None or entry.status in BEGUN
