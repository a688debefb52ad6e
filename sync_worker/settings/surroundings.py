"""Where settings may stand: the environment, `.env`, files that variables name, systemd's credentials directory.

Owns the order among them and the reading. It does not know which settings exist or what they may be. A value is taken
as it is, without blanks around it; an empty one counts as not set. A source that cannot be read is a problem, and so
is a line of `.env` that is no setting: silence would leave somebody believing in a setting that nobody obeys.
"""

import difflib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv.parser import parse_stream

if TYPE_CHECKING:
    from sync_worker.settings.clinic import KeyReference


@dataclass
class Problems:
    """What is wrong so far, one sentence each, and about which settings: one complaint about each is enough."""

    sentences: list[str] = field(default_factory=list)
    about: set[str] = field(default_factory=set)

    def add(self, name: str, what: str) -> None:
        """Complain about the setting `name`; `what` completes the sentence."""
        self.about.add(name)
        self.sentences.append(f"{name} {what}.")


@dataclass(frozen=True, slots=True)
class Supervisor:
    """What systemd tells a service of itself: where it listens, and how often it wants a sign of life; None if not."""

    notify_socket: str | None = None
    watchdog_seconds: float | None = None


@dataclass(frozen=True)
class Surroundings:
    """What was found around the program; `layers` are the environment and `.env`, the stronger first."""

    layers: tuple[Mapping[str, str], ...]
    credentials: Path | None
    problems: Problems
    supervisor: Supervisor = Supervisor()

    def names(self) -> Iterator[str]:
        """Every name that stands in a layer with a value."""
        return (name for layer in self.layers for name, value in layer.items() if value.strip())

    def plain(self, name: str) -> str | None:
        """The value of a setting that is no secret."""
        return next((value for layer in self.layers if (value := layer.get(name, "").strip())), None)

    def secret(self, name: str) -> str | None:
        """The value of NAME, else the file that NAME_FILE names; layer by layer, then systemd's credential.

        https://systemd.io/CREDENTIALS: one file for each credential; its name here is the setting's, in either case.
        """
        for layer in self.layers:
            if value := layer.get(name, "").strip():
                return value
            if file := layer.get(f"{name}_FILE", "").strip():
                return self._content(name, f"The file that {name}_FILE names", Path(file))
        return self._credential(name)

    def key(self, reference: "KeyReference", label: str) -> str | None:
        """The Cliniko key that clinic.toml points to."""
        if reference.env is not None:
            return self.secret(reference.env)
        return self._content(label, f"{label}: the file", reference.file) if reference.file else None

    def _credential(self, name: str) -> str | None:
        if self.credentials is None:
            return None
        try:
            named = (self.credentials / name, self.credentials / name.lower())
            file = next((one for one in named if one.is_file()), None)
        except OSError:  # of another user, whose folder it is
            self._complain(name, f"The credential {name}")
            return None
        return self._content(name, f"The credential {name}", file) if file is not None else None

    def _content(self, about: str, source: str, file: Path) -> str | None:
        """The path is not repeated: somebody may have put the key itself there."""
        try:
            return file.read_text(encoding="utf-8-sig").strip() or None
        except (OSError, ValueError):  # ValueError: not UTF-8, or no path at all
            self._complain(about, source)
            return None

    def _complain(self, about: str, source: str) -> None:
        self.problems.about.add(about)
        self.problems.sentences.append(f"{source} cannot be read: check the file's path and rights.")


def look_around(environ: Mapping[str, str], env_file: Path | None, problems: Problems) -> Surroundings:
    """Collect the surroundings once. A missing `.env` is none; an unreadable one is a problem."""
    directory = environ.get("CREDENTIALS_DIRECTORY", "").strip()
    return Surroundings(
        layers=(dict(environ), _read_env_file(env_file, problems) if env_file else {}),
        credentials=Path(directory) if directory else None,
        problems=problems,
        supervisor=_supervisor(environ),
    )


def _supervisor(environ: Mapping[str, str]) -> Supervisor:
    """What sd_watchdog_enabled(3) reads; a watchdog may be meant for another process."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    is_meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    is_number = microseconds.isascii() and microseconds.isdigit() and int(microseconds) > 0
    return Supervisor(
        notify_socket=environ.get("NOTIFY_SOCKET") or None,
        watchdog_seconds=int(microseconds) / 1_000_000 if is_meant and is_number else None,
    )


def _read_env_file(path: Path, problems: Problems) -> dict[str, str]:
    values: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for line in parse_stream(stream):
                if line.error or (line.key and line.value is None):
                    problems.add(f"{path.name}, line {line.original.line},", "is not NAME=value")
                elif line.key and line.value is not None:
                    values[line.key] = line.value
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        problems.add(path.name, "cannot be read: check its rights, and that it is UTF-8 text")
    return values


def misspelt(names: Iterable[str], known: Collection[str], other: Collection[str | None]) -> Iterator[str]:
    """Warn of names that are almost a setting's: unknown ones are ignored, and SYNC_MOD=rehearse must not be."""
    families = tuple({name.partition("_")[0] + "_" for name in known})
    for name in sorted(set(names)):
        plain = name.removesuffix("_FILE")
        if name in known or plain in known or plain in other or not name.startswith(families):
            continue
        if close := difflib.get_close_matches(name, known, n=1, cutoff=0.85):
            yield f"{name} is no setting and is ignored: did you mean {close[0]}?"
