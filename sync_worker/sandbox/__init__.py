"""Both APIs on loopback, for the demo, for tests, and for trying the worker without an account.

Owns starting and stopping the two stand-ins, and the settings that point a worker at them. They hold made-up people
only, listen on 127.0.0.1 only, and forget everything when they stop.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sync_worker.sandbox.cliniko import ClinikoSandbox
    from sync_worker.sandbox.heidi import HeidiSandbox

CONTACT_EMAIL = "sandbox@example.com"

__all__ = ["CONTACT_EMAIL", "Sandbox"]


class Sandbox:
    """Heidi and Cliniko on two loopback ports, from entering the block to leaving it."""

    def __init__(
        self,
        heidi: "HeidiSandbox | None" = None,
        cliniko: "ClinikoSandbox | None" = None,
        *,
        heidi_port: int = 0,
        cliniko_port: int = 0,
    ) -> None:
        """Take stand-ins that are already filled, or make empty ones; port 0 is any free port."""
        # Here and not above: commands that need no sandbox should not pay for loading one.
        from sync_worker.sandbox.cliniko import ClinikoSandbox
        from sync_worker.sandbox.heidi import HeidiSandbox
        from sync_worker.sandbox.wire import LoopbackServer

        self.heidi = heidi or HeidiSandbox()
        self.cliniko = cliniko or ClinikoSandbox()
        self._heidi_server = LoopbackServer(self.heidi.handle, heidi_port)
        self._cliniko_server = LoopbackServer(self.cliniko.handle, cliniko_port)

    def __enter__(self) -> "Sandbox":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; `PortUnusable` if a port is taken, and then neither is held."""
        try:
            self._heidi_server.start()
            self._cliniko_server.start()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Hang up and let go of both ports; may be called twice."""
        self._heidi_server.stop()
        self._cliniko_server.stop()

    @property
    def heidi_url(self) -> str:
        """Heidi's base address, its path included."""
        from sync_worker.sandbox.heidi import BASE_PATH

        return f"{self._heidi_server.url}{BASE_PATH}"

    @property
    def cliniko_url(self) -> str:
        """Cliniko's base address, its path included."""
        from sync_worker.sandbox.cliniko import BASE_PATH

        return f"{self._cliniko_server.url}{BASE_PATH}"

    def environment(self) -> dict[str, str]:
        """The settings that point a worker here; each clinician's own ids and key are still to be added."""
        return {
            "HEIDI_BASE_URL": self.heidi_url,
            "CLINIKO_BASE_URL": self.cliniko_url,
            "HEIDI_API_KEY": self.heidi.api_key,
            "HEIDI_REGION": "au",
            "CLINIKO_CONTACT_EMAIL": CONTACT_EMAIL,
        }
