"""The commands: arguments in, exit code out. Each loads what it needs only when it runs, so that `--help` is quick.

Exit codes: 0 done; 1 done in part, or something is off; 2 the settings are wrong; 3 other workers hold every clinician
asked for. Errors become one sentence here, and nowhere a traceback.
"""

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    help="Files the documents that clinicians make in Heidi as draft treatment notes in Cliniko, once each.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables: patients' words
    rich_markup_mode=None,
)
review = typer.Typer(help="What waits for a person.", no_args_is_help=True, rich_markup_mode=None)
database = typer.Typer(help="The ledger.", no_args_is_help=True, rich_markup_mode=None)
users = typer.Typer(help="Who may log in to the page.", no_args_is_help=True, rich_markup_mode=None)
alarms = typer.Typer(help="Who is told when something is wrong.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(alarms, name="alarms")
app.add_typer(review, name="review")
app.add_typer(users, name="users")
app.add_typer(database, name="db")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Preview = Annotated[
    bool, typer.Option("--preview", help="Show each note as it would be sent now: a patient's words, on this terminal.")
]
Clinician = Annotated[str | None, typer.Argument(help="Name, Heidi user id or e-mail. Everybody, if left out.")]
EntryNumber = Annotated[
    int, typer.Argument(metavar="ENTRY", min=1, max=2**31 - 1, help="The entry's number, from `review list` or `log`.")
]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free port.")]
UserName = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="A backup: one file, whichever the database.")]


_started: list[bool] = []
"""Not empty once a command runs: from then on it prints its own errors."""


def _run(command: Callable[[], int], *, as_json: bool = False) -> None:
    from sync_worker.commands.errors import exit_code_of

    _started.append(True)
    gc.freeze()  # what is loaded stays to the end
    gc.enable()
    raise typer.Exit(exit_code_of(command, as_json=as_json))


@app.command()
def demo(
    faults: Annotated[bool, typer.Option("--faults", help="Let the stand-in services lose answers and fail.")] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Keep the web page up afterwards, with demo logins.")] = False,
) -> None:
    """Run the real worker against stand-ins of both services, and count what became of each document."""
    from sync_worker.commands import demo as command

    _run(lambda: command.demo(faults=faults, serve=serve))


@app.command()
def sandbox(
    heidi_port: Port = 0,
    cliniko_port: Port = 0,
) -> None:
    """Start only the two stand-ins, and print the settings that point a worker at them."""
    from sync_worker.commands import demo as command

    _run(lambda: command.sandbox(heidi_port, cliniko_port))


@app.command()
def run() -> None:
    """The service: polls Heidi and files what is due, until it is asked to stop."""
    from sync_worker.commands import run as command

    _run(command.run)


@app.command()
def once(as_json: Json = False) -> None:
    """One tick of every clinician, then exit."""
    from sync_worker.commands import once as command

    _run(lambda: command.once(as_json=as_json), as_json=as_json)


@app.command()
def plan(
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Look at sessions from this day on.")] = None,
    preview: Preview = False,
    as_json: Json = False,
) -> None:
    """What a tick would do, with reasons. Writes nothing, anywhere."""
    from sync_worker.commands import plan as command

    _run(lambda: command.plan(since, preview=preview, as_json=as_json), as_json=as_json)


