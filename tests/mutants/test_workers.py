"""The broken workers are what they say: each breaks one place that is there, and the page lists them all."""

import pytest

from tests.mutants.workers import BROKEN_WORKERS, BrokenWorker
from tests.proofs import PAGE, ROOT


@pytest.mark.parametrize("worker", BROKEN_WORKERS, ids=lambda worker: worker.name)
def test_what_is_to_be_broken_is_there_once(worker: BrokenWorker) -> None:
    text = (ROOT / "sync_worker" / worker.file).read_text()
    assert text.count(worker.right) == 1
    assert all((ROOT / path).exists() for path in worker.tests)


def test_the_page_lists_every_broken_worker() -> None:
    listed = PAGE.read_text().partition("## The broken workers")[2].partition("## ")[0]
    assert [line[2:-1] for line in listed.splitlines() if line.startswith("- ")] == [one.name for one in BROKEN_WORKERS]
