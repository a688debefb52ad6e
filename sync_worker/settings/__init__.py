"""Every setting, read once at the start and checked as a whole. Nothing else in this program reads the environment."""

from sync_worker.settings.values import (
    SECRETS,
    ClinicianSettings,
    HtmlKind,
    MailTls,
    Mode,
    Region,
    Settings,
    load_settings,
)

__all__ = [
    "SECRETS",
    "ClinicianSettings",
    "HtmlKind",
    "MailTls",
    "Mode",
    "Region",
    "Settings",
    "load_settings",
]
