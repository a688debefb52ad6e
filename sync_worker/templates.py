"""The practice's treatment note templates, as routes name them, read live from Cliniko.

Kept in memory for a few minutes only: a template that the practice has just mended counts soon.
"""

from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.errors import ConfigurationError
from sync_worker.model import Template

KEPT_SECONDS = 300
MISSED_SECONDS = 60
"""How long one that is not there is not asked for again: every document of its route would ask."""


class Templates:
    """The templates of one clinician's Cliniko account."""

    def __init__(self, cliniko: ClinikoClient, clock: Clock) -> None:
        self._cliniko = cliniko
        self._clock = clock
        self._kept: dict[str, tuple[Template | ConfigurationError, float]] = {}

    def find(self, wanted: str) -> Template:
        """The one template of this id or name (without case).

        Raises `ConfigurationError` if Cliniko has none, or several of that name, and `RemoteError` if it cannot be
        asked.
        """
        found, until = self._kept.get(wanted, (None, 0.0))
        if found is None or self._clock.monotonic() >= until:
            found = self._ask_for(wanted)
            seconds = KEPT_SECONDS if isinstance(found, Template) else MISSED_SECONDS
            self._kept[wanted] = (found, self._clock.monotonic() + seconds)
        if isinstance(found, ConfigurationError):
            raise found
        return found

    def is_at_hand(self, wanted: str) -> bool:
        """Whether the template was found lately, so that it need not be asked for."""
        found, until = self._kept.get(wanted, (None, 0.0))
        return isinstance(found, Template) and self._clock.monotonic() < until

    def _ask_for(self, wanted: str) -> Template | ConfigurationError:
        names = self._cliniko.list_templates()
        ids = (
            [wanted]
            if wanted in names
            else [id_ for id_, name in names.items() if name.casefold() == wanted.casefold()]
        )
        found = self._cliniko.find_template(ids[0]) if len(ids) == 1 else None
        if found is not None:
            return found
        many = "more than one" if len(ids) > 1 else "no"
        sentence = f'Cliniko has {many} treatment note template "{wanted}": mend cliniko_template in clinic.toml.'
        return ConfigurationError([sentence])