@app.command()
def check(
    residency: Annotated[
        bool, typer.Option("--residency", help="Only say where data can go, and what lets it. Asks nobody.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Prove every setting against the real services, and say what to do about what is wrong."""
    from sync_worker.commands import check as command

    told = command.residency if residency else command.check
    _run(lambda: told(as_json=as_json), as_json=as_json)


@alarms.command("test")
def alarms_test() -> None:
    """Send a message by every way that the settings name: mail, webhook."""
    from sync_worker.commands import alarms as command

    _run(command.test)


@app.command()
def link(clinician: Clinician = None) -> None:
    """Print the address at which a clinician links their Heidi account, and wait until they have."""
    from sync_worker.commands import link as command

    _run(lambda: command.link(clinician))


@app.command()
def status(as_json: Json = False) -> None:
    """Counts, ages, cursors, last polls and pauses."""
    from sync_worker.commands import status as command

    _run(lambda: command.status(as_json=as_json), as_json=as_json)


@app.command()
def pause(clinician: Clinician = None) -> None:
    """Stop posting, at once and over restarts."""
    from sync_worker.commands import pause as command

    _run(lambda: command.pause(clinician))


@app.command()
def resume(clinician: Clinician = None) -> None:
    """Post again."""
    from sync_worker.commands import pause as command

    _run(lambda: command.resume(clinician))


@app.command()
def backfill(
    since: Annotated[str, typer.Option(metavar="DATE", help="Bring in sessions from this day on.")],
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Up to this day, which counts whole.")] = None,
) -> None:
    """Bring older sessions into scope, and show how their documents are filed."""
    from sync_worker.commands import backfill as command

    _run(lambda: command.backfill(since, until))


@app.command()
def undo(
    entry: EntryNumber,
    reason: Annotated[
        str,
        typer.Option(
            metavar="CODE",
            help="Such as wrong_document, filed_by_mistake. wrong_patient also stops the clinician, bars the chart.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Take back a note that we wrote and nobody has touched."""
    from sync_worker.commands import undo as command

    _run(lambda: command.undo(entry, reason, as_json=as_json), as_json=as_json)


@app.command()
def audit(
    since: Annotated[str | None, typer.Option(metavar="DATE", help="From this day on; else the look-back.")] = None,
    as_json: Json = False,
) -> None:
    """Compare Heidi, the ledger and Cliniko: what is missing, there twice, changed. Writes nothing, anywhere."""
    from sync_worker.commands import audit as command

    _run(lambda: command.audit(since, as_json=as_json), as_json=as_json)


@app.command()
def log(
    entry: Annotated[
        int | None, typer.Argument(metavar="ENTRY", min=1, max=2**31 - 1, help="One entry's whole life.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Machine-readable, with the hashes that prove it.")] = False,
) -> None:
    """The audit trail: what was done to Cliniko, what people decided, and every move, oldest first."""
    from sync_worker.commands import log as command

    _run(lambda: command.log(entry, as_csv=as_csv))


@app.command("support-bundle")
def support_bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, such as bundle.zip.")],
) -> None:
    """Write a file for whoever helps: versions, settings without values, counts and ages; nobody's names or ids."""
    from sync_worker.commands import support_bundle as command

    _run(lambda: command.support_bundle(file))


@review.command("list")
def review_list(as_json: Json = False) -> None:
    """What waits, longest first."""
    from sync_worker.commands import review as command

    _run(lambda: command.list_waiting(as_json=as_json), as_json=as_json)


@review.command("show")
def review_show(entry: EntryNumber, preview: Preview = False, as_json: Json = False) -> None:
    """One entry: where it stands, its candidates, attempts and history; or its note, as it would be sent now."""
    from sync_worker.commands import review as command

    show = command.preview if preview else command.show
    _run(lambda: show(entry, as_json=as_json), as_json=as_json)


@review.command("assign")
def review_assign(
    entry: EntryNumber,
    patient: Annotated[str, typer.Option(metavar="ID", help="The Cliniko patient's id.")],
    as_json: Json = False,
) -> None:
    """File an entry on this patient."""
    from sync_worker.commands import review as command

    _run(lambda: command.assign(entry, patient, as_json=as_json), as_json=as_json)


@review.command("dismiss")
def review_dismiss(
    entry: EntryNumber,
    reason: Annotated[str, typer.Option(metavar="CODE", help="Such as filed_by_hand, not_clinical, duplicate.")],
    as_json: Json = False,
) -> None:
    """Do not file an entry."""
    from sync_worker.commands import review as command

    _run(lambda: command.dismiss(entry, reason, as_json=as_json), as_json=as_json)


@review.command("retry")
def review_retry(entry: EntryNumber, as_json: Json = False) -> None:
    """Try an entry again; one in doubt is looked for again."""
    from sync_worker.commands import review as command

    _run(lambda: command.retry(entry, as_json=as_json), as_json=as_json)


@review.command("resolve")
def review_resolve(
    entry: EntryNumber,
    note: Annotated[str | None, typer.Option(metavar="ID", help="The note is in Cliniko: this one.")] = None,
    not_there: Annotated[bool, typer.Option("--not-there", help="The note is not in Cliniko.")] = False,
    as_json: Json = False,
) -> None:
    """End a doubt: the note is there, or it is not."""
    from sync_worker.commands import review as command

    _run(lambda: command.resolve(entry, note, not_there=not_there, as_json=as_json), as_json=as_json)


@users.command("add")
def users_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="2 to 64 letters, digits, and the signs . _ - @")],
    role: Annotated[Literal["admin", "clinician", "desk"], typer.Option(help="desk is the front desk.")],
    clinician: Annotated[
        str | None,
        typer.Option(metavar="X", help="Whose own sessions it sees: name, Heidi user id or e-mail."),
    ] = None,
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="Ask for a code of a device at each login.")
    ] = False,
) -> None:
    """Make an account. Asks for its password, or reads one line from stdin."""
    from sync_worker.commands import users as command

    _run(lambda: command.add(name, role, clinician, second_factor=second_factor))


