"""`backfill`: brings older sessions into scope and shows how they are filed, by us or by the worker that runs.

The wish is in the ledger, so an interruption costs nothing: the service goes on with it, and so does this command when
it is run again.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, PARTLY, report, say
from sync_worker.errors import ConfigurationError, NotPossible, Stopping
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.views import BackfillProgress, Views
from sync_worker.pipeline import Pipeline
from sync_worker.records import TickReport
from sync_worker.settings import Mode

REFRESH_SECONDS = 0.5
BETWEEN_TICKS_SECONDS = 10
TICKS_IN_VAIN = 3
"""So many ticks in a row that met trouble and filed nothing: whatever it is, it does not pass by waiting here."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """One clinician's part of what was asked."""

    name: str
    clinician_id: int
    backfill_id: int


def backfill(since: str, until: str | None) -> int:
    """Bring in the sessions of these days. 0 when every document of them is filed, held or skipped."""
    first = setup.day("--since", since)
    last = setup.day("--until", until, may_come=True) if until is not None else None
    if last is not None and last < first:
        raise ConfigurationError(["--until is before --since: no session is in between."])
    settings, clock = setup.load()
    if settings.sync_mode is Mode.REHEARSE:
        instead = f"`sync-worker plan --since {first}` shows what it would be."
        raise NotPossible(f"SYNC_MODE=rehearse files nothing: {instead}")
    setup.stop_on_signals(clock.stop)
    worker = Worker(settings, setup.open_ledger(settings, clock), clock)
    try:
        decisions = Decisions(worker.ledger.engine, setup.actor())
        wishes = [_ask(worker, one, decisions, first, last, clock.now()) for one in worker.pipelines.values()]
        return _Work(worker, wishes, clock, min(settings.sync_poll_interval_seconds, BETWEEN_TICKS_SECONDS)).run()
    except Stopping:
        raise NotPossible("Stopped. Nothing is lost: `run` goes on with it, and so does this command.") from None
    finally:
        worker.close()


def _ask(
    worker: Worker, pipeline: Pipeline, decisions: Decisions, first: date, last: date | None, now: datetime
) -> _Wish:
    """Write the wish into the ledger. The days are the practice's; `last` counts whole."""
    state = worker.ledger.clinicians.enter(pipeline.settings.heidi_user_id)
    after = datetime.combine(last + timedelta(days=1), time()) if last is not None else now
    since, until = pipeline.identity.moment(first), pipeline.identity.moment(after)
    number = decisions.backfill(state.clinician_id, since, min(until, now), now)
    return _Wish(pipeline.settings.name, state.clinician_id, number)


class _Work:
    """Ticks, or watches others tick, until the wishes came true."""

    def __init__(self, worker: Worker, wishes: Sequence[_Wish], clock: SystemClock, rest_seconds: int) -> None:
        self._worker = worker
        self._wishes = wishes
        self._clock = clock
        self._rest_seconds = rest_seconds
        self._views = Views(worker.ledger.engine)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            transient=True,
        )
        self._bar = self._progress.add_task("Reading Heidi's list", total=None, rate="")

    def run(self) -> int:
        in_vain, full = 0, True
        with self._progress, ThreadPoolExecutor(1) as ticking:
            while True:
                before = self._show()
                reports = self._watch(ticking.submit(self._worker.tick_all, full=full))
                now = self._show()
                if now.is_done:
                    break
                full = not now.walked
                self._clock.check_stop()
                if self._is_paused():
                    return self._give_up(
                        [], "Posting is paused: `sync-worker status` says why, `sync-worker resume` ends it."
                    )
                in_vain = in_vain + 1 if _is_in_vain(reports) and now.waiting >= before.waiting else 0
                if in_vain == TICKS_IN_VAIN:
                    return self._give_up(reports)
                self._clock.sleep(self._rest_seconds)
        say(
            f"{now.total} documents: {now.posted} filed, {now.review} wait for a person, {now.skipped} skipped."
            + (" `sync-worker review list` shows those that wait." if now.review else "")
        )
        return DONE

    def _watch(self, ticks: "Future[list[TickReport]]") -> list[TickReport]:
        """Keep the bar moving while the ticks run."""
        while wait([ticks], REFRESH_SECONDS).not_done:
            self._show()
        return ticks.result()

    def _show(self) -> BackfillProgress:
        found = self._views.backfill_progress([wish.backfill_id for wish in self._wishes])
        done = found.total - found.waiting
        elapsed = self._progress.tasks[self._bar].elapsed or 0
        rate = f"{done / elapsed * 60:.0f} a minute" if done and elapsed >= 1 else ""
        heading = "Filing documents" if found.walked else "Reading Heidi's list"
        self._progress.update(self._bar, description=heading, total=found.total or None, completed=done, rate=rate)
        return found

    def _is_paused(self) -> bool:
        clinicians = self._worker.ledger.clinicians
        return all(clinicians.is_paused(wish.clinician_id) for wish in self._wishes)

    def _give_up(self, reports: Sequence[TickReport], *more: str) -> int:
        self._progress.stop()
        hints = [f"{one.clinician}: {one.trouble.hint}" for one in reports if one.trouble]
        waits = "What is left waits in the ledger: `run` goes on with it, and so does this command."
        return report("backfill", [*dict.fromkeys(hints), *more, waits], PARTLY, as_json=False)


def _is_in_vain(reports: Sequence[TickReport]) -> bool:
    """Whether nobody worked: neither we nor, as far as we can tell, another worker whom we watch."""
    troubled = [one for one in reports if one.trouble and one.trouble.code != "held"]
    return bool(troubled) and not any(one.tally.posted for one in reports)
