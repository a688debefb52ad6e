"""Writes what a release is made of, as CycloneDX JSON: every package that requirements/distributed.txt locks.

cyclonedx-bom reads the lock and needs no network. It does not see our version, which stands in the code and not in
pyproject.toml, nor which packages we ask for ourselves: both are added here. The same bytes come out each time.

    python deploy/sbom.py dist/sbom.json
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from sync_worker import __version__

ROOT = Path(__file__).parent.parent


def main(target: Path) -> None:
    """Write the file, and say how much is in it."""
    bom = _read_lock()
    component = bom["metadata"]["component"]
    component["version"] = __version__
    component["purl"] = f"pkg:pypi/{component['name']}@{__version__}"
    _say_what_we_ask_for(bom, component["bom-ref"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bom, indent=2, sort_keys=True) + "\n")
    print(f"{target}: {component['name']} {__version__}, {len(bom['components'])} packages")


def _read_lock() -> dict[str, Any]:
    options = ["--pyproject", ROOT / "pyproject.toml", "--mc-type", "application", "--output-reproducible"]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "cyclonedx_py",
        "requirements",
        *options,
        ROOT / "requirements/distributed.txt",
    ]
    written = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    bom: dict[str, Any] = json.loads(written)
    return bom


def _say_what_we_ask_for(bom: dict[str, Any], ours: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["distributed"]]  # the image holds both
    asked_for = {_plain(re.split(r"[^A-Za-z0-9._-]", one)[0]) for one in asked}
    references = sorted(one["bom-ref"] for one in bom["components"] if _plain(one["name"]) in asked_for)
    others = [one for one in bom.get("dependencies", []) if one["ref"] != ours]
    bom["dependencies"] = [*others, {"ref": ours, "dependsOn": references}]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
