"""`python -m tests.conversion --examples 50000 --jobs 2`: see the package. Ctrl-C ends it with what was done so far."""

import argparse
import os
import signal
import sys
import time
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from hypothesis import given, seed
from rich.console import Console
from rich.progress import track

from sync_worker.errors import ConversionError
from tests.conversion import hostile
from tests.conversion.documents import Made, documents
from tests.conversion.reading import assert_whole
from tests.faults.report import report
from tests.long_runs import told, unhurried

AT_A_TIME = 100
"""Documents in one piece of work: an interruption loses no more."""

HANG_SECONDS = 120
"""A document that takes longer hangs; the slowest takes some seconds."""

WAYS = [
    (kind, html, layout)
    for kind in ("MARKDOWN", "HTML")
    for html, layout in (("full", "sections"), ("basic", "single"))
]

Done = tuple[Counter[str], list[str]]
"""What was counted, and what was broken."""


def main() -> int:
    """1 if a word was lost, or an ordinary document refused."""
    asked = _asked()
    began = time.monotonic()
    counts, broken = Counter[str](), list[str]()
    with ProcessPoolExecutor(asked.jobs) as pool:
        work = _work(pool, asked)
        try:
            for done in track(as_completed(work), "documents", len(work), console=Console(stderr=True)):
                counted, found = done.result()
                counts["slowest"] = max(counts["slowest"], counted.pop("slowest", 0))
                counts.update(counted)
                broken += found
        except KeyboardInterrupt:  # what was rendered so far counts
            pool.shutdown(cancel_futures=True)
    return report("conversion", _figures(counts, time.monotonic() - began, asked.seed), sorted(broken, key=len)[:20])


def _work(pool: ProcessPoolExecutor, asked: argparse.Namespace) -> list[Future[Done]]:
    pieces = range(-(-asked.examples // AT_A_TIME))
    rest = asked.examples - AT_A_TIME * (len(pieces) - 1)
    work = [pool.submit(_ordinary, AT_A_TIME if n + 1 < len(pieces) else rest, asked.seed + n) for n in pieces]
    seeds = range(asked.seed, asked.seed + asked.hostile)
    return work + [pool.submit(_hostile, seeds[n : n + AT_A_TIME]) for n in range(0, len(seeds), AT_A_TIME)]


def _ordinary(examples: int, from_seed: int) -> Done:
    """Render so many documents in every way; the shortest broken one, if any."""
    counts, shrinking = Counter[str](), False

    @seed(from_seed)
    @unhurried(examples)
    @given(documents())
    def property_(document: Made) -> None:
        nonlocal shrinking
        if not shrinking:
            counts.update(documents=1, notes=len(WAYS), words=len(document.words))
        for kind, html, layout in WAYS:
            try:
                assert_whole(document, kind, html=html, layout=layout)
            except ConversionError as refusal:
                shrinking = True
                raise AssertionError(f"{kind} refused: {refusal.code}") from None
            except Exception:
                shrinking = True
                raise

    try:
        property_()
    except Exception as broken:  # noqa: BLE001  any end but a whole note is what is looked for
        counts["refused"] += " refused: " in str(broken)
        return counts, [f"seed {from_seed}: {type(broken).__name__}: {told(broken)}"]
    return counts, []


def _hostile(seeds: range) -> Done:
    counts, broken = Counter[str](), list[str]()
    signal.signal(signal.SIGALRM, _give_up)
    for number in seeds:
        began = time.process_time()
        signal.alarm(HANG_SECONDS)
        try:
            counts[f"hostile_{hostile.outcome(number)}"] += 1
        except Exception as fault:  # noqa: BLE001  any other exception is what is looked for
            broken.append(f"hostile document {number}: {type(fault).__name__}: {str(fault)[:500]}")
        signal.alarm(0)
        counts["hostile"] += 1
        counts["slowest"] = max(counts["slowest"], int(1000 * (time.process_time() - began)))
    return counts, broken


def _give_up(*_: object) -> None:
    raise TimeoutError(f"no end within {HANG_SECONDS} s")


def _figures(counts: Counter[str], seconds: float, from_seed: int) -> dict[str, str | int | float]:
    return {
        **{name: counts[name] for name in ("documents", "notes", "words")},
        "documents_a_second": round((counts["documents"] + counts["hostile"]) / seconds, 1),
        "refused": counts["refused"],
        **{name: counts[name] for name in ("hostile", "hostile_filed", "hostile_refused")},
        "slowest_hostile_in_ms": counts["slowest"],
        "seed": from_seed,
    }


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conversion", description=__doc__)
    parser.add_argument("--examples", type=int, default=2000, help="how many ordinary documents, each in both formats")
    parser.add_argument("--hostile", type=int, default=500, help="how many documents that nobody would write")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
