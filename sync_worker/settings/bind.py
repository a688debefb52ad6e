"""Where the page listens: what SYNC_WEB_BIND means, and how to read it without every other setting.

`health` runs every half minute beside the service: loading and checking all settings would take it longer than asking.
"""

import os
from pathlib import Path

from sync_worker.errors import ConfigurationError
from sync_worker.settings.residency import HOST_AND_PORT
from sync_worker.settings.surroundings import Problems, look_around

DEFAULT_BIND = "127.0.0.1:8080"
LARGEST_PORT = 65_535
OFF = {"false", "0", "off", "no", "f", "n"}
"""What pydantic takes for false."""
ALL_INTERFACES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read here, bound nowhere
"""Binds that mean every interface of this machine, each with its loopback."""


def host_and_port(bind: str) -> tuple[str, int]:
    """The two parts of SYNC_WEB_BIND; an IPv6 address stands in brackets."""
    host, _, port = bind.rpartition(":")
    return host.strip("[]"), int(port)


def where_to_ask(env_file: Path | None = Path(".env")) -> tuple[str, int] | None:
    """The host and port at which the page of this machine's service answers; None where SYNC_WEB_ENABLED is off.

    Raises ConfigurationError where the setting, or what it stands in, is wrong.
    """
    problems = Problems()
    around = look_around(os.environ, env_file, problems)
    bind = around.plain("SYNC_WEB_BIND") or DEFAULT_BIND
    if not HOST_AND_PORT.fullmatch(bind) or host_and_port(bind)[1] > LARGEST_PORT:
        problems.add("SYNC_WEB_BIND", f"must be HOST:PORT with a port of at most {LARGEST_PORT}")
    if problems.sentences:
        raise ConfigurationError(problems.sentences)
    if (around.plain("SYNC_WEB_ENABLED") or "").lower() in OFF:
        return None
    host, port = host_and_port(bind)
    return ALL_INTERFACES.get(host, host), port
