"""Whom a clinician's Cliniko key stands for, and what follows from the practice: its time zone, its start.

Refuses a key of another account or practitioner than the one the ledger remembers: notes get their author from the key.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.errors import ConfigurationError, NotAuthorised
from sync_worker.ledger.clinicians import Clinicians
from sync_worker.model import Practitioner
from sync_worker.records import ClinicianState

REMEMBERED_FOR = timedelta(days=1)
"""How long a start trusts what the ledger remembers of a key: three requests a day are no price for a fresh answer."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Where it is remembered whom a key stands for. `key_hash` gives the hash of the key in use."""

    clinicians: Clinicians
    key_hash: Callable[[], bytes]
    clock: Clock


class Identity:
    """One clinician's practitioner, asked of Cliniko once a process, and by new processes once a day.

    Without a memory nothing is remembered.

    Thread-safe: the evening's look at the diary asks beside the tick.
    """

    def __init__(
        self,
        *,
        cliniko: ClinikoClient,
        heidi_user_id: str,
        time_zone: ZoneInfo | None,
        memory: Memory | None = None,
    ) -> None:
        self._cliniko = cliniko
        self._heidi_user_id = heidi_user_id
        self._time_zone = time_zone
        self._memory = memory
        self._practitioner: Practitioner | None = None
        self._must_be_proved = False
        self._must_be_asked = False
        self._was_asked = False
        self._keys_before = 0
        self._lock = threading.Lock()
        self._zone_name: str | None = None

    def practitioner(self) -> Practitioner:
        """Whom the key stands for. Raises `NotAuthorised` for a refused key, and for somebody else's."""
        with self._lock:
            known, asked_by = self._practitioner, self._keys_before
        if known is not None:
            return known
        who = self._remembered() or self._asked()
        with self._lock:
            if asked_by == self._keys_before:  # else that was an answer about the key before
                self._practitioner = who
        return who

    def is_known(self) -> bool:
        """Whether the practitioner is known without asking anybody."""
        with self._lock:
            return self._practitioner is not None

    def trust_no_memory(self) -> None:
        """Have Cliniko asked, once a process: whose notes a doubt is looked for in must not be a memory."""
        with self._lock:
            if not self._was_asked:
                self._practitioner = None
                self._must_be_asked = True

    def forget(self) -> None:
        """The key is another one: whom it stands for must be asked again before anything is written by it."""
        with self._lock:
            self._practitioner = None
            self._must_be_proved = True
            self._keys_before += 1

    def prove(self) -> None:
        """Make sure that a key which was replaced is of the same practitioner. Raises as `practitioner` does."""
        if self._must_be_proved:
            self.practitioner()
            self._must_be_proved = False

    def zone(self) -> tzinfo:
        """The practice's time zone: the settings', else the Cliniko account's. Raises `ConfigurationError`."""
        if self._time_zone is not None:
            return self._time_zone
        name = self._zone_name = self._zone_name or self._remembered_zone() or self.practitioner().time_zone
        if name is None:
            raise ConfigurationError(
                ["SYNC_TIMEZONE is not set and Cliniko does not tell: set it, as Australia/Hobart."]
            )
        return ZoneInfo(name)

    def moment(self, wanted: datetime | date) -> datetime:
        """A setting's day or time as a moment: what names no zone is meant in the practice's."""
        if not isinstance(wanted, datetime):
            wanted = datetime.combine(wanted, time())
        return wanted if wanted.tzinfo else wanted.replace(tzinfo=self.zone())

    def _state(self, memory: Memory) -> ClinicianState:
        return memory.clinicians.enter(self._heidi_user_id)

    def _remembered_zone(self) -> str | None:
        """What Cliniko told once, so that a poll that finds nothing to do asks Cliniko nothing."""
        return self._state(self._memory).time_zone if self._memory is not None else None

    def _remembered(self) -> Practitioner | None:
        """What Cliniko told of this very key within the day. A key that was replaced must be proved by asking."""
        if self._memory is None or self._must_be_proved or self._must_be_asked:
            return None
        state, now = self._state(self._memory), self._memory.clock.now()
        if state.identified_at is None or not timedelta() <= now - state.identified_at < REMEMBERED_FOR:
            return None
        if state.key_hash != self._memory.key_hash() or not state.cliniko_user_id or not state.cliniko_practitioner_id:
            return None
        account = state.cliniko_account or ""
        return Practitioner(state.cliniko_user_id, state.cliniko_practitioner_id, "", account, state.time_zone)

    def _asked(self) -> Practitioner:
        """What Cliniko tells now, compared with what it told before, and remembered."""
        key_hash = self._memory.key_hash() if self._memory is not None else b""  # of the key that is asked with
        who = self._cliniko.identify()
        self._was_asked = True
        if self._memory is None:
            return who
        state = self._state(self._memory)
        remembered = ((state.cliniko_account, who.account), (state.cliniko_practitioner_id, who.practitioner_id))
        if any(known and found and known != found for known, found in remembered):
            hint = (
                "This Cliniko key belongs to another account or practitioner than the one that this clinician's notes "
                "were filed under: put the right clinician's key back."
            )
            raise NotAuthorised("cliniko", "identify", hint=hint, code="another_key")
        self._memory.clinicians.remember_identity(
            state.clinician_id, who, key_hash=key_hash, now=self._memory.clock.now()
        )
        return who
