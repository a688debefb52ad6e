"""Backups, restores, moves: a copy is one moment, putting it back files nothing again, and one ledger is in use."""

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy import Engine

from sync_worker.errors import LedgerMismatch, NotPossible
from sync_worker.ledger import Ledger, copies, files, migrate
from sync_worker.ledger.accounts import Accounts, Logins
from sync_worker.ledger.copies import Restored, WorkerRunning
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.rows import Sums, sums
from sync_worker.ledger.storage import open_engine, reading, sqlite_path, writing
from sync_worker.ledger.views import Views
from sync_worker.records import Lease, Reason, Role
from tests.conftest import Clinic, TestClock
from tests.copies.processes import move as move_in_a_process
from tests.copies.rounds import back_up_while_writing, put_an_old_copy_back
from tests.ledger_processes import another_process, take_leases
from tests.ledger_steps import DATABASES, PATIENT, Bench, an_engine, emptied_bench
from tests.test_cli import Terminal, terminal  # noqa: F401 - a fixture

MakeClinic = Callable[[str], Clinic]


@dataclass
class Vault:
    """A ledger with an entry in each status, and a folder for its backups."""

    bench: Bench
    folder: Path

    @property
    def engine(self) -> Engine:
        return self.bench.ledger.engine

    @property
    def clinician(self) -> int:
        return self.bench.lease.clinician_id

    def take_lease(self) -> Lease:
        """What a worker that starts now gets."""
        return self.bench.ledger.clinicians.take_lease(self.clinician, "another", self.bench.clock.now())

    def backup(self, name: str = "backup") -> Path:
        files.write_backup(self.engine, self.folder / name)
        return self.folder / name

    def restore(self, file: Path, *, replace: bool = True, into: Engine | None = None) -> Restored:
        self.bench.clock.advance(60)
        now = self.bench.clock.now()
        return copies.restore(into or self.engine, file, now=now, actor="person test", replace=replace)

    def left(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture(scope="module", params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with an_engine(request, request.param) as made:
        yield made


@pytest.fixture
def vault(engine: Engine, clock: TestClock, tmp_path: Path) -> Vault:
    bench = emptied_bench(engine, clock)
    bench.a_pending("doc-10")
    bench.a_posted("doc-11")
    bench.an_in_doubt("doc-12")
    bench.a_review("doc-13")
    bench.a_skipped("doc-14")
    bench.a_withdrawn("doc-15")
    (tmp_path / "vault").mkdir()
    return Vault(bench, tmp_path / "vault")


def sums_of(engine: Engine) -> Sums:
    with files.snapshot(engine) as db:
        return sums(db)


def installation(engine: Engine) -> Any:
    with reading(engine) as db:
        return db.execute(sa.text("SELECT * FROM installation")).mappings().one()


@contextmanager
def an_empty_sqlite(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'another' / 'ledger.db'}")
    yield engine
    engine.dispose()


# ---------------------------------------------------------------- backup


@pytest.mark.proof
def test_backups_made_while_clinicians_file_are_whole(ledger_url: str, tmp_path: Path) -> None:
    counted = back_up_while_writing(ledger_url, tmp_path, backups=2)
    assert counted["documents"] > 0
    assert (counted["backups"], counted["restores"], counted["broken"]) == (2, 1, 0)


def test_a_backup_is_one_private_file_that_equals_the_ledger(vault: Vault) -> None:
    before = sums_of(vault.engine)
    file = vault.backup()
    assert sums_of(files.engine_of(file)) == before == sums_of(vault.engine)
    assert (vault.left(), oct(file.stat().st_mode)[-3:]) == ({"backup"}, "600")
    assert before["entries"].count == 6


def test_a_backup_keeps_nothing_and_null_apart_in_json(vault: Vault) -> None:
    with writing(vault.engine) as db:
        db.execute(sa.text("UPDATE entries SET evidence = NULL"))
        db.execute(sa.text("UPDATE entries SET evidence = 'null' WHERE document_id = 'doc-11'"))
        db.execute(sa.text("""UPDATE entries SET evidence = '{"b": [1], "a":  null}' WHERE document_id = 'doc-12'"""))
    file = vault.backup()
    vault.restore(file)
    with reading(vault.engine) as db:
        query = sa.text("SELECT CAST(evidence AS TEXT) FROM entries ORDER BY id LIMIT 4")
        assert list(db.execute(query).scalars()) == [None, "null", '{"b": [1], "a":  null}', None]


def test_a_newer_backup_replaces_an_older_one_of_the_same_ledger(vault: Vault) -> None:
    vault.backup()
    vault.bench.a_posted("doc-99")
    assert files.contents_of(vault.backup()).entries == 7
    assert vault.left() == {"backup"}


@pytest.mark.parametrize("content", [b"", b"somebody's thesis", b"SQLite format 3\0 and then something else"])
def test_a_backup_never_replaces_what_is_no_backup(vault: Vault, content: bytes) -> None:
    (vault.folder / "backup").write_bytes(content)
    with pytest.raises(NotPossible, match="no backup of this ledger: name another file"):
        vault.backup()
    assert (vault.folder / "backup").read_bytes() == content
    assert vault.left() == {"backup"}


def test_a_backup_never_replaces_another_practices_backup_or_a_ledger_in_use(vault: Vault, tmp_path: Path) -> None:
    with an_empty_sqlite(tmp_path) as another:
        migrate.upgrade(another)
        Ledger(another, region="au").prepare_installation(vault.bench.clock.now())
        files.write_backup(another, vault.folder / "theirs")
        with pytest.raises(NotPossible, match="no backup of this ledger"):
            vault.backup("theirs")
        path = sqlite_path(another)
        assert path is not None
        vault.restore(vault.backup(), into=another)
        with pytest.raises(NotPossible, match="no backup of this ledger"):  # the same practice's, but in use
            files.write_backup(vault.engine, path)


def test_a_backup_never_replaces_the_ledger_itself_or_its_journal(clinic: Clinic, tmp_path: Path) -> None:
    engine = clinic.ledger.engine
    (tmp_path / "symlink").symlink_to(tmp_path / "ledger.db")
    os.link(tmp_path / "ledger.db", tmp_path / "hardlink")
    for name in ("ledger.db", "symlink", "hardlink"):
        with pytest.raises(NotPossible, match="is the ledger itself"):
            files.write_backup(engine, tmp_path / name)
    for name in ("ledger.db-journal", "ledger.db-wal"):
        with pytest.raises(NotPossible, match="part of a database"):
            files.write_backup(engine, tmp_path / name)
        assert not (tmp_path / name).exists()


def test_a_backup_that_cannot_be_written_leaves_nothing_behind(vault: Vault) -> None:
    with pytest.raises(NotPossible, match="There is no folder"):
        files.write_backup(vault.engine, vault.folder / "missing" / "backup")
    with pytest.raises(NotPossible, match="cannot be written"):
        files.write_backup(vault.engine, Path("/proc/backup"))
    with pytest.raises(NotPossible, match="no backup of this ledger"):
        files.write_backup(vault.engine, vault.folder)
    assert vault.left() == set()


def test_a_full_disk_ends_a_backup_with_a_sentence_and_keeps_the_older_one(vault: Vault) -> None:
    file = vault.backup()
    before = file.read_bytes()
    vault.bench.a_posted("doc-99")
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(NotPossible, match="free some space there"):
            vault.backup()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (file.read_bytes(), vault.left()) == (before, {"backup"})


def test_a_backup_is_refused_if_the_copy_is_not_what_the_ledger_holds(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget_an_attempt(copy: Path, _mark: int) -> None:
        with closing(sqlite3.connect(copy)) as db, db:
            db.execute("DELETE FROM attempts WHERE id = (SELECT min(id) FROM attempts)")

    monkeypatch.setattr(files, "_mark", forget_an_attempt)
    with pytest.raises(NotPossible, match="would not be what the ledger holds"):
        vault.backup()
    assert vault.left() == set()


# ---------------------------------------------------------------- restore


def test_a_restored_ledger_says_what_it_is(vault: Vault) -> None:
    file = vault.backup()
    before = vault.bench.everything()
    stamp = files.contents_of(file)
    later = vault.take_lease()
    vault.bench.lease = later
    vault.bench.a_posted("doc-99")
    done = vault.restore(file)
    assert (done.contents, done.paused, done.was_retired, done.damaged) == (stamp, False, False, None)
    after = vault.bench.everything()
    assert {name for name in after if after[name] != before[name]} == {"installation", "clinicians", "trail"}
    now = vault.bench.clock.now()
    assert vault.bench.ledger.clinicians.alone_since(vault.clinician) == now
    assert vault.take_lease().epoch > later.epoch + 1
    *_, (last, _) = vault.bench.ledger.trail.steps()
    assert (last.event, last.actor, last.details) == ("restored", "person test", f'{{"newest_step": {stamp.step}}}')
    assert vault.bench.ledger.trail.breaks() == []


@pytest.mark.proof
def test_an_old_copy_files_nothing_again(ledger_url: str, make_clinic: MakeClinic, tmp_path: Path) -> None:
    counted = put_an_old_copy_back(make_clinic(ledger_url), tmp_path, documents=20)
    assert (counted["adopted"], counted["posts_again"], counted["duplicates"], counted["lost"]) == (20, 0, 0, 0)
    assert counted["broken"] == 0


def test_a_decision_while_a_restored_ledger_adopts_ends_no_tick(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    patient, _, _ = clinic.a_finished_document()
    clinic.tick()
    people = Decisions(clinic.ledger.engine, "person test")
    lease = clinic.worker.leases.acquire(1, clinic.clock.now())
    entry = clinic.ledger.entries.get(1)
    clinic.ledger.entries.hold_for_review(lease, entry, Reason.ROUTE, now=clinic.clock.now())
    engine = clinic.ledger.engine
    files.write_backup(engine, tmp_path / "old")
    people.retry(1, clinic.clock.now())
    clinic.clock.advance(700)
    assert clinic.tick().tally.posted == 1
    clinic.restart()
    copies.restore(engine, tmp_path / "old", now=clinic.clock.now(), actor="test", replace=True)
    adopt = clinic.ledger.entries.adopt

    def assign_first(*what: Any, **more: Any) -> None:
        people.assign(1, patient, clinic.clock.now())
        monkeypatch.undo()
        adopt(*what, **more)

    monkeypatch.setattr(clinic.ledger.entries, "adopt", assign_first)
    assert [report.trouble for report in clinic.ticks(2)] == [None, None]
    assert (clinic.posts(), Views(clinic.ledger.engine).entry_counts()["posted"]) == (1, 1)


def copied_before_it_settles(clinic: Clinic, backup: Path) -> Engine:
    """The ledger's engine; the backup holds a document that still waits to settle."""
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    clinic.a_finished_document()
    clinic.tick()
    files.write_backup(clinic.ledger.engine, backup)
    return clinic.ledger.engine


def test_a_note_filed_just_before_an_old_copy_is_put_back_is_not_filed_again_though_no_list_shows_it_yet(
    clinic: Clinic, tmp_path: Path
) -> None:
    clinic.cliniko.list_lag_seconds = 60
    engine = copied_before_it_settles(clinic, tmp_path / "old")
    clinic.clock.advance(700)
    assert clinic.tick().tally.posted == 1
    clinic.restart()
    clinic.clock.advance(5)
    copies.restore(engine, tmp_path / "old", now=clinic.clock.now(), actor="test", replace=True)
    clinic.clock.advance(5)
    clinic.ticks(3)
    assert (len(clinic.notes()), clinic.posts()) == (1, 1)
    assert Views(clinic.ledger.engine).entry_counts()["posted"] == 1


def test_a_note_filed_after_the_copy_is_adopted_although_its_session_is_gone_from_heidi(
    clinic: Clinic, tmp_path: Path
) -> None:
    engine = copied_before_it_settles(clinic, tmp_path / "old")
    clinic.clock.advance(700)
    clinic.tick()
    assert len(clinic.notes()) == 1
    clinic.restart()
    copies.restore(engine, tmp_path / "old", now=clinic.clock.now(), actor="test", replace=True)
    for session_id in list(clinic.heidi.sessions):
        clinic.heidi.delete_session(session_id)
    clinic.tick()
    counts = Views(clinic.ledger.engine).entry_counts()
    assert (clinic.posts(), counts["posted"], counts["review"]) == (1, 1, 0)


def test_a_backup_of_one_database_goes_into_the_other(vault: Vault, target: Engine) -> None:
    meant = sums_of(vault.engine)
    assert vault.restore(vault.backup(), replace=False, into=target).replaced is None
    found = sums_of(target)
    assert {name for name in meant if found[name] != meant[name]} == {"installation", "clinicians", "leases", "trail"}
    bench = Bench(Ledger(target, region="au"), vault.bench.clock)
    assert bench.a_posted("doc-99").note_id is not None
    assert (len(bench.everything()["entries"]), bench.ledger.trail.breaks()) == (7, [])


def test_a_ledger_with_entries_is_replaced_only_on_request_and_kept(vault: Vault) -> None:
    file = vault.backup()
    vault.bench.a_posted("doc-99")
    before = vault.bench.everything()
    with pytest.raises(NotPossible, match="holds 7 entries: say --replace"):
        vault.restore(file, replace=False)
    assert (vault.bench.everything(), vault.left()) == (before, {"backup"})
    done = vault.restore(file)
    assert done.replaced is not None
    assert done.replaced.name == f"backup.replaced-{vault.bench.clock.now():%Y%m%dT%H%M%S}"
    assert Views(vault.engine).entry_counts()["posted"] == 1
    vault.restore(done.replaced)
    assert Views(vault.engine).entry_counts()["posted"] == 2


def test_nothing_is_restored_while_a_worker_works(vault: Vault) -> None:
    file = vault.backup()
    before = vault.bench.everything()
    with another_process(take_leases, vault.engine) as worker:
        assert worker.ask(vault.clinician)
        with pytest.raises(WorkerRunning, match=r"physio-1 is held by .* process .*: stop it"):
            vault.restore(file)
        assert (vault.bench.everything(), vault.left()) == (before, {"backup"})
    vault.restore(file)


def test_a_worker_that_starts_during_a_restore_waits_for_its_end(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    file = vault.backup()
    seen: list[object] = []
    plain = copies._mark_restored

    def meanwhile(*arguments: Any) -> bool:
        with another_process(take_leases, vault.engine) as worker:
            seen.append(worker.ask(vault.clinician))
        return plain(*arguments)

    monkeypatch.setattr(copies, "_mark_restored", meanwhile)
    vault.restore(file)
    assert seen == [None]


@pytest.mark.parametrize("what", ["missing", "empty", "text", "torn", "cut", "without its newest step", "another's"])
def test_what_is_no_whole_backup_is_not_put_back(vault: Vault, what: str) -> None:
    file = vault.backup()
    before = vault.bench.everything()
    content = file.read_bytes()
    match what:
        case "missing":
            file.unlink()
        case "empty":
            file.write_bytes(b"")
        case "text":
            file.write_bytes(b"somebody's thesis")
        case "torn":
            file.write_bytes(content[:8192] + bytes(8192) + content[16384:])
        case "cut":
            file.write_bytes(content[: len(content) // 2])
        case "without its newest step":
            with closing(sqlite3.connect(file)) as db, db:
                db.execute("DELETE FROM trail WHERE id = (SELECT max(id) FROM trail)")
        case "another's":
            file.unlink()
            with closing(sqlite3.connect(file)) as db, db:
                db.execute("CREATE TABLE thesis (page TEXT)")
    with pytest.raises(NotPossible, match=r"There is no backup|is not a whole backup"):
        vault.restore(file)
    assert vault.bench.everything() == before
    assert not any("replaced" in name for name in vault.left())


def test_a_newer_programs_backup_is_not_put_back(vault: Vault) -> None:
    file = vault.backup()
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '9999_future'")
    before = vault.bench.everything()
    with pytest.raises(LedgerMismatch, match="written by a newer sync-worker"):
        vault.restore(file)
    assert vault.bench.everything() == before


def test_an_older_programs_backup_is_migrated(vault: Vault) -> None:
    file = vault.backup()
    with writing(files.engine_of(file)) as db:
        config = migrate._config()
        config.attributes["connection"] = db
        command.downgrade(config, "0001_ledger")
    vault.restore(file)
    assert migrate.current(vault.engine) == migrate.head()
    assert Views(vault.engine).entry_counts()["posted"] == 1
    assert vault.bench.ledger.trail.breaks() == []
    with reading(files.engine_of(file)) as db:  # the backup itself stays as it was
        assert db.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == "0001_ledger"


def test_a_paused_backup_is_paused_again_and_says_so(vault: Vault) -> None:
    Decisions(vault.engine, "person test").pause(None, vault.bench.clock.now())
    file = vault.backup()
    Decisions(vault.engine, "person test").resume(None, vault.bench.clock.now())
    assert vault.restore(file).paused
    assert vault.bench.ledger.clinicians.is_paused(vault.clinician)


def a_login(engine: Engine, clock: TestClock) -> str:
    """The token of somebody who is logged in to the page."""
    ada = Accounts(engine).add(
        "ada", Role.ADMIN, "$argon2id$made-up", heidi_user_id=None, wants_second_factor=False, now=clock.now()
    )
    return Logins(engine).begin(ada.account_id, clock.now(), second_factor_passed=False)


def test_a_restore_brings_accounts_back_and_logs_everybody_out(vault: Vault) -> None:
    token = a_login(vault.engine, vault.bench.clock)
    accounts = Accounts(vault.engine).all()
    file = vault.backup()
    Logins(vault.engine).end(token)
    vault.restore(file)
    assert Accounts(vault.engine).all() == accounts
    assert Logins(vault.engine).find(token, vault.bench.clock.now()) is None  # nor does one that was ended come back
    assert sums_of(vault.engine)["logins"].count == 0


@pytest.mark.postgres
def test_an_entrys_number_is_never_given_to_another_after_a_restore_on_postgres(vault: Vault) -> None:
    if vault.engine.dialect.name == "sqlite":
        return
    file = vault.backup()
    before = vault.bench.a_pending("doc-98").entry_id
    vault.restore(file)
    vault.bench.lease = vault.take_lease()
    assert vault.bench.a_pending("doc-99").entry_id > before


@pytest.mark.parametrize("how", ["header", "pages"])
def test_a_damaged_ledger_is_set_aside_as_it_is(clinic: Clinic, tmp_path: Path, how: str) -> None:
    clinic.a_finished_document()
    clinic.tick()
    files.write_backup(clinic.ledger.engine, tmp_path / "backup")
    engine = clinic.ledger.engine
    clinic.restart()
    live = tmp_path / "ledger.db"
    whole = live.read_bytes()
    damaged = b"no more" + whole[7:] if how == "header" else whole[:4096] + bytes(len(whole) - 4096)
    live.write_bytes(damaged)
    (tmp_path / "ledger.db-wal").write_bytes(b"what was left of it")
    now = clinic.clock.now() + timedelta(minutes=1)
    with pytest.raises(NotPossible, match="damaged: say --replace"):
        copies.restore(engine, tmp_path / "backup", now=now, actor="test", replace=False)
    done = copies.restore(engine, tmp_path / "backup", now=now, actor="test", replace=True)
    assert done.damaged is not None
    assert done.damaged.read_bytes() == damaged
    assert not (tmp_path / "ledger.db-wal").exists()
    clinic.tick()
    assert (clinic.posts(), Views(clinic.ledger.engine).entry_counts()["posted"]) == (1, 1)


def test_a_journal_left_by_a_killed_worker_does_not_reach_the_restored_ledger(clinic: Clinic, tmp_path: Path) -> None:
    clinic.a_finished_document()
    clinic.tick()
    engine = clinic.ledger.engine
    files.write_backup(engine, tmp_path / "backup")
    meant = sums_of(engine)
    clinic.restart()
    live, journal = tmp_path / "ledger.db", tmp_path / "ledger.db-journal"
    with closing(sqlite3.connect(live, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE entries SET reason = 'torn'")
        db.executemany("INSERT INTO backfills VALUES (?, 1, '', '', '', '')", [(number,) for number in range(2000)])
        torn, hot = live.read_bytes(), journal.read_bytes()
        db.execute("ROLLBACK")
    for part, content in ((live, torn), (journal, hot)):
        part.write_bytes(content)
    now = clinic.clock.now() + timedelta(minutes=1)
    copies.restore(engine, tmp_path / "backup", now=now, actor="test", replace=True)
    assert not journal.exists()
    assert sums_of(engine)["entries"] == meant["entries"]
    live.unlink()
    journal.write_bytes(hot)  # and one that was left alone
    copies.restore(engine, tmp_path / "backup", now=now, actor="test", replace=False)
    assert sums_of(engine)["entries"] == meant["entries"]


# ---------------------------------------------------------------- move


def the_other_kind(kind: str, request: pytest.FixtureRequest) -> str:
    """An empty database of the kind that a ledger is not of."""
    if kind == "sqlite":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{request.getfixturevalue('tmp_path') / 'moved' / 'ledger.db'}"


@pytest.fixture
def target(vault: Vault, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An empty database of the other kind."""
    engine = open_engine(the_other_kind(vault.engine.dialect.name, request))
    yield engine
    engine.dispose()


def is_in_use(engine: Engine) -> bool:
    try:
        copies.require_in_use(engine)
    except LedgerMismatch:
        return False
    return True


def test_a_moved_ledger_goes_on_in_the_other_database(
    ledger_url: str, request: pytest.FixtureRequest, make_clinic: MakeClinic
) -> None:
    target_url = the_other_kind(open_engine(ledger_url).dialect.name, request)
    clinic = make_clinic(ledger_url)
    clinic.a_finished_document()
    clinic.tick()
    old = clinic.ledger.engine
    meant = sums_of(old)
    clinic.restart()
    target = open_engine(target_url)
    moved = copies.move(old, target, now=clinic.clock.now())
    target.dispose()
    assert {name: total.count for name, total in moved.items()} == {n: total.count for n, total in meant.items()}
    clinic.ledger_url = target_url
    clinic.a_document(clinic.a_session(), "# Plan\n\nAnother letter, which says something else entirely.")
    clinic.tick()
    assert (clinic.posts(), Views(clinic.ledger.engine).entry_counts()["posted"]) == (2, 2)
    assert clinic.ledger.trail.breaks() == []
    clinic.restart()
    clinic.ledger_url = ledger_url
    with pytest.raises(LedgerMismatch, match=r"was moved to another database on .*: set DATABASE_URL"):
        clinic.tick()
    old.dispose()


def test_a_move_keeps_every_row_and_retires_what_it_leaves(vault: Vault, target: Engine) -> None:
    before = sums_of(vault.engine)
    moved = copies.move(vault.engine, target, now=vault.bench.clock.now())
    assert sums_of(target) == moved
    assert {name for name in before if moved[name] != before[name]} == {"leases"}  # the move's own
    assert (is_in_use(vault.engine), is_in_use(target)) == (False, True)
    with pytest.raises(LedgerMismatch, match="was moved"):  # and never a second time, to another place
        copies.move(vault.engine, vault_elsewhere(vault), now=vault.bench.clock.now())


def vault_elsewhere(vault: Vault) -> Engine:
    return open_engine(f"sqlite:///{vault.folder / 'elsewhere.db'}")


def test_a_move_takes_accounts_along_and_logs_everybody_out(vault: Vault, target: Engine) -> None:
    token = a_login(vault.engine, vault.bench.clock)
    accounts = Accounts(vault.engine).all()
    moved = copies.move(vault.engine, target, now=vault.bench.clock.now())
    assert (moved["accounts"].count, moved["logins"].count) == (1, 0)
    assert Accounts(target).all() == accounts
    for engine in (vault.engine, target):
        assert Logins(engine).find(token, vault.bench.clock.now()) is None
    again = Logins(target).begin(accounts[0].account_id, vault.bench.clock.now(), second_factor_passed=False)
    assert Logins(target).find(again, vault.bench.clock.now()) is not None


def test_a_move_that_was_refused_leaves_everybody_logged_in(
    vault: Vault, target: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = a_login(vault.engine, vault.bench.clock)

    def differ(*_: object) -> None:
        raise NotPossible("What arrived is not what was sent.")

    monkeypatch.setattr(copies, "_require_same", differ)
    with pytest.raises(NotPossible, match="not what was sent"):
        copies.move(vault.engine, target, now=vault.bench.clock.now())
    assert Logins(vault.engine).find(token, vault.bench.clock.now()) is not None


def test_a_worker_that_had_the_old_ledger_open_sends_nothing(vault: Vault, target: Engine) -> None:
    entry = vault.bench.a_pending("doc-99")
    copies.move(vault.engine, target, now=vault.bench.clock.now())
    lease = vault.take_lease()
    with suppress(LedgerMismatch):
        assert vault.bench.claim(entry, lease) is None
    assert vault.bench.attempts(entry) == []
    assert not Ledger(target, region="au").clinicians.is_paused(vault.clinician)


def test_a_move_into_a_database_with_tables_is_refused(vault: Vault, target: Engine) -> None:
    before = vault.bench.everything()
    with writing(target) as db:
        db.execute(sa.text("CREATE TABLE thesis (page INTEGER)"))
    with pytest.raises(NotPossible, match="not empty: name an empty one"):
        copies.move(vault.engine, target, now=vault.bench.clock.now())
    with pytest.raises(NotPossible, match="not empty"):
        copies.move(vault.engine, vault.engine, now=vault.bench.clock.now())
    assert (vault.bench.everything(), is_in_use(vault.engine)) == (before, True)


def test_a_move_is_refused_while_a_worker_works(vault: Vault, target: Engine) -> None:
    with another_process(take_leases, vault.engine) as worker:
        assert worker.ask(vault.clinician)
        with pytest.raises(WorkerRunning, match="stop it"):
            copies.move(vault.engine, target, now=vault.bench.clock.now())
    assert (is_in_use(vault.engine), sa.inspect(target).get_table_names()) == (True, [])


def test_a_place_that_does_not_answer_changes_nothing(vault: Vault) -> None:
    nowhere = open_engine("postgresql+psycopg://postgres@127.0.0.1:1/none")
    with pytest.raises(NotPossible, match="the ledger was not moved"):
        copies.move(vault.engine, nowhere, now=vault.bench.clock.now())
    assert is_in_use(vault.engine)


@pytest.mark.parametrize(
    ("point", "old_lives"),
    [("copied", True), ("retire", True), ("use", False)],
    ids=["before the copy is there", "before the old one is retired", "before the new one is in use"],
)
def test_a_move_that_is_killed_leaves_at_most_one_ledger_in_use(
    vault: Vault, target: Engine, point: str, old_lives: bool
) -> None:
    before = sums_of(vault.engine)
    url = target.url.render_as_string(hide_password=False)
    with another_process(move_in_a_process, vault.engine, url, point) as mover:
        assert mover.line.recv() == "ready"
        assert mover.ask("go") == "stopped"
        mover.kill()
    assert is_in_use(vault.engine) is old_lives
    copied = bool(sa.inspect(target).get_table_names())
    assert copied is (point != "copied")
    assert not copied or not is_in_use(target)
    if point == "retire":
        with pytest.raises(NotPossible, match="If a move to it was broken off"):
            copies.move(vault.engine, target, now=vault.bench.clock.now())
        assert (is_in_use(vault.engine), sums_of(vault.engine)["entries"]) == (True, before["entries"])
        return
    copies.move(vault.engine, target, now=vault.bench.clock.now())  # the same again brings it to its end
    assert (is_in_use(vault.engine), is_in_use(target)) == (False, True)
    assert sums_of(target)["entries"] == before["entries"]


def test_a_person_who_had_the_old_ledger_open_is_told_instead_of_deciding_there(vault: Vault, target: Engine) -> None:
    [waiting] = [one for one in Views(vault.engine).review_list() if one.reason == Reason.NO_MATCH]
    copies.move(vault.engine, target, now=vault.bench.clock.now())
    with pytest.raises(LedgerMismatch):
        Decisions(vault.engine, "person test").assign(waiting.entry, PATIENT, vault.bench.clock.now())


# ---------------------------------------------------------------- the commands


def test_the_commands_say_what_they_did(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document()
    nothing = terminal.run("db", "backup", "backup")
    assert (nothing.returncode, "There is no ledger yet" in nothing.stderr) == (1, True)
    terminal.json("once")
    made = terminal.run("db", "backup", "backup")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith("backup holds 1 entry; its newest step is number ")
    refused = terminal.run("db", "restore", "backup")
    assert (refused.returncode, "say --replace" in refused.stderr) == (1, True)
    done = terminal.run("db", "restore", "backup", "--replace")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("holds 1 entry", "backup.replaced-", "looks in Cliniko before it posts", "not filed again"):
        assert words in done.stdout
    assert terminal.json("once")["totals"]["posted"] == 0
    assert len(terminal.sandbox.cliniko.notes) == 1


def test_a_moved_ledger_is_refused_by_every_command_with_what_to_do(
    terminal: Terminal,  # noqa: F811
    postgres_url: str,
) -> None:
    terminal.a_document()
    terminal.json("once")
    secret = postgres_url.replace("postgres@", "postgres:letmein@")
    moved = terminal.process("db", "move", secret)
    assert (moved.returncode, moved.stderr) == (0, "")
    assert "1 entries" in moved.stdout
    assert moved.stdout.splitlines()[-1] == f"DATABASE_URL={postgres_url.replace('postgres@', 'postgres:***@')}"
    for arguments in (
        ("once",),
        ("run",),
        ("status",),
        ("review", "list"),
        ("users", "list"),
        ("pause",),
        ("plan",),
        ("db", "current"),
    ):
        done = terminal.run(*arguments)
        assert (done.returncode, "This ledger was moved" in done.stderr) == (2, True), arguments
    assert terminal.run("db", "backup", "backup").returncode == 2  # a backup of it would age unseen
    assert "This ledger was moved" in terminal.run("check").stdout
    new = open_engine(postgres_url)
    assert Views(new).entry_counts()["posted"] == 1
    new.dispose()


def test_the_commands_wait_for_no_worker_and_take_no_nonsense(terminal: Terminal) -> None:  # noqa: F811
    terminal.run("db", "upgrade")
    terminal.run("db", "backup", "backup")
    for url in ("mysql://localhost/x", "sqlite://", "ledger.db"):
        done = terminal.run("db", "move", url)
        assert (done.returncode, "must be sqlite:///FILE" in done.stderr) == (2, True)
    terminal.json("once")
    with another_process(take_leases, open_engine(terminal.environment["DATABASE_URL"])) as worker:
        assert worker.ask(1)
        for arguments in (("restore", "backup", "--replace"), ("move", "sqlite:///elsewhere.db")):
            done = terminal.run("db", *arguments)
            assert (done.returncode, "A worker is running" in done.stderr) == (3, True)
        assert terminal.run("db", "backup", "backup").returncode == 0
