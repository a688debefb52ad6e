"""Proof: the wall clock of the host may jump, by hours or a year, and nothing is missed, filed twice or left in doubt.

Both services keep the true time; the host's wall clock steps while its monotonic clock does not, between two ticks, in
the middle of the list, between the claim and its request, or between the request and its end; it stays wrong, or is
put right again. The second part steps the clock under the running scheduler and counts the polls that follow.

    python -m tests.faults.clock_steps
"""

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast
from unittest.mock import patch

import time_machine
from apscheduler.triggers.interval import IntervalTrigger

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.pulse import Pulse
from sync_worker.sandbox.wire import Request
from sync_worker.scheduler import Service
from tests.faults.report import report
from tests.faults.world import World, a_world, quiet

STEPS = {
    "-1 h": timedelta(hours=-1),
    "-5 s": timedelta(seconds=-5),
    "+1 h": timedelta(hours=1),
    "+1 year": timedelta(days=365),
}
MOMENTS = ("before all", "in the list", "claim to request", "request to end", "after the doubt", "between looks")
POST_FAULTS = ("commit_late:25", "commit_then_drop", "drop")
LATE_DOCUMENT_SECONDS = 900
PATIENCE, LONGEST_BACK = timedelta(minutes=40), timedelta(hours=1)
"""How much true time a story may take. What was due waits as long again as the clock is set back, an hour at most: a
clock that was a year ahead must not hold it for that year."""

# ---------------------------------------------------------------- stories of a clock


@dataclass
class Story:
    """Documents that meet every kind of doubt while the clock steps at one moment."""

    world: World
    step: timedelta
    moment: str
    right_after: int | None
    tick_seconds: int
    stepped_at: datetime | None = None
    broken: list[str] = field(default_factory=list)

    def play(self) -> list[str]:
        """What promises were broken."""
        world = self.world
        world.before, world.after = self._before, self._after
        world.a_patient()
        for fault in POST_FAULTS:
            world.cliniko.fail_post(fault)
        for number in range(len(POST_FAULTS) + 1):
            world.a_document(world.a_session(), f"# Plan\n\nLetter {number}.")
        self._maybe("before all")
        began, cursor, late = world.clock.true(), None, False
        set_back = min(abs(self.step), LONGEST_BACK) if self.right_after or self.step < timedelta() else timedelta()
        while world.clock.true() - began < PATIENCE + set_back:
            world.tick(full=False)
            after = world.state().cursor_at
            if cursor is not None and (after is None or after < cursor):
                self.broken.append("the cursor went back")
            cursor = after
            world.clock.advance(self.tick_seconds)
            self._maybe_in_doubt()
            self._maybe_put_right()
            elapsed = (world.clock.true() - began).total_seconds()
            if not late and elapsed >= LATE_DOCUMENT_SECONDS:
                world.a_document(world.a_session(created_at=world.clock.true()), "# Plan\n\nWritten afterwards.")
                late = True
            if late and self._is_done():
                break
        return [*self.broken, *self._unkept()]

    def _before(self, request: Request) -> None:
        if request.path.endswith("/documents"):
            self._maybe("in the list")
        if request.method == "POST":
            self._maybe("claim to request")

    def _after(self, request: Request) -> None:
        if request.method == "POST":
            self._maybe("request to end")

    def _maybe(self, moment: str) -> None:
        if moment == self.moment and self.stepped_at is None:
            self.world.clock.step(self.step)
            self.stepped_at = self.world.clock.true()

    def _maybe_in_doubt(self) -> None:
        query = "SELECT max(looks) FROM attempts JOIN entries ON entries.id = entry_id WHERE status = 'in_doubt'"
        with self.world.ledger.engine.connect() as db:
            looks = db.exec_driver_sql(query).scalar()
        if looks is not None:
            self._maybe("between looks" if looks else "after the doubt")

    def _maybe_put_right(self) -> None:
        if self.right_after is None or self.stepped_at is None:
            return
        if self.world.clock.true() - self.stepped_at >= timedelta(seconds=self.right_after):
            self.world.clock.step(-self.step)
            self.right_after = None

    def _is_done(self) -> bool:
        return set(self.world.entries().values()) == {"posted"} and len(self.world.entries()) == len(POST_FAULTS) + 2

    def _unkept(self) -> Iterator[str]:
        titles = [note.title for note in self.world.notes()]
        twice = len(titles) - len(set(titles))
        missed = len(POST_FAULTS) + 2 - len(set(titles))
        stuck = [status for status in self.world.entries().values() if status != "posted"]
        yield from [f"{twice} filed twice"] * bool(twice)
        yield from [f"{missed} not filed in time"] * bool(missed)
        yield from [f"left {', '.join(sorted(set(stuck)))}"] * bool(stuck)
        yield from ["the clock never stepped"] * (self.stepped_at is None)


