"""Whether people were told of each cause once when it began and once when it was over, and of nothing else."""

from collections import Counter
from collections.abc import Iterable, Iterator

from sync_worker.notices import Notice


def untold(told: Iterable[Notice], causes: Iterable[str]) -> Iterator[str]:
    """What was not told once and once only, and what was told besides. `causes` are alarms' codes."""
    found = Counter((notice.code, notice.begins) for notice in told)
    for code in causes:
        for begins in (True, False):
            if (times := found.pop((code, begins), 0)) != 1:
                yield f"{code} was told {times} times as {_word(begins)}, promised: once"
    for (code, begins), times in found.items():
        yield f"{code} was told {times} times as {_word(begins)}, and nothing caused it"


def _word(begins: bool) -> str:
    return "begun" if begins else "over"
