"""Every setting, read once at the start and checked as a whole. Nothing else in this program reads the environment."""

from sync_worker.settings.values import (
    NOT_YET,
    SECRETS,
    ClinicianSettings,
    HtmlKind,
    Mode,
    Region,
    Settings,
    load_settings,
)

__all__ = [
    "NOT_YET",
    "SECRETS",
    "ClinicianSettings",
    "HtmlKind",
    "Mode",
    "Region",
    "Settings",
    "load_settings",
]
