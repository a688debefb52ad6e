"""Every setting, read once at the start and checked as a whole. Nothing else in this program reads the environment.

What checks them all is loaded when it is first asked for: `health` needs one setting and half a moment.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sync_worker.settings.loading import load_settings
    from sync_worker.settings.values import (
        SECRETS,
        ClinicianSettings,
        HtmlKind,
        MailTls,
        Mode,
        Region,
        Settings,
        TickEngine,
    )
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(name)
        from sync_worker.settings import loading, values

        return getattr(loading if name == "load_settings" else values, name)


__all__ = [
    "SECRETS",
    "ClinicianSettings",
    "HtmlKind",
    "MailTls",
    "Mode",
    "Region",
    "Settings",
    "TickEngine",
    "load_settings",
]
