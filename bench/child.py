"""Runs a command of the program and reports what it took: `python -m bench.child ARGUMENTS`, with BENCH_REPORT a file.

Loads nothing that the command would not load itself, so that neither memory nor modules are another's. What only a
developer has installed, and Beautiful Soup would load where it finds it, is not there for it: as with a service.
"""

import json
import os
import sys
from pathlib import Path


def _peak_kb() -> int:
    """The most memory that this process ever held, which a process that it was started from does not count in."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


ONLY_FOR_DEVELOPERS = ("lxml", "chardet")

if __name__ == "__main__":
    for name in ONLY_FOR_DEVELOPERS:
        sys.modules[name] = None  # type: ignore[assignment]

    from sync_worker.__main__ import main

    try:
        main()
    finally:
        report = {"peak_kb": _peak_kb(), "modules": len(sys.modules)}
        Path(os.environ["BENCH_REPORT"]).write_text(json.dumps(report))
