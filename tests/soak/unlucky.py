"""Services of which a small share of all requests goes wrong, by chance, in one of the ways in which they do."""

from collections import Counter
from random import Random

from sync_worker.sandbox.cliniko import WRITE_ROUTES
from sync_worker.sandbox.faults import FaultQueue

READS = ("500", "502_html", "drop", "cut", "slow:0.5")
WRITES = ("drop", "commit_then_drop", "commit_then_504", "500", "503", "cut_201")
"""What busy services and networks do; each service has its own "429" besides. A refused key is no chance's doing."""


class Unlucky(FaultQueue):
    """Spoils each request with the same small chance; a stand-in asks it under its own lock."""

    def __init__(self, chance: float, random: Random, *, too_many: str) -> None:
        """`too_many` is how the service says that it is asked too often."""
        super().__init__({})
        self._chance = chance
        self._reads, self._writes = (*READS, too_many), (*WRITES, too_many)
        self._random = random
        self.requests = 0
        self.struck: Counter[str] = Counter()

    def take(self, route: str) -> str | None:
        """The fault of this request, if it has one."""
        self.requests += 1
        if self._random.random() >= self._chance:
            return None
        fault = self._random.choice(self._writes if route in WRITE_ROUTES else self._reads)
        self.struck[fault] += 1
        return fault
