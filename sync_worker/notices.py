"""Telling people what is wrong: once when it begins, once when it has ended, and never of a patient.

One notice per cause, however many clinicians have it; one more for each whose own trouble it is. A notice that could
not be sent is sent again until it is; what was told is kept in the ledger, and in memory where the ledger itself is the
trouble. A cause that comes and goes within minutes is one cause.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sync_worker.advice import HINTS
from sync_worker.alarms import Alarm
from sync_worker.errors import LedgerMismatch, LedgerUnavailable
from sync_worker.ledger.alarms import Alarms, Open
from sync_worker.logs import get_logger
from sync_worker.records import AlarmCode

log = get_logger()

CALM = timedelta(minutes=5)
"""A cause that was gone for so long has ended."""
EACHS_OWN = frozenset(
    {
        AlarmCode.CLINIKO_KEY_REFUSED,
        AlarmCode.UNLINKED,
        AlarmCode.BRAKE,
        AlarmCode.ANOTHER_WORKER,
        AlarmCode.WRONG_PATIENT,
    }
)
"""Causes that come to each clinician by themselves: one more clinician is told of again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told: that something is wrong (`begins`), or that it is over. `level` is "warning" or "alarm"."""

    code: str
    level: str
    begins: bool
    hint: str
    clinicians: tuple[str, ...]
    since: datetime


Tell = Callable[[Notice], bool]
"""Sends a notice; says whether anybody could be told."""


class Notices:
    """Watches the alarms that stand. Not thread-safe: one thread watches."""

    def __init__(
        self,
        *,
        ledger: Callable[[], Iterable[Alarm]],
        process: Callable[[], Iterable[Alarm]],
        store: Alarms,
        tell: Tell,
    ) -> None:
        """`ledger` and `process` give the alarms that stand: by what the ledger holds, and what this process knows."""
        self._ledger = ledger
        self._process = process
        self._store = store
        self._tell = tell
        self._open: dict[str, Open] = {}
        """As this process knows it, which may be all that there is while the ledger is down."""
        self._kept: dict[str, Open] = {}
        """As the ledger has it, by the last look."""
        self._whose: dict[str, dict[str, datetime]] | None = None
        """By code: which clinicians have it, and when it was seen last. None until the ledger was asked once."""

    def watch(self, now: datetime) -> list[Notice]:
        """Look what stands now, and tell what has begun and what has ended; what was told. Raises nothing.

        To be called every minute or so.
        """
        opened = self._read()
        causes, is_whole = self._causes()
        newly = self._newly_befallen(causes, now) if is_whole else frozenset()
        for code, alarms in causes.items():
            one = _seen(opened.get(code), alarms, now)
            opened[code] = replace(one, told=one.told and code not in newly)
        told = [notice for notice in self._beginning(opened, causes) if self._send(notice)]
        for notice in told:
            opened[notice.code] = replace(opened[notice.code], told=True)
        for one in [one for one in opened.values() if one.code not in causes]:  # nor seen by another worker lately
            knows = is_whole or one.code in (
                AlarmCode.LEDGER,
                AlarmCode.CLOCK,
            )  # of the others nothing is known without the ledger
            if not knows or timedelta() <= now - one.seen_at < CALM:
                continue
            ending = Notice(one.code, one.level, False, HINTS.get(AlarmCode(one.code), ""), (), one.began_at)
            if not one.told or self._send(ending):
                del opened[one.code]
                told += [ending] if one.told else []
        self._keep(opened)
        return told

    def _causes(self) -> tuple[dict[str, list[Alarm]], bool]:
        """The alarms that stand, by code, and whether the ledger could be asked."""
        found = list(self._process())
        try:
            found += self._ledger()
            is_whole = True
        except (LedgerUnavailable, LedgerMismatch):
            found.append(Alarm(AlarmCode.LEDGER, "alarm", None, HINTS[AlarmCode.LEDGER]))
            is_whole = False
        causes: dict[str, list[Alarm]] = {}
        for alarm in found:
            causes.setdefault(alarm.code, []).append(alarm)
        return causes, is_whole

    def _newly_befallen(self, causes: Mapping[str, list[Alarm]], now: datetime) -> frozenset[str]:
        """The codes of `EACHS_OWN` that have come to one more clinician. Who had one at the start was told of then."""
        before, self._whose = self._whose, {}
        for code in EACHS_OWN:
            known = before.get(code, {}) if before is not None else {}
            names = dict.fromkeys((one.clinician for one in causes.get(code, ()) if one.clinician), now)
            self._whose[code] = {name: at for name, at in known.items() if now - at < CALM} | names
        if before is None:
            return frozenset()
        return frozenset(code for code, whose in self._whose.items() if whose.keys() - before.get(code, {}).keys())

    def _beginning(self, opened: Mapping[str, Open], causes: Mapping[str, list[Alarm]]) -> Iterable[Notice]:
        for code, alarms in causes.items():
            if not opened[code].told:
                names = tuple(dict.fromkeys(alarm.clinician for alarm in alarms if alarm.clinician))
                yield Notice(code, opened[code].level, True, alarms[0].hint, names, opened[code].began_at)

    def _send(self, notice: Notice) -> bool:
        is_told = self._tell(notice)
        if is_told:
            say = log.info if not notice.begins else log.error if notice.level == "alarm" else log.warning
            say("alarm.began" if notice.begins else "alarm.ended", code=notice.code, count=len(notice.clinicians))
        return is_told

    def _read(self) -> dict[str, Open]:
        """What is open by the ledger, where other workers keep theirs too, and what could not be kept there yet."""
        try:
            there = self._store.open()
        except (LedgerUnavailable, LedgerMismatch):
            return dict(self._open)
        ended = self._kept.keys() - self._open.keys()
        unkept = {code: one for code, one in self._open.items() if one != self._kept.get(code)}
        self._kept = there
        return {code: one for code, one in there.items() if code not in ended} | unkept

    def _keep(self, opened: dict[str, Open]) -> None:
        self._open = opened
        changed = [one for code, one in opened.items() if one != self._kept.get(code)]
        ended = self._kept.keys() - opened.keys()
        if not (changed or ended):
            return
        try:
            self._store.keep(changed, ended)
            self._kept = dict(opened)
        except (LedgerUnavailable, LedgerMismatch):
            return  # this process remembers it, and keeps it once it can


def _seen(before: Open | None, alarms: list[Alarm], now: datetime) -> Open:
    """The alarm as open, its cause seen now. A warning that became an alarm is told again."""
    code = alarms[0].code
    level = "alarm" if any(alarm.level == "alarm" for alarm in alarms) else "warning"
    if before is None:
        return Open(code, level, now, now, False)
    return replace(before, level=level, seen_at=now, told=before.told and (before.level, level) != ("warning", "alarm"))
