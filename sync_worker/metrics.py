"""What monitoring is told, as Prometheus reads it: this process's counts, and the ledger as it stands at the moment.

A registry of its own, never the library's global one. Every metric is described once, in `METRICS`; docs/metrics.md
says the same. No label holds a patient's data, and none a clinician's name, e-mail or id: a clinician is told by their
place in the settings. Where the ledger does not answer, what needs no ledger is told all the same.
"""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sync_worker import __version__, lifecycle
from sync_worker.alarms import Alarm
from sync_worker.background import start
from sync_worker.clock import Clock
from sync_worker.counts import Counts
from sync_worker.errors import LedgerMismatch, LedgerUnavailable
from sync_worker.ledger.queue import QueueSeen
from sync_worker.ledger.views import Views
from sync_worker.rate import RateBudget
from sync_worker.records import ClinicianState, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LEDGER_SECONDS = 5.0
"""How long the ledger is waited for: a scrape is given up after ten seconds, and then nothing is known at all."""

Values = Mapping[tuple[str, ...], float]
"""Numbers by the values of a metric's labels, in their order."""


@dataclass(frozen=True, slots=True)
class Described:
    """A metric: its name, whether it is a "counter" or a "gauge", its labels, and what it means with its unit."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    def with_values(self, values: Values) -> Metric:
        """The metric as it stands."""
        family = (CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily)(
            self.name, self.meaning, labels=self.labels
        )
        for label_values, value in values.items():
            family.add_metric(label_values, value)
        return family


def _counter(name: str, labels: tuple[str, ...], meaning: str) -> Described:
    return Described(f"sync_worker_{name}", "counter", labels, meaning)


def _gauge(name: str, labels: tuple[str, ...], meaning: str) -> Described:
    return Described(f"sync_worker_{name}", "gauge", labels, meaning)


POSTS = _counter("posts_total", ("outcome",), "Requests to create a note, by what became of them.")
REQUESTS = _counter("requests_total", ("host", "status"), "Requests to Heidi and Cliniko, each try of its own.")
TICKS = _counter("ticks_total", ("outcome",), "Passes of the worker, one clinician each, by how they ended.")
BUDGET_LEFT = _gauge("rate_budget_left", ("clinician",), "Requests to Cliniko that may go out at once this minute.")
BUILD = _gauge("build_info", ("version",), "Always 1: the version that runs.")
LEDGER_UP = _gauge("ledger_up", (), "1 if the ledger answered this scrape, else 0, and all that follows is missing.")
ENTRIES = _gauge("entries", ("status",), "Documents in the ledger, by status.")
REVIEW = _gauge("review_entries", ("reason",), "Documents that wait for a person, by reason.")
DOUBTS = _gauge("doubts", (), "Notes of which it is not known yet whether Cliniko has them.")
OLDEST_WAITING = _gauge("oldest_waiting_seconds", (), "Age of the oldest document that waits; 0 if none does.")
OLDEST_DOUBT = _gauge("oldest_doubt_seconds", (), "How long the oldest doubt lasts; 0 if there is none.")
POLL_AGE = _gauge("last_poll_age_seconds", ("clinician",), "Time since Heidi was read last; +Inf if never.")
PAUSED = _gauge("paused", ("clinician",), "1 where posting is paused, for the clinician or for everybody.")
QUEUE_WAITING = _gauge("queue_waiting", (), "Of several workers: ticks that are planned.")
QUEUE_DUE = _gauge("queue_due", (), "Of several workers: ticks that are due and that nobody has begun.")
QUEUE_OLDEST = _gauge("queue_oldest_due_seconds", (), "Of several workers: how long the oldest is due; 0 if none is.")
QUEUE_WORKERS = _gauge("queue_workers", (), "Of several workers: how many live.")
ALARMS = _gauge("alarms", ("code", "level"), "Alarms that stand, by what is wrong.")

OF_THE_PROCESS = (POSTS, REQUESTS, TICKS, BUDGET_LEFT, BUILD, LEDGER_UP)
OF_THE_LEDGER = (ENTRIES, REVIEW, DOUBTS, OLDEST_WAITING, OLDEST_DOUBT, POLL_AGE, PAUSED, ALARMS)
OF_THE_QUEUE = (QUEUE_WAITING, QUEUE_DUE, QUEUE_OLDEST, QUEUE_WORKERS)
METRICS = (*OF_THE_PROCESS, *OF_THE_LEDGER, *OF_THE_QUEUE)


@dataclass(frozen=True, slots=True)
class LedgerSeen:
    """What one scrape read in the ledger."""

    entries: Mapping[str, int]
    reasons: Mapping[str, int]
    oldest_waiting: datetime | None
    oldest_doubt: datetime | None
    clinicians: Mapping[str, ClinicianState]
    everybody_paused: bool
    alarms: Sequence[Alarm]
    queue: QueueSeen | None


class WorkerCollector(Collector):
    """Tells a worker's metrics whenever it is asked. Thread-safe."""

    def __init__(
        self,
        *,
        counts: Counts,
        budgets: Mapping[str, RateBudget],
        views: Views,
        alarms: Callable[[], Sequence[Alarm]],
        clock: Clock,
        queue: Callable[[], QueueSeen | None] = lambda: None,
    ) -> None:
        """`budgets` name the clinicians of the settings by Heidi user id, in the settings' order.

        `queue` is asked where there are several workers.
        """
        self._queue = queue
        self._counts = counts
        self._budgets = budgets
        self._views = views
        self._alarms = alarms
        self._clock = clock
        self._places = {user_id: (str(place),) for place, user_id in enumerate(budgets, start=1)}
        self._reading: Future[LedgerSeen] | None = None
        self._lock = threading.Lock()

    def describe(self) -> Iterable[Metric]:
        """Every metric without its values."""
        return [one.with_values({}) for one in METRICS]

    def collect(self) -> Iterator[Metric]:
        """Every metric that can be told now."""
        seen = self._seen()
        yield POSTS.with_values(self._counts.posts.now())
        yield REQUESTS.with_values(self._counts.requests.now())
        yield TICKS.with_values(self._counts.ticks.now())
        yield BUDGET_LEFT.with_values(self._places_left())
        yield BUILD.with_values({(__version__,): 1})
        yield LEDGER_UP.with_values({(): seen is not None})
        if seen is not None:
            yield from self._of_the_ledger(seen)

    def _of_the_ledger(self, seen: LedgerSeen) -> Iterator[Metric]:
        reasons: Values = {(reason.value,): seen.reasons.get(reason, 0) for reason in lifecycle.WAITS_ON}
        yield ENTRIES.with_values({(status,): count for status, count in seen.entries.items()})
        yield REVIEW.with_values(reasons)
        yield DOUBTS.with_values({(): seen.entries[Status.IN_DOUBT] + seen.entries[Status.POSTING]})
        yield OLDEST_WAITING.with_values({(): self._age(seen.oldest_waiting, none=0)})
        yield OLDEST_DOUBT.with_values({(): self._age(seen.oldest_doubt, none=0)})
        states = {self._places[user_id]: seen.clinicians.get(user_id) for user_id in self._budgets}
        polls = {place: state.last_poll_at if state else None for place, state in states.items()}
        yield POLL_AGE.with_values({place: self._age(at, none=math.inf) for place, at in polls.items()})
        paused = {place: bool(state and state.paused_at) for place, state in states.items()}
        yield PAUSED.with_values({place: seen.everybody_paused or itself for place, itself in paused.items()})
        yield ALARMS.with_values(Counter((str(alarm.code), alarm.level) for alarm in seen.alarms))
        queue = seen.queue
        yield QUEUE_WAITING.with_values({(): queue.waiting} if queue else {})
        yield QUEUE_DUE.with_values({(): queue.due} if queue else {})
        yield QUEUE_OLDEST.with_values({(): queue.oldest_due_seconds} if queue else {})
        yield QUEUE_WORKERS.with_values({(): queue.workers} if queue else {})

    def _places_left(self) -> Values:
        """What each budget has left; of several workers the ledger keeps them, and may not answer."""
        left: dict[tuple[str, ...], float] = {}
        with suppress(LedgerUnavailable):
            for user_id, budget in self._budgets.items():
                left[self._places[user_id]] = budget.left()
        return left

    def _age(self, since: datetime | None, *, none: float) -> float:
        return none if since is None else max((self._clock.now() - since).total_seconds(), 0)

    def _seen(self) -> LedgerSeen | None:
        """The ledger as it stands; None where it does not answer in time. While one reading hangs, none is begun."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = start(self._read)
            reading = self._reading
        try:
            return reading.result(timeout=LEDGER_SECONDS)
        except (LedgerUnavailable, LedgerMismatch, TimeoutError):
            return None

    def _read(self) -> LedgerSeen:
        views = self._views
        return LedgerSeen(
            entries=views.entry_counts(),
            reasons=views.review_reasons(),
            oldest_waiting=views.oldest_waiting(),
            oldest_doubt=views.oldest_doubt(),
            clinicians=views.clinicians(),
            everybody_paused=views.paused_at() is not None,
            alarms=self._alarms(),
            queue=self._queue(),
        )


def registry_of(collector: WorkerCollector) -> CollectorRegistry:
    """A registry that holds this worker's metrics and nothing else."""
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The metrics as Prometheus reads them: text of type `CONTENT_TYPE`."""
    return generate_latest(registry)
