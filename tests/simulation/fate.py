"""What goes wrong, and when: nothing, what a test says, or what chance says.

Chance takes all its choices from one `Random`, so that a seed is a story.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.simulation.network import NOT_READ, NOT_SENT, Call
from tests.simulation.process import Point, Process


class Calm:
    """Nothing goes wrong."""

    def dies(self, process: Process, point: Point) -> bool:
        """Whether a process ends at this boundary."""
        return False

    def latency(self) -> float:
        """Seconds until a service has a request."""
        return 0.05

    def fault_of(self, call: Call) -> str | None:
        """What goes wrong with a request: a name that the network or the sandboxes know."""
        return None

    def meanwhile(self, process: Process, call: Call, under_way: bool) -> None:
        """What else happens before a request leaves, and while it is under way."""


@dataclass
class Scripted(Calm):
    """Goes wrong as it is told: dies at chosen boundaries, and spoils the next POSTs in turn."""

    dies_at: Callable[[Point], bool] | None = None
    post_faults: list[str | None] = field(default_factory=list)
    read_faults: list[str | None] = field(default_factory=list)
    while_posting: list[Callable[[], object]] = field(default_factory=list)
    """What happens while the next writing requests are under way, one each."""
    before_posting: list[Callable[[], object]] = field(default_factory=list)
    """What happens between the claim and the moment at which the next writing requests leave, one each."""

    def dies(self, process: Process, point: Point) -> bool:
        return self.dies_at is not None and self.dies_at(point)

    def fault_of(self, call: Call) -> str | None:
        faults = self.post_faults if call.write else self.read_faults
        return faults.pop(0) if faults else None

    def meanwhile(self, process: Process, call: Call, under_way: bool) -> None:
        acts = self.while_posting if under_way else self.before_posting
        if call.write and acts:
            acts.pop(0)()


@dataclass(frozen=True, slots=True)
class Rates:
    """How often what goes wrong, of all chances it has."""

    dies_at_attempt: float = 0.08
    """At each boundary of an attempt: its commits, its request, the commits of the looks for it."""
    dies_elsewhere: float = 0.008
    refused: float = 0.10
    lost_before: float = 0.08
    """The request, or the server's wish to act on it; the note is not made."""
    lost_after: float = 0.10
    """The answer; the note is made."""
    late: float = 0.07
    """The answer; the note is made up to 30 seconds later."""
    broken: float = 0.04
    """A server's error without effect."""
    not_sent: float = 0.03
    read: float = 0.05
    person_meanwhile: float = 0.02
    person_while_posting: float = 0.1
    second_worker: float = 0.04
    lock_lost: float = 0.002
    stop_request: float = 0.002
    clock_step: float = 0.03
    """Between two ticks."""
    clock_step_meanwhile: float = 0.001
    purge: float = 0.15
    """Between two ticks; everything that a purge may ever take is taken."""


POST_FAULTS = {
    "refused": ("422", "422", "422", "429", "429", "429", "401", "403", "404_html"),
    "lost_before": ("drop", "stall", *NOT_READ),
    "lost_after": ("commit_then_drop", "commit_then_504", "cut_201", "bad_json_201", "slow:40"),
    "broken": ("500", "502_html", "503", "408"),
    "not_sent": tuple(NOT_SENT),
}
READ_FAULTS = (
    *("drop", "cut", "stall", "drip", "500", "503", "502_html", "html_200", "unexpected_shape", "429", "429"),
    *("slow:3", "slow:15", "slow:60", "refused_connection", "connect_timeout", "reset", "401"),
)


class Chance(Calm):
    """Everything goes wrong now and then."""

    def __init__(self, random: Random, rates: Rates) -> None:
        self.random = random
        self.rates = rates
        self.meanwhiles: list[tuple[Callable[[Call], float], Callable[[Process, Call], None]]] = []
        """What may happen while a request is on its way: how likely, and what."""

    def dies(self, process: Process, point: Point) -> bool:
        rate = self.rates.dies_at_attempt if point.unsafe else self.rates.dies_elsewhere
        return self.random.random() < rate

    def latency(self) -> float:
        return self.random.uniform(0.02, 0.3)

    def fault_of(self, call: Call) -> str | None:
        if call.write is None:
            return self.random.choice(READ_FAULTS) if self.random.random() < self.rates.read else None
        drawn = self.random.random()
        for name, faults in POST_FAULTS.items():
            drawn -= getattr(self.rates, name)
            if drawn < 0:
                return self.random.choice(faults)
        if drawn < self.rates.late:
            return f"commit_late:{self.random.uniform(1, 30):.1f}"
        return None

    def meanwhile(self, process: Process, call: Call, under_way: bool) -> None:
        if not under_way and call.write is None:
            return  # for a read it is all one
        for how_likely, what in self.meanwhiles:
            if self.random.random() < how_likely(call):
                what(process, call)
