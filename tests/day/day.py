"""The day itself, minute by minute, and what it came to."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from sync_worker.notices import Notice
from tests.day.causes import CAUSES, LOST_ANSWERS, Cause, at
from tests.day.notices import untold
from tests.day.practice import CLINICIANS, Practice
from tests.faults.world import HostClock, a_world
from tests.soak.judges import percentile

MIDNIGHT = datetime(2026, 11, 18, 13, tzinfo=UTC)
"""In Hobart, at the beginning of Thursday the 19th."""
OPENS, CLOSES, FIRST_DOCUMENT, GIVEN_UP = at("07:00"), at("19:00"), at("07:15"), at("20:30")
DOCUMENTS_EACH = 16
EVERY, APART, GIVE_OR_TAKE = 43, 8, 20
"""Minutes: from one document of a clinician to the next, from one clinician's to another's, how much it varies."""
POLL_MINUTES = 2
QUIET_MINUTES = 10
"""How long the day goes on after the last note: alarms end then that are to end."""
SECONDS_PER_REQUEST = 0.15
LONGEST_DRAINING = 30
"""Minutes from a cause's end until everything is filed that was finished before it."""


@dataclass
class Day:
    """A day, as it is played."""

    practice: Practice
    told: list[Notice] = field(default_factory=list)
    """What people were told."""
    done_at: int | None = None
    """When everything was filed, in minutes after midnight."""
    ticks: Counter[str] = field(default_factory=Counter)
    """Ticks by the code of their trouble; "" for none."""
    felt: Counter[str] = field(default_factory=Counter)
    """Ticks that told of a cause while it stood, by its alarm."""

    def play(self, seed: int) -> None:
        """Live it, minute by minute, until everything is filed or it is given up."""
        practice, work = self.practice, _work(Random(seed))
        practice.seconds_per_request = SECONDS_PER_REQUEST
        practice.open()
        for minute in range(OPENS, GIVEN_UP):
            self._wait_for(minute)
            _let_happen(practice, minute)
            for clinician in work[minute]:
                practice.finish_a_document(clinician)
            self._tick(minute)
            self.told += practice.watch.look()
            if minute >= CLOSES and self._is_over(minute):
                break

    def _wait_for(self, minute: int) -> None:
        left = (MIDNIGHT + timedelta(minutes=minute) - self.practice.clock.true()).total_seconds()
        self.practice.clock.advance(max(left, 0.0))

    def _tick(self, minute: int) -> None:
        """Half of the clinicians at each minute: one after the other, on this thread."""
        for number, pipeline in enumerate(self.practice.worker.pipelines.values()):
            if (number + minute) % POLL_MINUTES == 0:
                trouble = pipeline.tick().trouble
                code = trouble.code if trouble else ""
                self.ticks[code] += 1
                self.felt.update(
                    one.alarm for one in CAUSES if code and one.stands(minute) and code.startswith(one.trouble)
                )

    def _is_over(self, minute: int) -> bool:
        if self.done_at is None and len(self.filed()) == len(self.practice.papers):
            self.done_at = minute
        return self.done_at is not None and minute >= self.done_at + QUIET_MINUTES

    # ------------------------------------------------------------ what it came to

    def filed(self) -> dict[str, datetime]:
        """When each document's first note was stored, by reference and the true time."""
        found: dict[str, datetime] = {}
        for note in self.practice.notes():
            reference = note.title.rpartition("ref ")[2]
            found[reference] = min(found.get(reference, note.committed_at), note.committed_at)
        return found

    def drained(self, cause: Cause) -> float | None:
        """Minutes from a cause's end to the last note of what it held up; None where one is missing."""
        ended, filed = MIDNIGHT + timedelta(minutes=cause.ends), self.filed()
        papers = self.practice.papers.items()
        before = [ref for ref, paper in papers if paper.finished_at <= ended and cause.befalls(paper.clinician)]
        if not all(ref in filed for ref in before):
            return None
        return max(0.0, (max((filed[ref] for ref in before), default=ended) - ended).total_seconds() / 60)

    def waits(self) -> list[float]:
        """Minutes from each document's end to its note."""
        filed = self.filed()
        papers = self.practice.papers.items()
        return [(filed[ref] - paper.finished_at).total_seconds() / 60 for ref, paper in papers if ref in filed]

    def twice(self) -> int:
        """Notes too many."""
        return len(self.practice.notes()) - len(self.filed())

    def lost(self) -> int:
        """Documents without a note."""
        return sum(ref not in self.filed() for ref in self.practice.papers)

    def misfiled(self) -> int:
        """Notes that are on a wrong chart, or a wrong clinician's."""
        practice = self.practice
        return sum(
            not _is_right(practice, note.title, note.patient_id, note.practitioner_id) for note in practice.notes()
        )

    def figures(self) -> dict[str, str | int | float]:
        """What to keep of it."""
        waits = self.waits() or [-1.0]
        counted = {"lost": self.lost(), "twice": self.twice(), "wrong_patient": self.misfiled()}
        figures: dict[str, str | int | float] = {"clinicians": len(CLINICIANS), "documents": len(self.practice.papers)}
        figures |= {"notes": len(self.practice.notes()), **counted, "polls": self.ticks.total()}
        figures |= {"polls_in_trouble": self.ticks.total() - self.ticks[""]}
        figures |= {"minutes_to_the_note_p50": round(percentile(waits, 0.5), 1), "longest": round(max(waits), 1)}
        figures |= {"answers_lost_and_found_by_looking": self._found_by_looking(), "notices": len(self.told)}
        for cause in CAUSES:
            drained = self.drained(cause)
            name = f"minutes_to_catch_up_after_{cause.alarm}"
            figures[name] = "never" if drained is None else round(drained, 1)
        return figures

    def unkept(self) -> list[str]:
        """What promises were broken."""
        counts = {"lost": self.lost(), "filed twice": self.twice(), "on a wrong chart": self.misfiled()}
        broken = [f"{count} {what}" for what, count in counts.items() if count]
        if len(self.practice.papers) != len(CLINICIANS) * DOCUMENTS_EACH:
            broken.append(f"{len(self.practice.papers)} documents were finished: the day was no whole one")
        stuck = Counter(self.practice.entries().values()) - Counter({"posted": len(self.practice.papers)})
        broken += [f"{count} entries are {status}" for status, count in stuck.items()]
        broken += [f"the backlog did not drain in time after: {cause.what}" for cause in CAUSES if self._is_late(cause)]
        broken += [
            f"no tick ever felt this: {cause.what}" for cause in CAUSES if cause.trouble and not self.felt[cause.alarm]
        ]
        if (found := self._found_by_looking()) != len(LOST_ANSWERS):
            broken.append(f"{found} answers were lost and found by looking, not {len(LOST_ANSWERS)}")
        return [*broken, *untold(self.told, [cause.alarm for cause in CAUSES])]

    def _found_by_looking(self) -> int:
        with self.practice.ledger.engine.connect() as db:
            query = "SELECT count(*) FROM attempts WHERE looks > 0 AND note_id IS NOT NULL"
            return int(db.exec_driver_sql(query).scalar_one())

    def _is_late(self, cause: Cause) -> bool:
        drained = self.drained(cause)
        return drained is None or drained > LONGEST_DRAINING


