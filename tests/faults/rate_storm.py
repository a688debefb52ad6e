"""Proof: a user's 200 requests a minute are shared fairly, and a service that says "wait" is left alone until its time.

Simulated on a clock of its own: another program uses the same Cliniko user's budget at 120 requests a minute, documents
come all day, 500 wait at once in the second hour, and 429s strike in bursts. Counted at the stand-in. At our fair share
(80 beside the other's 120) both together never pass 200 in any 60 seconds, and the backlog clears within 30 minutes. At
a greedy share (190) the stand-in's real limit strikes all the time: still nothing is sent before a reset.

    python -m tests.faults.rate_storm --hours 24
"""

import argparse
import sys
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from sync_worker.sandbox.wire import Reply, Request
from tests.faults.report import report
from tests.faults.world import HostClock, World, a_world, quiet

LIMIT, OTHERS = 200, 120
FAIR_SHARE, GREEDY_SHARE = LIMIT - OTHERS, 190
BACKLOG_MINUTES = 30
POLL_SECONDS, LATENCY_SECONDS = 120, 0.15
PATIENTS = 40
STRUCK = ("patients", "notes", "post")


class SharedClock(HostClock):
    """A clock on which somebody else asks Cliniko at an even pace, whoever moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.others: Callable[[], object] = lambda: None
        self._next = self.monotonic()

    def advance(self, seconds: float) -> None:
        end = self.monotonic() + seconds
        while self._next <= end:
            super().advance(self._next - self.monotonic())
            self._next += 60 / OTHERS
            self.others()
        super().advance(max(0.0, end - self.monotonic()))


@dataclass
class Counter:
    """What the stand-in saw: when we and the others asked, and what we sent although we were told to wait."""

    world: World
    ours: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)
    told_to_wait: int = 0
    too_early: int = 0
    _quiet_until: float = 0.0

    def __post_init__(self) -> None:
        self._answer = self.world.cliniko.handle
        key = self.world.cliniko.add_key(self.world.user_id)
        headers = {"authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}"}
        self._others_request = Request("GET", "/v1/user", headers=headers)
        self.world.cliniko.handle = self._ours  # type: ignore[method-assign]

    def others(self) -> None:
        """The other program asks."""
        self.all.append(self.world.clock.monotonic())
        self._answer(self._others_request)
        self.world.cliniko.requests.pop()  # a day of them is counted here, not kept there

    def _ours(self, request: Request) -> Reply:
        now, clock = self.world.clock.monotonic(), self.world.clock
        self.ours.append(now)
        self.all.append(now)
        self.too_early += now < self._quiet_until
        reply = self._answer(request)
        if reply.status == 429:
            self.told_to_wait += 1
            wait = float(reply.headers["X-RateLimit-Reset"]) - clock.true().timestamp()
            self._quiet_until = max(self._quiet_until, now + wait)
        return reply


def most_in_a_minute(times: Sequence[float]) -> int:
    """The largest number of requests in any 60 seconds."""
    window: deque[float] = deque()
    most = 0
    for at in sorted(times):
        window.append(at)
        while window[0] <= at - 60:
            window.popleft()
        most = max(most, len(window))
    return most


@dataclass
class Day:
    """So many hours of a practice whose budget is shared."""

    world: World
    counter: Counter
    random: Random
    written: int = 0
    backlog_minutes: float | None = None

    def live(self, *, hours: float, backlog: int) -> None:
        """Let the time pass."""
        world = self.world
        for number in range(PATIENTS):
            world.a_patient(
                last=f"Number{'abcdefghijklmnopqrstuvwxyz'[number % 26] * (1 + number // 26)}", born=_born(number)
            )
        end = world.clock.true() + timedelta(hours=hours)
        backlog_at, waiting_since = world.clock.true() + timedelta(hours=min(1.0, hours / 8)), None
        while world.clock.true() < end:
            if self.random.random() < 0.2:
                self._write(timedelta())
            if self.random.random() < 0.06:
                self._storm(self.random.choice(STRUCK))
            if backlog_at is not None and world.clock.true() >= backlog_at:
                for _ in range(backlog):
                    self._write(timedelta(hours=self.random.uniform(5, 200)))
                backlog_at, waiting_since = None, world.clock.true()
                self._storm("patients")
            world.tick(full=False)
            if waiting_since is not None and self._filed() == self.written:
                self.backlog_minutes = (world.clock.true() - waiting_since).total_seconds() / 60
                waiting_since = None
            world.clock.advance(POLL_SECONDS)
        world.cliniko.faults.clear()
        for _ in range(4):
            world.tick(full=True)
            world.clock.advance(POLL_SECONDS)

    def unkept(self, share: int) -> list[str]:
        """What promises were broken."""
        counter, broken = self.counter, []
        titles = [note.title for note in self.world.notes()]
        if len(titles) != self.written or len(set(titles)) != self.written:
            broken.append(f"{len(titles)} notes, {len(set(titles))} of them different, of {self.written} documents")
        if counter.too_early:
            broken.append(f"{counter.too_early} requests before a reset")
        if (most := most_in_a_minute(counter.ours)) > share:
            broken.append(f"{most} requests of ours in a minute")
        if share == FAIR_SHARE and (most := most_in_a_minute(counter.all)) > LIMIT:
            broken.append(f"{most} requests of all in a minute")
        if share == FAIR_SHARE and (self.backlog_minutes is None or self.backlog_minutes >= BACKLOG_MINUTES):
            broken.append(f"the backlog took {self.backlog_minutes} minutes")
        if counter.told_to_wait == 0:
            broken.append("nobody was ever told to wait: this proved nothing")
        return broken

    def _filed(self) -> int:
        return sum(status == "posted" for status in self.world.entries().values())

    def _write(self, age: timedelta) -> None:
        number = self.random.randrange(PATIENTS)
        name = f"Mary Number{'abcdefghijklmnopqrstuvwxyz'[number % 26] * (1 + number // 26)}"
        at = self.world.clock.true() - age
        session = self.world.a_session(name, _born(number), created_at=at, updated_at=at)
        self.world.a_document(session, f"# Plan\n\nLetter {self.written}.", touch=False)
        self.written += 1

    def _storm(self, route: str) -> None:
        cliniko = self.world.cliniko
        cliniko.rate_limit_reset_seconds = self.random.randint(1, 90)
        cliniko.fail(route, "429", times=self.random.randint(1, 5))


def _born(number: int) -> str:
    return f"19{50 + number}-02-03"


def live(*, hours: float, backlog: int, share: int, seed: int = 1) -> tuple[Day, list[str]]:
    """Live so many hours at this share of the budget; the day, and what promises were broken."""
    clock = SharedClock()
    extra = {"CLINIKO_RATE_PER_MINUTE": str(share), "SYNC_SETTLE_SECONDS": "60", "SYNC_SWEEP_INTERVAL_SECONDS": "900"}
    with a_world(clock=clock, **extra) as world:
        world.seconds_per_request = LATENCY_SECONDS
        counter = Counter(world)
        clock.others = counter.others
        day = Day(world, counter, Random(seed))
        day.live(hours=hours, backlog=backlog)
        return day, day.unkept(share)


def main() -> int:
    """The long form. 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--backlog", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    quiet()
    figures: dict[str, str | int | float] = {"hours": wanted.hours, "backlog": wanted.backlog}
    broken: list[str] = []
    for name, share in (("fair", FAIR_SHARE), ("greedy", GREEDY_SHARE)):
        day, unkept = live(hours=wanted.hours, backlog=wanted.backlog, share=share, seed=wanted.seed)
        counter = day.counter
        broken += [f"at {share} a minute: {one}" for one in unkept]
        figures |= {
            f"{name}_rate_per_minute": share,
            f"{name}_documents": day.written,
            f"{name}_our_requests": len(counter.ours),
            f"{name}_told_to_wait": counter.told_to_wait,
            f"{name}_sent_before_reset": counter.too_early,
            f"{name}_our_most_in_60_s": most_in_a_minute(counter.ours),
            f"{name}_everybodys_most_in_60_s": most_in_a_minute(counter.all),
            f"{name}_backlog_minutes": round(day.backlog_minutes or -1.0, 1),
        }
    return report("rate_storm", figures, broken)


if __name__ == "__main__":
    sys.exit(main())
