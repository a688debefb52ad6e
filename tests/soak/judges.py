"""What a soak promises, judged from what was measured. Pure: no process, no clock.

Memory breathes, so windows of many looks are compared by their medians, and a line through all looks must tell the
same. Threads and handles come and go with pages, statements and lines that break: what stays is the lower quartile of a
window. Connections are kept for a while, as many as were in use: one lost with each document would soon be more. What
is lost stays and adds up, so the last window may not be above every window of the first half.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import linear_regression, median

from tests.processes.proof import Proof
from tests.processes.verdict import BY_DESIGN, Verdict
from tests.soak.measure import Sample

WINDOWS = 6
LEAST_LOOKS = 5
"""Fewer looks in a window than this say nothing."""
MOST_GROWTH_PERCENT = 5.0
KEPT_CONNECTIONS = 15
"""How many more may be kept at one time than at another: several requests of a clinician are under way at once, more of
them where this machine is slow, and each leaves a connection that is kept for five seconds."""
INTERVALS = 2
AS_IT_SHOULD_BE = (200, 404)
"""An answer, or that this is another clinician's entry."""


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a soak came to. Times are in seconds."""

    samples: Sequence[Sample]
    """Of the time after the warm-up."""
    waits: Sequence[float]
    """From each document's end to its note, for documents finished after the warm-up."""
    settle: float
    poll: float
    verdict: Verdict
    strangers: int
    """Documents of people without a chart: a person must be asked about each."""
    pages: Counter[int]
    """The answers of the page, by status; 0 for none."""
    requests: int
    faults: Counter[str]
    exit_code: int


def judge(soaked: Soaked, proof: Proof) -> Proof:
    """Put figures and broken promises into the proof."""
    _judge_growth(soaked.samples, proof)
    _judge_waits(soaked, proof)
    _judge_notes(soaked, proof)
    failed = sum(count for status, count in soaked.pages.items() if status not in AS_IT_SHOULD_BE)
    proof.add("pages_looked_at", soaked.pages.total())
    proof.add("pages_failed", failed, must_be=0)
    proof.add("requests", soaked.requests)
    proof.add("faults", soaked.faults.total())
    proof.add("exit_code", soaked.exit_code, must_be=0)
    return proof


# ---------------------------------------------------------------- memory, threads, handles


def windows(samples: Sequence[Sample]) -> list[list[Sample]]:
    """The looks in windows of equal time."""
    if not samples:
        return []
    first, last = samples[0].at, samples[-1].at
    found: list[list[Sample]] = [[] for _ in range(WINDOWS)]
    for sample in samples:
        share = (sample.at - first) / (last - first) if last > first else 0.0
        found[min(int(share * WINDOWS), WINDOWS - 1)].append(sample)
    return found


def _judge_growth(samples: Sequence[Sample], proof: Proof) -> None:
    parts = windows(samples)
    proof.add("looks", len(samples))
    if not parts or min(len(part) for part in parts) < LEAST_LOOKS:
        proof.broken.append("too few looks at the process to judge anything")
        return
    _judge_memory(parts, proof)
    for name in ("threads", "handles"):
        _judge_level(name, parts, proof)
    _judge_level("connections", parts, proof, may_differ=KEPT_CONNECTIONS)


def _judge_memory(parts: Sequence[Sequence[Sample]], proof: Proof) -> None:
    middles = [median(sample.rss_kib for sample in part) for part in parts]
    samples = [sample for part in parts for sample in part]
    by_medians = 100 * (middles[-1] / middles[0] - 1)
    line = linear_regression([sample.at for sample in samples], [sample.rss_kib for sample in samples])
    span = samples[-1].at - samples[0].at
    by_slope = 100 * line.slope * span / middles[0]
    proof.add("memory_warmed_up_mib", round(middles[0] / 1024, 1))
    proof.add("memory_at_the_end_mib", round(middles[-1] / 1024, 1))
    for name, percent in (("medians", by_medians), ("slope", by_slope)):
        proof.add(f"memory_growth_by_{name}_percent", round(percent, 1))
        if percent >= MOST_GROWTH_PERCENT:
            promised = f"promised: less than {MOST_GROWTH_PERCENT:g} %"
            proof.broken.append(f"memory grew by {percent:.1f} %, by its {name}; {promised}")


def _judge_level(name: str, parts: Sequence[Sequence[Sample]], proof: Proof, *, may_differ: int = 0) -> None:
    levels = [percentile([getattr(sample, name) for sample in part], 0.25) for part in parts]
    first, last = max(levels[: WINDOWS // 2]), levels[-1]
    proof.add(f"{name}_warmed_up", first)
    proof.add(f"{name}_at_the_end", last)
    if last > first + may_differ:
        proof.broken.append(f"{name} grew from {first} to {last}, promised: no growth")


# ---------------------------------------------------------------- documents and notes


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that so large a share of the values does not exceed (nearest rank)."""
    return sorted(values)[max(ceil(share * len(values)), 1) - 1]


def _judge_waits(soaked: Soaked, proof: Proof) -> None:
    if not soaked.waits:
        proof.broken.append("no document became a note after the warm-up")
        return
    p95, limit = percentile(soaked.waits, 0.95), soaked.settle + INTERVALS * soaked.poll
    proof.add("finish_to_note_p50_seconds", round(percentile(soaked.waits, 0.5), 1))
    proof.add("finish_to_note_p95_seconds", round(p95, 1))
    proof.add("finish_to_note_max_seconds", round(max(soaked.waits), 1))
    proof.add("finish_to_note_limit_seconds", soaked.settle + INTERVALS * soaked.poll)
    if p95 >= limit:
        proof.broken.append(f"p95 of finish to note: {p95:.1f} s, promised: less than {limit:g} s")


def _judge_notes(soaked: Soaked, proof: Proof) -> None:
    verdict = soaked.verdict
    held = verdict.held.total()
    by_design = sum(verdict.held[reason] for reason in BY_DESIGN)
    proof.add("documents", verdict.documents)
    proof.add("notes", verdict.notes)
    proof.add("held_for_a_person", held)
    for name in ("lost", "duplicates", "misfiled", "imagined", "stuck"):
        proof.add(name, getattr(verdict, name), must_be=0)
    proof.add("held_without_need", held - by_design - soaked.strangers, must_be=0)
