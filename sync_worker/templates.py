"""The practice's treatment note templates, as routes name them, read live from Cliniko.

Kept in memory for a few minutes only: a template that the practice has just mended counts soon.
"""

from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.errors import ConfigurationError
from sync_worker.model import Template

KEPT_SECONDS = 300


class Templates:
    """The templates of one clinician's Cliniko account."""

    def __init__(self, cliniko: ClinikoClient, clock: Clock) -> None:
        self._cliniko = cliniko
        self._clock = clock
        self._kept: dict[str, tuple[Template, float]] = {}

    def find(self, wanted: str) -> Template:
        """The one template of this id or name (without case).

        Raises `ConfigurationError` if Cliniko has none, or several of that name, and `RemoteError` if it cannot be
        asked.
        """
        now = self._clock.monotonic()
        kept, read_at = self._kept.get(wanted, (None, 0.0))
        if kept is not None and now - read_at < KEPT_SECONDS:
            return kept
        template = self._cliniko.find_template(_id_of(wanted, self._cliniko.list_templates()))
        if template is None:
            raise _trouble("no", wanted)
        self._kept[wanted] = (template, now)
        return template


def _id_of(wanted: str, names: dict[str, str]) -> str:
    if wanted in names:
        return wanted
    named = [template_id for template_id, name in names.items() if name.casefold() == wanted.casefold()]
    if len(named) != 1:
        raise _trouble("no" if not named else "more than one", wanted)
    return named[0]


def _trouble(many: str, wanted: str) -> ConfigurationError:
    return ConfigurationError(
        [f'Cliniko has {many} treatment note template "{wanted}": mend cliniko_template in clinic.toml.']
    )