@users.command("list")
def users_list(as_json: Json = False) -> None:
    """Every account, the disabled ones as well."""
    from sync_worker.commands import users as command

    _run(lambda: command.show_all(as_json=as_json), as_json=as_json)


@users.command("disable")
def users_disable(name: UserName) -> None:
    """Log its person out, and let nobody log in by it any more."""
    from sync_worker.commands import users as command

    _run(lambda: command.disable(name))


@users.command("enable")
def users_enable(name: UserName) -> None:
    """Let its person log in again."""
    from sync_worker.commands import users as command

    _run(lambda: command.enable(name))


@users.command("password")
def users_password(name: UserName) -> None:
    """Give it another password. Asks for it, or reads one line from stdin."""
    from sync_worker.commands import users as command

    _run(lambda: command.password(name))


@users.command("second-factor")
def users_second_factor(
    name: UserName,
    off: Annotated[bool, typer.Option("--off", help="Ask for no code any more.")] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Forget the enrolled device, as when a phone is lost.")
    ] = False,
) -> None:
    """Ask for a code of a device at each login, from the next one on."""
    from sync_worker.commands import users as command

    _run(lambda: command.second_factor(name, off=off, reset=reset))


@database.command("upgrade")
def db_upgrade() -> None:
    """Make the ledger, or bring it to this program's version."""
    from sync_worker.commands import database as command

    _run(command.upgrade)


@database.command("current")
def db_current() -> None:
    """Say which version the ledger is of."""
    from sync_worker.commands import database as command

    _run(command.current)


@database.command("backup")
def db_backup(file: BackupFile) -> None:
    """Copy the ledger as it is now into a file, while workers work."""
    from sync_worker.commands import database as command

    _run(lambda: command.backup(file))


@database.command("restore")
def db_restore(
    file: BackupFile,
    replace: Annotated[bool, typer.Option("--replace", help="Replace what is there; it is backed up first.")] = False,
) -> None:
    """Put a backup into the ledger's database, whichever it is. The next tick looks in Cliniko before it posts."""
    from sync_worker.commands import database as command

    _run(lambda: command.restore(file, replace=replace))


@database.command("move")
def db_move(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="As in DATABASE_URL. PGPASSWORD keeps a password out of sight.")
    ],
) -> None:
    """Move the ledger into an empty database, SQLite or Postgres, and retire the old one."""
    from sync_worker.commands import database as command

    _run(lambda: command.move(url))


@app.command()
def health(
    ready: Annotated[
        bool, typer.Option("--ready", help="Ask also whether it can do its work: ledger and polls.")
    ] = False,
) -> None:
    """Ask the service that runs on this machine whether it is alive: exit 0, else 1 and why."""
    from sync_worker.commands import health as command

    _run(lambda: command.health(ready=ready))


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from sync_worker import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """The console script."""
    gc.disable()  # until the command runs: looking for garbage in what is loaded takes a good part of a start
    try:
        app()
    except SystemExit as stopped:
        if stopped.code == 2 and "--json" in sys.argv and not _started:
            from sync_worker.commands.errors import report

            report("usage", ["The arguments are wrong: `sync-worker --help` lists them."], 2, as_json=True)
        raise
    finally:
        gc.enable()


if __name__ == "__main__":
    main()
