"""What a release is made of: a wheel that carries all it needs and runs from anywhere, one version, a list of parts."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sync_worker import __version__

ROOT = Path(__file__).parent.parent


# ---------------------------------------------------------------- one version, and the list of parts


def test_the_version_stands_in_one_place() -> None:
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text()
    assert not re.search(r"^version", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    taken = subprocess.run(
        ["sed", "-n", r's/^__version__ = "\(.*\)"/\1/p', "sync_worker/__init__.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert r"""sed -n 's/^__version__ = "\(.*\)"/\1/p' sync_worker/__init__.py""" in makefile, (
        "what `make image` labels"
    )
    assert taken.stdout.strip() == __version__


def test_the_changelog_knows_no_newer_version_and_the_image_carries_the_label_it_is_given() -> None:
    told = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert not told or told[0] == __version__, "the newest version that was released is this one"
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert 'org.opencontainers.image.version="${VERSION}"' in dockerfile
    assert 'test "${VERSION}" = "$(/opt/sync-worker/bin/sync-worker --version)"' in dockerfile
    assert __version__ not in dockerfile


@pytest.mark.proof
def test_the_list_of_parts_names_every_locked_package_with_its_hashes(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for name in ("first", "second"):
        command = [sys.executable, "deploy/sbom.py", str(tmp_path / name)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    bom = json.loads((tmp_path / "first").read_text())
    lock = (ROOT / "requirements/distributed.txt").read_text()
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock, re.MULTILINE))
    assert {one["name"]: one["version"] for one in bom["components"]} == locked
    assert all(one["externalReferences"][0]["hashes"] for one in bom["components"])
    ours = bom["metadata"]["component"]
    assert (ours["name"], ours["version"]) == ("sync-worker", __version__)
    asked_for = next(one["dependsOn"] for one in bom["dependencies"] if one["ref"] == ours["bom-ref"])
    assert len(asked_for) == len(re.findall(r'^    "[a-z].*?",', _dependencies(), re.MULTILINE)) + 1  # the extra


def _dependencies() -> str:
    return (ROOT / "pyproject.toml").read_text().partition("\ndependencies = [\n")[2].partition("\n]")[0]


# ---------------------------------------------------------------- the wheel


@dataclass
class Installed:
    """A wheel in an environment of its own, outside the checkout, and an empty folder to run it from."""

    script: Path
    folder: Path

    def run(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        command, environment = [self.script, *arguments], self._environment(settings)
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=110
        )

    @contextmanager
    def running(self, *arguments: str, **settings: str) -> Iterator["subprocess.Popen[str]"]:
        with subprocess.Popen(
            [self.script, *arguments],
            cwd=self.folder,
            env=self._environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "TMPDIR": str(self.folder), **settings}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    return _build(tmp_path_factory.mktemp("built"))


def _build(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, installed without a network: what it needs is lent by these tests' own environment."""
    home = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
    python = home / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, next(built.glob("*.whl"))], check=True)
    packages = next((home / "venv/lib").glob("python*/site-packages"))
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (home / "empty").mkdir()
    where = [python, "-c", "import sync_worker; print(sync_worker.__file__)"]
    loaded = subprocess.run(where, env={}, cwd=home / "empty", capture_output=True, text=True, check=True).stdout
    assert loaded.startswith(str(packages)), "the checkout's own code is not what is tried"
    return Installed(home / "venv/bin/sync-worker", home / "empty")


@pytest.mark.proof
def test_the_wheel_carries_what_the_program_needs_and_no_more(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        metadata = wheel.read(f"sync_worker-{__version__}.dist-info/METADATA").decode()
    wanted = {f"sync_worker/{one.relative_to(ROOT / 'sync_worker')}" for one in _tracked("sync_worker")}
    wanted |= {f"sync_worker/_{one.relative_to(ROOT)}" for one in _tracked("migrations")}
    info = f"sync_worker-{__version__}.dist-info/"
    wanted |= {info + one for one in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert names == wanted
    assert {"sync_worker/py.typed", "sync_worker/web/templates/base.html"} <= names
    assert "License-Expression: MIT" in metadata


def _tracked(folder: str) -> list[Path]:
    """What git would commit of a folder."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / one for one in listed if (ROOT / one).exists()]


@pytest.mark.proof
def test_the_source_archive_has_the_licence_and_no_tests(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "sync_worker/py.typed"} <= names
    assert {"migrations/env.py", "requirements/run.txt", "deploy/compose.yaml", "Dockerfile"} <= names
    assert not [name for name in names if name.startswith(("tests", "bench", ".venv", ".cache", ".git/", ".ci"))]


@pytest.mark.proof
def test_a_release_is_the_same_bytes_each_time(built: Path, tmp_path: Path) -> None:
    again = _build(tmp_path)
    for one in built.iterdir():
        assert (again / one.name).read_bytes() == one.read_bytes(), one.name


@pytest.mark.proof
def test_the_installed_wheel_runs_its_demo_in_an_empty_folder(installed: Installed) -> None:
    assert installed.run("--version").stdout.strip() == __version__
    done = installed.run("demo")
    assert done.returncode == 0, done.stderr
    assert re.search(r"Documents in\W+57", done.stdout)
    assert re.search(r"Duplicates\W+0", done.stdout)


@pytest.mark.proof
def test_the_installed_wheel_makes_its_ledger_and_serves_until_it_is_asked_to_stop(installed: Installed) -> None:
    with installed.running("sandbox") as sandbox:
        settings = _settings_of(sandbox)
        settings["DATABASE_URL"] = f"sqlite:///{installed.folder / 'ledger.db'}"
        settings["SYNC_WEB_BIND"] = f"127.0.0.1:{_free_port()}"
        upgraded = installed.run("db", "upgrade", **settings)
        assert upgraded.returncode == 0, upgraded.stderr
        with installed.running("run", **settings) as service:
            until = time.monotonic() + 60
            while (health := installed.run("health", "--ready", **settings)).returncode and time.monotonic() < until:
                assert service.poll() is None, "the service ended by itself"
            assert health.returncode == 0, health.stderr
            service.send_signal(signal.SIGTERM)
            assert service.wait(60) == 0
        assert installed.run("health", **settings).returncode == 1
        assert installed.run("status", "--json", **settings).returncode == 0


def _settings_of(sandbox: "subprocess.Popen[str]") -> dict[str, str]:
    """What the stand-ins print, up to their last line, which is a remark."""
    settings = {}
    for line in sandbox.stdout or ():
        if line.startswith("#"):
            break
        name, _, value = line.rstrip("\n").partition("=")
        settings[name] = value
    return settings


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