def play(seed: int = 1) -> tuple[dict[str, str | int | float], list[str]]:
    """Play a day: its figures, and what promises were broken. The same seed is the same day."""
    with a_world(clock=HostClock(MIDNIGHT + timedelta(minutes=OPENS)), kind=Practice) as practice:
        day = Day(practice)
        day.play(seed)
        return day.figures(), day.unkept()


def _work(random: Random) -> dict[int, list[str]]:
    """Who finishes a document at which minute."""
    work: defaultdict[int, list[str]] = defaultdict(list)
    for begins, clinician in enumerate(CLINICIANS):
        for number in range(DOCUMENTS_EACH):
            minute = FIRST_DOCUMENT + begins * APART + number * EVERY + random.randrange(GIVE_OR_TAKE)
            work[minute].append(clinician)
    return work


def _let_happen(practice: Practice, minute: int) -> None:
    for cause in CAUSES:
        if minute == cause.begins:
            cause.begin(practice)
        if minute == cause.ends:
            cause.end(practice)
    if minute in LOST_ANSWERS:
        practice.lose_an_answer()


def _is_right(practice: Practice, title: str, patient_id: str, practitioner_id: str) -> bool:
    paper = practice.papers.get(title.rpartition("ref ")[2])
    if paper is None:
        return False
    wanted = (paper.patient_id, practice.cliniko.practitioner_of(practice.users[paper.clinician]))
    return (patient_id, practitioner_id) == wanted
