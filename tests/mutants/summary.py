"""`python -m tests.mutants.summary`: count what `mutmut run` found, module by module. 1 if a module is under 90 %.

A mutant counts as killed if a test failed for it or hung; whatever else became of it, or did not, is a survivor.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mutmut.stats import status_by_exit_code

from tests.proofs import ROOT, record

FOUND = ROOT / "mutants"
KILLED = {"killed", "timeout"}
LEAST_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Module:
    """One mutated module, and what became of its mutants, by their names."""

    name: str
    fates: dict[str, str]

    @property
    def survivors(self) -> list[str]:
        return [mutant for mutant, fate in self.fates.items() if fate not in KILLED]

    @property
    def killed(self) -> int:
        return len(self.fates) - len(self.survivors)

    @property
    def share(self) -> float:
        return self.killed / len(self.fates)


def modules(found: Path = FOUND) -> Iterator[Module]:
    """The modules that have mutants, as mutmut left them."""
    for path in sorted(found.rglob("*.py.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        if codes:
            name = str(path.relative_to(found)).removesuffix(".meta")
            yield Module(name, {mutant: status_by_exit_code[code] for mutant, code in codes.items()})


def main() -> int:
    """Tell the survivors, then the figures."""
    mutated = list(modules())
    if not mutated:
        print("There are no mutants: `make mutation` makes them.", file=sys.stderr)  # noqa: T201
        return 1
    for module in mutated:
        for mutant in module.survivors:
            print(f"{module.fates[mutant]:<12}{mutant}")  # noqa: T201
    mutants, killed = sum(len(module.fates) for module in mutated), sum(module.killed for module in mutated)
    rows = [(one.name, len(one.fates), one.killed, one.share) for one in mutated]
    print(f"\n{'module':<40}{'mutants':>8}{'killed':>8}{'survived':>10}{'share':>9}")  # noqa: T201
    for name, made, dead, share in [*rows, ("all", mutants, killed, killed / mutants)]:
        print(f"{name:<40}{made:>8}{dead:>8}{made - dead:>10}{share:>9.1%}")  # noqa: T201
    shares = {Path(name).stem: f"{share:.1%}" for name, _, _, share in rows}
    record("mutation", {"mutants": mutants, "killed": killed, "survived": mutants - killed, **shares})
    return 0 if all(module.share >= LEAST_SHARE for module in mutated) else 1


if __name__ == "__main__":
    sys.exit(main())
