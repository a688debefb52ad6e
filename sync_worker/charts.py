"""Cliniko's charts as one tick reads them: each question asked once, the answers kept in memory for a minute.

A list is whole or it is an error: a failed or cut search never reads as "nobody". Archived charts are in every answer,
since "archived" and "not a patient" must not look alike, and merges are followed to the chart that survived.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import date
from functools import partial

from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.fresh import Fresh
from sync_worker.model import Patient

NEVER_ASKED = float("inf")
MOST_CHARTS = 2_000
ID, LARGEST_ID = re.compile(r"[0-9]{1,19}"), 2**63 - 1
LONGEST_PART = 40
"""Letters of a family name that are asked for. Few are longer, and an address must hold them."""
MOST_MERGES = 10
"""How far a chain of merged charts is followed: a loop must end."""


class Answers:
    """What was asked of the charts by all who work for one clinician, each chart as it was read last. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._fresh: Fresh[tuple[str, str], list[Patient]] = Fresh(clock)
        self._newest: OrderedDict[str, tuple[float, Patient]] = OrderedDict()
        """Each chart as it was read last, and until when that may be relied upon."""
        self._lock = threading.Lock()

    def get(self, question: tuple[str, str], ask: Callable[[], list[Patient]]) -> tuple[list[Patient], float]:
        """The charts that are the answer, and until when it may be relied upon. Raises what `ask` does."""
        answer = self._fresh.get(question, ask)
        with self._lock:
            return [self._as_read_last(chart, answer.until) for chart in answer.value], answer.until

    def forget(self) -> None:
        """The tick is over, or more time than it counted on: what was read is let go."""
        self._fresh.forget()
        with self._lock:
            self._newest.clear()

    def _as_read_last(self, chart: Patient, until: float) -> Patient:
        """This chart, or a younger reading of it: another search may have been asked later, and answered earlier."""
        known = self._newest.pop(chart.patient_id, None)
        newest = self._newest[chart.patient_id] = known if known and known[0] > until else (until, chart)
        if len(self._newest) > MOST_CHARTS:
            self._newest.popitem(last=False)
        return newest[1]


class Charts:
    """One clinician's view of the practice's charts, for one decision after another."""

    def __init__(self, cliniko: ClinikoClient, answers: Answers) -> None:
        """`answers` are shared with whoever else looks for the same clinician."""
        self._cliniko = cliniko
        self._answers = answers
        self._fresh_until = NEVER_ASKED

    def decide_anew(self) -> None:
        """A decision begins: what is asked from now on is what it rests on."""
        self._fresh_until = NEVER_ASKED

    @property
    def fresh_until(self) -> float:
        """Until when, on the monotonic clock, the decision may be relied upon: as long as the oldest of its answers.

        A search that found the chosen chart lately says nothing of one for its rivals that is older.
        """
        return self._fresh_until

    def born(self, birth_date: date) -> list[Patient]:
        """Everybody of one birth date."""
        return self._ask("born", birth_date.isoformat(), partial(self._cliniko.find_patients_born, birth_date))

    def with_email(self, address: str) -> list[Patient]:
        """Everybody whose e-mail holds this address; Cliniko may or may not tell capitals apart.

        So both ways of writing it are asked for, as it was typed and in small letters.
        """
        found: dict[str, Patient] = {}
        for way in dict.fromkeys((address.strip(), address.strip().lower())):
            charts = self._ask("email", way, partial(self._cliniko.find_patients_with_email, way))
            found |= {chart.patient_id: chart for chart in charts}
        return list(found.values())

    def with_id(self, patient_id: str) -> list[Patient]:
        """The chart of an id, if there is one. What is no 64-bit number is no id of Cliniko's, and is not asked for."""
        if not ID.fullmatch(patient_id) or int(patient_id) > LARGEST_ID:
            return []
        return self._ask("id", patient_id, partial(self._one, patient_id))

    def named_like(self, part: str) -> list[Patient]:
        """Everybody whose family name holds these letters, or as many of them as a name has."""
        part = part[:LONGEST_PART]
        return self._ask("name", part, partial(self._cliniko.find_patients_named_like, part))

    def given_like(self, part: str) -> list[Patient]:
        """Everybody whose first name holds these letters."""
        part = part[:LONGEST_PART]
        return self._ask("given", part, partial(self._cliniko.find_patients_given_like, part))

    def of_family(self, family_name: str) -> list[Patient]:
        """Everybody of a family name in whatever capitals; Cliniko may or may not tell them apart."""
        found: dict[str, Patient] = {}
        for way in dict.fromkeys((family_name, family_name.lower(), family_name.upper(), family_name.title())):
            charts = self._ask("family", way, partial(self._cliniko.find_patients_of_family, way))
            found |= {chart.patient_id: chart for chart in charts}
        return list(found.values())

    def with_survivors(self, charts: Iterable[Patient]) -> list[Patient]:
        """The charts, each once, and those that they were merged into, however often."""
        known = {chart.patient_id: chart for chart in charts}
        for _ in range(MOST_MERGES):
            missing = {one.merged_into for one in known.values() if one.merged_into and one.merged_into not in known}
            found = [chart for patient_id in sorted(missing) for chart in self.with_id(patient_id)]
            if not found:
                break
            known |= {chart.patient_id: chart for chart in found}
        return list(known.values())

    def forget(self) -> None:
        """The tick is over, or more time than it counted on: what was read is let go."""
        self._answers.forget()

    def _one(self, patient_id: str) -> list[Patient]:
        chart = self._cliniko.find_patient(patient_id)
        return [chart] if chart is not None else []

    def _ask(self, by: str, value: str, ask: Callable[[], list[Patient]]) -> list[Patient]:
        charts, until = self._answers.get((by, value), ask)
        self._fresh_until = min(self._fresh_until, until)
        return charts
