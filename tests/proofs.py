"""Keeps what a proof counted, so that docs/reliability.md can show it.

Each proof calls `record` at its end; `python -m tests.proofs` writes the newest figures of all of them into the page.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEPT = ROOT / ".proofs"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- results: written by `make results`, not by hand -->", "<!-- end of results -->"

Figure = str | int | float


def record(name: str, figures: Mapping[str, Figure]) -> None:
    """Keep the figures of one run of the proof `name`; a later run replaces them."""
    KEPT.mkdir(exist_ok=True)
    kept = {"proof": name, "at": datetime.now(UTC).strftime("%Y-%m-%d"), "commit": _commit(), "figures": dict(figures)}
    (KEPT / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


def results(before: str) -> str:
    """The table of every proof that was run here, in Markdown; of the others the lines that `before` has of them."""
    lines = {line.split("|")[1].strip(): line for line in before.splitlines() if line.startswith("| ")}
    lines.pop("proof", None)
    for path in sorted(KEPT.glob("*.json")):
        row = json.loads(path.read_text())
        figures = "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in row["figures"].items())
        lines[row["proof"]] = f"| {row['proof']} | {figures} | {row['at']} | {row['commit']} |"
    table = ["| proof | figures | run | on |", "|---|---|---|---|", *(lines[name] for name in sorted(lines))]
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return "\n".join([*table, "", f"Machine of the newest run: {machine}."])


def rewrite(page: Path, begin: str, text: str, end: str) -> None:
    """Put a text between two marks of a page, in the place of what stood there."""
    head, _, rest = page.read_text().partition(begin)
    _, _, tail = rest.partition(end)
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def _commit() -> str:
    said = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or "no commit"


def main() -> int:
    """Write the table into the page. 1 if nothing was run yet."""
    if not any(KEPT.glob("*.json")):
        print("No proof was run here yet: `make prove` runs them.", file=sys.stderr)  # noqa: T201
        return 1
    before = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    rewrite(PAGE, BEGIN, results(before), END)
    return 0


if __name__ == "__main__":
    sys.exit(main())
