"""`db`: the ledger's version."""

from sync_worker.bootstrap import open_ledger
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, PARTLY, say
from sync_worker.ledger import migrate


def upgrade() -> int:
    """Make or migrate the ledger."""
    settings, clock = setup.load()
    open_ledger(settings, clock)
    say(f"The ledger is of version {migrate.head()}.")
    return DONE


def current() -> int:
    """Say the ledger's version. 1 if there is none, or it is not this program's."""
    settings, _ = setup.load()
    version = setup.ledger_version(settings)
    if version is None:
        say("There is no ledger yet: `sync-worker db upgrade` or the first `run` makes it.")
        return PARTLY
    say(f"The ledger is of version {version}; this program writes {migrate.head()}.")
    return DONE if version == migrate.head() else PARTLY
