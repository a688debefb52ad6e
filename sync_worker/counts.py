"""What happened in this process since it started, counted: requests, notes sent, ticks. No text, no patient.

It knows neither who counts nor who asks: `metrics` tells these numbers to monitoring.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

NO_ANSWER = "none"


class Counted:
    """How often things happened, by a few short words each. Thread-safe."""

    def __init__(self, known: Sequence[str] = ()) -> None:
        """`known` are words that are told from the start, at 0: else the first time would look like no change."""
        self._counts: Counter[tuple[str, ...]] = Counter({(word,): 0 for word in known})
        self._lock = threading.Lock()

    def add(self, *words: str) -> None:
        """It happened once more."""
        with self._lock:
            self._counts[words] += 1

    def now(self) -> dict[tuple[str, ...], int]:
        """All counts at this moment."""
        with self._lock:
            return dict(self._counts)


POST_OUTCOMES = ("accepted", "refused", "not_sent", "key_trouble", "in_doubt")
"""As `lifecycle` names what became of a request to create a note."""
TICK_OUTCOMES = ("done", "held", "trouble")
"""Ended well; another worker holds the clinician; something stopped it or must be looked at."""


@dataclass(frozen=True, slots=True)
class Counts:
    """One process's counts. Whoever makes requests, notes or ticks is handed these."""

    requests: Counted = field(default_factory=Counted)
    posts: Counted = field(default_factory=lambda: Counted(POST_OUTCOMES))
    ticks: Counted = field(default_factory=lambda: Counted(TICK_OUTCOMES))

    def request(self, host: str, status: int | None) -> None:
        """A request to a host ended with a status, or (None) without a whole answer."""
        self.requests.add(host, NO_ANSWER if status is None else str(status))
