"""Our record of what was decided and done: ids, keyed hashes, times, statuses; no patient's data and no text.

`Ledger` is the worker's side of it. People's decisions are in `decisions.py`, the read-only views in `views.py`, and
who may work for a clinician in `leases.py`, who may log in to the page in `accounts.py`. One public method is one
transaction and one sentence; rows never leave this package. It refuses any move that `lifecycle.ALLOWED_MOVES` does not
name.
"""

import hashlib
import hmac
import secrets
from datetime import datetime
from functools import cached_property

from sqlalchemy import Engine, select

from sync_worker.ledger.amendments import Amendments
from sync_worker.ledger.attempts import Attempts
from sync_worker.ledger.clinicians import Clinicians
from sync_worker.ledger.entries import Entries
from sync_worker.ledger.moves import insert_once
from sync_worker.ledger.sessions import Sessions
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import Installation
from sync_worker.ledger.trail import Trail


class Ledger:
    """The worker's side of one installation's ledger. Needs a migrated database."""

    def __init__(self, engine: Engine, *, region: str) -> None:
        self.engine = engine
        self.region = region
        self.clinicians = Clinicians(engine, region)
        self.sessions = Sessions(engine, region)
        self.entries = Entries(engine, region)
        self.attempts = Attempts(engine)
        self.amendments = Amendments(engine)
        self.trail = Trail(engine)

    def prepare_installation(self, now: datetime) -> None:
        """Make the installation's one row, with its random hash key, where there is none yet."""
        with reading(self.engine) as db:
            if db.execute(select(Installation.id)).scalar() is not None:
                return
        with writing(self.engine) as db:
            values = {"id": 1, "hash_key": secrets.token_bytes(32), "created_at": now, "decisions": 0}
            insert_once(db, Installation, values)

    @cached_property
    def _hash_key(self) -> bytes:
        with reading(self.engine) as db:
            return bytes(db.execute(select(Installation.hash_key)).scalar_one())

    def keyed_hash(self, text: str) -> bytes:
        """HMAC-SHA-256 under this installation's key: tells change from sameness, and says nothing of the text."""
        return hmac.new(self._hash_key, text.encode(errors="surrogatepass"), hashlib.sha256).digest()

    def was_restored_since(self, moment: datetime | None) -> bool:
        """Whether the ledger was put back from a copy after a moment; None is before everything."""
        restored_at = self.restored_at()
        return restored_at is not None and (moment is None or moment < restored_at)

    def restored_at(self) -> datetime | None:
        """When the ledger was last put back from a copy, if it ever was."""
        with reading(self.engine) as db:
            return db.execute(select(Installation.restored_at)).scalar()

    def decisions(self) -> int:
        """A number that grows with each decision of a person: a change means there is something to do."""
        with reading(self.engine) as db:
            return int(db.execute(select(Installation.decisions)).scalar_one())
