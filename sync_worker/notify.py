"""What systemd is told of the service, by datagrams to the socket that it named: ready, alive, how it stands, stopping.

Its protocol is sd_notify's (https://www.freedesktop.org/software/systemd/man/sd_notify.html). Where nobody listens
nothing is sent, and no failure of it ever reaches the service. Whether the service is alive is not decided here.
"""

import math
import socket
from contextlib import suppress

from sync_worker.clock import Clock
from sync_worker.settings.surroundings import Supervisor

PATIENCE_SECONDS = 1.0
"""For a listener that is busy. What is lost then, but for READY=1, is said again soon."""
FEEDINGS = 4
"""How often in each of its intervals the watchdog hears of us; systemd asks for twice."""


class Notifier:
    """Tells whoever started the service how it is."""

    def __init__(self, supervisor: Supervisor, clock: Clock) -> None:
        self._address = _address_of(supervisor.notify_socket)
        self._clock = clock
        self._fed_at = -math.inf
        self.feed_seconds = supervisor.watchdog_seconds / FEEDINGS if supervisor.watchdog_seconds else math.inf
        """How often `alive` should be called; for ever where no watchdog waits for it."""

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return self._address is not None

    def ready(self) -> None:
        """The service works."""
        self._send("READY=1")

    def status(self, sentence: str) -> None:
        """How it stands, in one line for `systemctl status`: counts, and nothing of patients or clinicians."""
        self._send(f"STATUS={sentence}")

    def alive(self) -> None:
        """Ticks happen. To be called as often as one likes: only what the watchdog needs is sent."""
        now = self._clock.monotonic()
        if math.isfinite(self.feed_seconds) and now - self._fed_at >= self.feed_seconds:
            self._fed_at = now
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The service was asked to stop, and finishes what is under way."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(PATIENCE_SECONDS)
            line.sendto(message.encode(), self._address)


def _address_of(named: str | None) -> str | None:
    """The address as Python takes it: "@" begins an abstract one. None for kinds that a host's systemd never names."""
    if named is None or named[0] not in "/@":
        return None
    return "\0" + named[1:] if named[0] == "@" else named