def tell(step: str, moment: str, *, right_after: int | None, tick_seconds: int = 120) -> list[str]:
    """Play one story; what promises were broken in it."""
    with a_world(SYNC_SETTLE_SECONDS="30") as world:
        return Story(world, STEPS[step], moment, right_after, tick_seconds).play()


# ---------------------------------------------------------------- under the running scheduler

POLL_SECONDS = 1
TICKS_FIRST = 2
MOST_TRIGGERINGS = 100_000
"""Whoever works out more missed polls than this one by one is busy for longer than a poll's interval."""


class _Polls:
    """Stands for the worker under the scheduler: remembers, on the monotonic clock, when it was asked to tick."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.triggerings = 0
        self.pipelines = {"physio-1": self}
        self.ledger = SimpleNamespace(decisions=lambda: 0)
        self.pulse = Pulse(SystemClock(), request_seconds=0)

    def tick(self, _user_id: str) -> None:
        self.at.append(time.monotonic())

    def wait_for(self, count: int, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while len(self.at) < count and time.monotonic() < until and self.triggerings <= MOST_TRIGGERINGS:
            time.sleep(0.01)
        return len(self.at) >= count


@contextmanager
def _counted(polls: _Polls) -> Iterator[None]:
    """Ends the scheduler's thread instead of letting it work out years of missed polls."""
    answer = IntervalTrigger.get_next_fire_time

    def count(self: IntervalTrigger, previous: datetime | None, now: datetime) -> datetime | None:
        polls.triggerings += 1
        if polls.triggerings > MOST_TRIGGERINGS:
            sys.exit("busy")  # in a thread: ends it without a word
        return cast(datetime | None, answer(self, previous, now))

    with patch.object(IntervalTrigger, "get_next_fire_time", count):
        yield


def polls_after(step: timedelta, *, give_up_after: float = 15) -> tuple[float | None, int]:
    """How many intervals pass from the step to the second poll after it, None if it does not come; and its cost.

    The second, since one poll may have been under way. The cost is how often a time of firing was worked out. It is
    given up after many more intervals than the three that are promised, so that a busy machine breaks no promise.
    """
    polls, clock = _Polls(), SystemClock()
    with _counted(polls), time_machine.travel(datetime.now(UTC), tick=True) as wall:
        service = Service(cast(Worker, polls), poll_seconds=POLL_SECONDS, clock=clock)
        running = threading.Thread(target=service.run, daemon=True)
        running.start()
        try:
            if not polls.wait_for(TICKS_FIRST, 30):
                raise AssertionError("the scheduler polls nothing even without a step")
            before, polls.triggerings = len(polls.at), 0
            stepped_at = time.monotonic()
            wall.shift(step)
            came = polls.wait_for(before + 2, give_up_after)
            return (polls.at[before + 1] - stepped_at) / POLL_SECONDS if came else None, polls.triggerings
        finally:
            clock.stop.set()
            running.join(timeout=10)


# ---------------------------------------------------------------- the long form

WAYS: tuple[tuple[int | None, int], ...] = ((None, 120), (60, 120), (600, 120), (None, 10))
"""When the clock is put right, and how often the worker ticks."""


def main() -> int:
    """Every step at every moment, put right or not; then the scheduler. 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    quiet()
    broken: list[str] = []
    stories = 0
    for step in STEPS:
        for moment in MOMENTS:
            for right_after, tick_seconds in WAYS:
                stories += 1
                for promise in tell(step, moment, right_after=right_after, tick_seconds=tick_seconds):
                    way = "stays wrong" if right_after is None else f"right after {right_after} s"
                    broken.append(f"{step} {moment}, {way}, a tick every {tick_seconds} s: {promise}")
    figures: dict[str, str | int] = {
        "stories": stories,
        "stories_broken": len(set(b.partition(":")[0] for b in broken)),
    }
    for name, step in STEPS.items():
        intervals, cost = polls_after(step)
        figures[f"polls_resume_after_{name}"] = f"{intervals:.1f} intervals" if intervals is not None else "never"
        if intervals is None:
            broken.append(f"the scheduler after {name}: it polls no more ({cost} times of firing worked out)")
    return report("clock_steps", figures, broken)


if __name__ == "__main__":
    sys.exit(main())
