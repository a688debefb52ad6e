"""`python -m tests.mutants`: break the worker in each known way, and see that the tests notice. 1 if they do not."""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.workers import BROKEN_WORKERS, BrokenWorker
from tests.proofs import record

ROOT = Path(__file__).parent.parent.parent
AT_ONCE = 2
COPIED = ("sync_worker", "migrations", "tests", "pyproject.toml")


def is_caught(worker: BrokenWorker) -> bool:
    """Whether its tests fail for a broken worker. ValueError where the program does not read as the worker expects."""
    with tempfile.TemporaryDirectory(prefix="sync-worker-mutant-") as name:
        folder = Path(name)
        for part in COPIED:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        _break(folder / "sync_worker" / worker.file, worker)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *worker.tests]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise ValueError(f"the tests could not run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.returncode == 1


def _break(path: Path, worker: BrokenWorker) -> None:
    text = path.read_text()
    if text.count(worker.right) != 1:
        raise ValueError(f"{worker.file} does not hold once what is to be broken: {worker.right!r}")
    path.write_text(text.replace(worker.right, worker.wrong))


def main() -> int:
    """Try them all."""
    wanted = [worker for worker in BROKEN_WORKERS if not sys.argv[1:] or sys.argv[1] in worker.name]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts = list(pool.map(is_caught, wanted))
    for worker, caught in zip(wanted, verdicts, strict=True):
        print(f"{'caught' if caught else 'NOT CAUGHT':<12}a worker that {worker.name}")  # noqa: T201
    if len(wanted) == len(BROKEN_WORKERS):
        record("broken workers", {"tried": len(verdicts), "caught": sum(verdicts)})
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
