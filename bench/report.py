"""Write what was measured into docs/performance.md: `python -m bench.report`, after `make bench`.

Replaces what stands between the two marks there by the table of bench/results/summary.json, and says on which machine
it was measured and how busy that was.
"""

import json
from typing import Any

from bench.figures import HEADS, RESULTS, ROOT, Figure

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def table(summary: dict[str, Any]) -> str:
    """What was measured, as Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in summary["versions"].items())
    lines = [
        f"Commit `{summary['commit']}`, Python {summary['python']}, {summary['machine']},",
        f"{summary['processors']} processors ({summary['processor']}), load {summary['load']} when it ended;",
        f"{versions}.",
    ]
    for module in (one for one in summary["modules"] if one["figures"]):
        lines += ["", f"### `python -m {module['module']}`", "", f"| {' | '.join(HEADS)} |", "|---|---:|---:|---:|:-:|"]
        lines += [f"| {' | '.join(Figure(**figure).cells())} |" for figure in module["figures"]]
    return "\n".join(lines)


def replaced(page: str, measured: str) -> str:
    """The page with another text between its marks. Raises `ValueError` where it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {BEGIN} and {END}")
    return f"{before}{begin}\n\n{measured}\n\n{end}{after}"


def main() -> None:
    """Read what was measured, write the page."""
    summary = json.loads((RESULTS / "summary.json").read_text())
    PAGE.write_text(replaced(PAGE.read_text(), table(summary)))
    print(f"{PAGE.name} tells it now.")  # noqa: T201 - tells a person


if __name__ == "__main__":
    main()
