"""The soak's judges: a planted leak, a lost and a doubled note, a late note are each told; a sound worker is not."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.engines import new_file
from tests.processes.clinic import Clinic
from tests.processes.proof import Proof
from tests.processes.verdict import Verdict
from tests.soak.judges import LEAST_LOOKS, WINDOWS, Soaked, judge
from tests.soak.measure import Sample, look_at
from tests.soak.unlucky import READS, Unlucky

LEAKING = """
import sys, threading
kept = []
for line in sys.stdin:
    match line.strip():
        case "memory":
            kept.append(b"x" * 200_000)
        case "thread":
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        case "handle":
            kept.append(open("/dev/null"))
    print("done", flush=True)
"""
LOOKS = WINDOWS * LEAST_LOOKS * 2
CLEAN = Verdict(2, 2, 2, 0, 0, 0, 0, 0, Counter(), 0)


def soaked(
    samples: Sequence[Sample] | None = None, waits: Sequence[float] = (5.0,), verdict: Verdict = CLEAN
) -> Soaked:
    """A soak in which nothing happened but what is told."""
    if samples is None:
        samples = [Sample(at, 100_000, 10, 30) for at in range(LOOKS)]
    pages, faults = Counter({200: 3, 404: 1}), Counter[str]()
    return Soaked(samples, waits, 3, 3, verdict, strangers=0, pages=pages, requests=9, faults=faults, exit_code=0)


def broken(what: Soaked) -> list[str]:
    return judge(what, Proof("soak")).broken


@contextmanager
def a_process() -> Iterator["subprocess.Popen[str]"]:
    """A process that loses what it is told to lose."""
    with subprocess.Popen([sys.executable, "-c", LEAKING], stdin=-1, stdout=-1, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def looks_at_one_that_loses(what: str) -> list[Sample]:
    """Looks at a real process that loses one more of something before each."""
    samples = []
    with a_process() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(LOOKS):
            process.stdin.write(f"{what}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"
            samples.append(look_at(process.pid, number))
    return samples


def test_a_worker_that_stays_as_it_was_keeps_every_promise() -> None:
    assert broken(soaked()) == []
    assert broken(soaked(looks_at_one_that_loses("nothing"))) == []


@pytest.mark.parametrize(
    ("what", "told", "times"),
    [("memory", "memory grew by", 2), ("thread", "threads grew from", 1), ("handle", "handles grew from", 1)],
)
def test_a_process_that_loses_something_is_caught(what: str, told: str, times: int) -> None:
    found = broken(soaked(looks_at_one_that_loses(what)))
    assert sum(one.startswith(told) for one in found) == times


def test_memory_may_breathe_and_grow_by_less_than_a_twentieth() -> None:
    def breathing(growth: float) -> list[Sample]:
        random = Random(1)
        return [
            Sample(at, int(100_000 * (1 + growth * at / LOOKS) + random.uniform(0, 3000)), 10, 30)
            for at in range(LOOKS)
        ]

    assert broken(soaked(breathing(0.03))) == []
    assert len(broken(soaked(breathing(0.08)))) == 2


def test_threads_and_handles_may_come_and_go() -> None:
    coming = [Sample(at, 100_000, 10 + at % 3, 30 + (at * 7) % 4 - (at == 2)) for at in range(LOOKS)]
    assert broken(soaked(coming)) == []


def test_one_handle_lost_in_the_second_half_is_caught() -> None:
    samples = [Sample(at, 100_000, 10, 30 + at % 2 + (at > LOOKS / 2)) for at in range(LOOKS)]
    assert broken(soaked(samples)) == ["handles grew from 30 to 31, promised: no growth"]


def test_connections_that_are_kept_may_be_some_more_and_no_flood() -> None:
    kept = [Sample(at, 100_000, 10, 30, 12 + 10 * (at > LOOKS / 2)) for at in range(LOOKS)]
    lost = [Sample(at, 100_000, 10, 30, 12 + at) for at in range(LOOKS)]
    assert broken(soaked(kept)) == []
    [told] = broken(soaked(lost))
    assert told.startswith("connections grew from")


def test_too_few_looks_judge_nothing() -> None:
    assert broken(soaked([Sample(1, 100_000, 10, 30)])) == ["too few looks at the process to judge anything"]
    assert broken(soaked([])) == ["too few looks at the process to judge anything"]


def test_notes_that_come_late_are_caught_and_a_few_may() -> None:
    assert broken(soaked(waits=[5.0] * 95 + [60.0] * 5)) == []
    assert broken(soaked(waits=[5.0] * 94 + [60.0] * 6)) == ["p95 of finish to note: 60.0 s, promised: less than 9 s"]
    assert broken(soaked(waits=[])) == ["no document became a note after the warm-up"]


def test_a_page_that_fails_and_a_process_that_does_not_end_well_are_caught() -> None:
    failed = replace(soaked(), pages=Counter({200: 5, 503: 1, 0: 1}), exit_code=1)
    assert broken(failed) == ["pages failed: 2, promised: 0", "exit code: 1, promised: 0"]


def test_a_lost_and_a_doubled_note_are_caught_in_the_services_own_records(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(new_file())
    with Clinic(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}") as clinic:
        once, twice, _lost = (clinic.a_document() for _ in range(3))
        for reference in (once, twice, twice):
            paper = clinic.papers[reference]
            title = f"Letter, ref {reference}"
            clinic.cliniko.add_note_by_hand(paper.patient_id, paper.practitioner_id, title, None)
        found = broken(soaked(verdict=clinic.judge()))
    assert found == ["lost: 1, promised: 0", "duplicates: 1, promised: 0"]


def test_a_question_about_a_stranger_is_no_needless_one() -> None:
    held = Verdict(2, 1, 1, 0, 0, 0, 0, 0, Counter({"no_match": 1}), 0)
    assert broken(soaked(verdict=held)) == ["held without need: 1, promised: 0"]
    assert broken(replace(soaked(verdict=held), strangers=1)) == []


def test_luck_spoils_the_share_of_requests_that_it_is_told_to() -> None:
    luck = Unlucky(0.01, Random(1), too_many="429")
    faults = [luck.take("patients") for _ in range(20_000)]
    assert 150 <= sum(fault is not None for fault in faults) == luck.struck.total() <= 250
    assert {fault for fault in faults if fault} == {*READS, "429"}
    assert luck.requests == 20_000
