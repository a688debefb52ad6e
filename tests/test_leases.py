"""One worker per clinician: shown with real processes, which are killed and stopped, on both databases."""

import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest

from sync_worker.errors import LedgerUnavailable
from sync_worker.ledger import Ledger
from sync_worker.ledger import leases as leases_module
from sync_worker.ledger.leases import Leases, _FileLocks
from sync_worker.ledger.storage import open_engine, reading, sqlite_path
from sync_worker.records import Lease
from tests.conftest import TestClock
from tests.ledger_processes import Other, another_process, take_leases
from tests.ledger_steps import DATABASES, Bench, an_engine, emptied_bench


@pytest.fixture(params=DATABASES)
def bench(request: pytest.FixtureRequest, clock: TestClock) -> Iterator[Bench]:
    with an_engine(request, request.param) as engine:
        yield emptied_bench(engine, clock)


@pytest.fixture
def clinician(bench: Bench) -> int:
    return bench.lease.clinician_id


@pytest.fixture
def leases(bench: Bench) -> Iterator[Leases]:
    """This process's leases."""
    made = Leases(bench.ledger)
    yield made
    made.close()


@pytest.fixture
def rival(bench: Bench) -> Iterator[Other]:
    """Another worker process: asked with a clinician, it answers with the epoch that it got, or None."""
    with another_process(take_leases, bench.ledger.engine) as process:
        yield process


def soon(acquire: Callable[[], Lease | None]) -> Lease:
    """The lease, as soon as it is free: within two seconds, or not at all."""
    end = time.monotonic() + 2
    while (lease := acquire()) is None:
        assert time.monotonic() < end, "the lease was not free within two seconds"
        time.sleep(0.005)
    return lease


def test_a_second_process_cannot_take_a_held_lease_and_is_told_who_has_it(
    bench: Bench, clinician: int, leases: Leases, rival: Other
) -> None:
    epoch = rival.ask(clinician)
    assert epoch == bench.lease.epoch + 1
    assert leases.acquire(clinician, bench.clock.now()) is None
    assert bench.ledger.clinicians.lease_holder(clinician).endswith(f"process {rival.pid}")
    other = Bench(bench.ledger, bench.clock, "physio-2").lease.clinician_id
    assert leases.acquire(other, bench.clock.now()) is not None  # another clinician's is free
    assert rival.ask(other) is None
    assert rival.ask(clinician) == epoch  # it keeps the one it has


def test_who_has_only_just_taken_a_lock_is_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = tmp_path / "ledger.db"
    first, second = _FileLocks(ledger, "host process 1"), _FileLocks(ledger, "host process 2")
    say, is_locked = first._say, threading.Event()

    def say_later(file: IO[str], name: str) -> None:
        is_locked.set()
        time.sleep(0.1)
        say(file, name)

    monkeypatch.setattr(first, "_say", say_later)
    taking = threading.Thread(target=first.try_lock, args=[1])
    taking.start()
    assert is_locked.wait(5)
    assert not second.try_lock(1)
    assert second.holder(1) == "host process 1"
    taking.join()
    first.close()


def test_a_killed_process_is_replaced_at_once_under_a_new_epoch(
    bench: Bench, clinician: int, leases: Leases, rival: Other
) -> None:
    epoch = rival.ask(clinician)
    rival.kill()
    lease = soon(lambda: leases.acquire(clinician, bench.clock.now()))
    assert lease == Lease(clinician, (epoch or 0) + 1)


def test_a_stopped_process_keeps_its_lease_and_goes_on_with_it(
    bench: Bench, clinician: int, leases: Leases, rival: Other
) -> None:
    epoch = rival.ask(clinician)
    rival.stop()
    rival.line.send(clinician)
    for _ in range(20):
        assert leases.acquire(clinician, bench.clock.now()) is None
        assert not rival.line.poll(0.01)  # it stands still
    rival.go_on()
    assert rival.line.recv() == epoch


def test_a_worker_that_ends_in_order_lets_go(bench: Bench, clinician: int, leases: Leases, rival: Other) -> None:
    lease = leases.acquire(clinician, bench.clock.now())
    assert lease is not None
    assert rival.ask(clinician) is None
    leases.close()
    assert rival.ask(clinician) == lease.epoch + 1


def test_two_workers_in_one_process_are_two_workers(bench: Bench, clinician: int, leases: Leases) -> None:
    second = Leases(bench.ledger)
    assert leases.acquire(clinician, bench.clock.now()) is not None
    assert second.acquire(clinician, bench.clock.now()) is None
    leases.close()
    assert second.acquire(clinician, bench.clock.now()) is not None
    second.close()


def test_a_lease_is_the_same_from_tick_to_tick_and_a_new_one_after_it_was_lost(
    bench: Bench, clinician: int, leases: Leases
) -> None:
    first = leases.acquire(clinician, bench.clock.now())
    assert first is not None
    assert leases.acquire(clinician, bench.clock.now()) == first
    leases.forget(clinician)
    assert leases.acquire(clinician, bench.clock.now()) == Lease(clinician, first.epoch + 1)


def test_a_ledger_that_fails_while_a_lease_is_taken_does_not_keep_it_from_the_next_try(
    bench: Bench, clinician: int, leases: Leases
) -> None:
    with bench.ledger.engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE leases RENAME TO leases_elsewhere")
    with pytest.raises(LedgerUnavailable):
        leases.acquire(clinician, bench.clock.now())
    with bench.ledger.engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE leases_elsewhere RENAME TO leases")
    assert leases.acquire(clinician, bench.clock.now()) is not None


def test_a_lock_beside_a_full_disk_is_taken_and_let_go_without_a_name(tmp_path: Path) -> None:
    locks = leases_module._FileLocks(tmp_path / "ledger.db", "a worker")
    told, (soft, hard) = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # no file may hold a byte
    try:
        assert locks.try_lock(1)
        locks.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, told)
    assert locks.holder(1) is None


# ---------------------------------------------------------------- a lock that is lost


def lose_locks(bench: Bench) -> None:
    """What takes the locks from a living worker: a server that restarts, somebody who tidies lock files away."""
    path = sqlite_path(bench.ledger.engine)
    if path is not None:
        for file in path.parent.glob("*.lock"):
            file.unlink()
        return
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    engine = open_engine(bench.ledger.engine.url.render_as_string(hide_password=False))
    with reading(engine) as db:  # outside a transaction, in which this view would stand still
        db.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {others}")
        while db.exec_driver_sql(f"SELECT count(*) {others}").scalar():
            time.sleep(0.005)
    engine.dispose()


def test_a_worker_whose_lock_was_lost_takes_it_anew_under_a_new_epoch(
    bench: Bench, clinician: int, leases: Leases
) -> None:
    first = leases.acquire(clinician, bench.clock.now())
    assert first is not None
    lose_locks(bench)
    assert leases.acquire(clinician, bench.clock.now()) == Lease(clinician, first.epoch + 1)
    with ExitStack() as end:
        other = Leases(bench.ledger)
        end.callback(other.close)
        assert other.acquire(clinician, bench.clock.now()) is None


def test_a_worker_whose_lock_was_lost_and_taken_by_another_stands_back(
    bench: Bench, clinician: int, leases: Leases
) -> None:
    assert leases.acquire(clinician, bench.clock.now()) is not None
    lose_locks(bench)
    successor = Leases(bench.ledger)
    assert successor.acquire(clinician, bench.clock.now()) is not None
    assert leases.acquire(clinician, bench.clock.now()) is None
    successor.close()
    assert leases.acquire(clinician, bench.clock.now()) is not None


def test_letting_go_of_a_lock_that_is_lost_already_raises_nothing(bench: Bench, clinician: int, leases: Leases) -> None:
    assert leases.acquire(clinician, bench.clock.now()) is not None
    lose_locks(bench)
    leases.close()


@pytest.mark.postgres
def test_a_worker_that_waits_for_a_lease_gets_over_a_restart_of_the_server(
    request: pytest.FixtureRequest, clock: TestClock
) -> None:
    with an_engine(request, "postgres") as engine, ExitStack() as end:
        bench = emptied_bench(engine, clock)
        clinician, holder, waiting = bench.lease.clinician_id, Leases(bench.ledger), Leases(bench.ledger)
        end.callback(holder.close)
        end.callback(waiting.close)
        assert holder.acquire(clinician, clock.now()) is not None
        assert waiting.acquire(clinician, clock.now()) is None
        lose_locks(bench)
        assert waiting.acquire(clinician, clock.now()) is not None


def test_two_names_of_one_ledger_share_its_locks(
    request: pytest.FixtureRequest, tmp_path: Path, clock: TestClock
) -> None:
    with an_engine(request, "sqlite") as engine, ExitStack() as end:
        bench = emptied_bench(engine, clock)
        (tmp_path / "link.db").symlink_to(str(engine.url.database))
        linked = Ledger(open_engine(f"sqlite:///{tmp_path / 'link.db'}"), region="au")
        one, other = Leases(bench.ledger), Leases(linked)
        end.callback(one.close)
        end.callback(other.close)
        assert one.acquire(bench.lease.clinician_id, clock.now()) is not None
        assert other.acquire(bench.lease.clinician_id, clock.now()) is None


def test_a_lease_that_is_let_go_is_free_for_another_process_and_the_others_are_not(
    bench: Bench, clinician: int, leases: Leases, rival: Other
) -> None:
    other = Bench(bench.ledger, bench.clock, "physio-2").lease.clinician_id
    lease = leases.acquire(clinician, bench.clock.now())
    assert leases.acquire(other, bench.clock.now()) is not None
    assert lease is not None
    leases.release(clinician)
    assert not leases.is_kept(lease)
    assert rival.ask(clinician) == lease.epoch + 1
    assert rival.ask(other) is None
    leases.release(clinician)  # it is not ours any more: nothing happens
    assert leases.acquire(clinician, bench.clock.now()) is None


def test_a_lease_taken_anew_after_a_takeover_is_free_once_it_is_let_go(
    bench: Bench, clinician: int, leases: Leases, rival: Other
) -> None:
    assert leases.acquire(clinician, bench.clock.now()) is not None
    leases.forget(clinician)
    assert leases.acquire(clinician, bench.clock.now()) is not None
    leases.release(clinician)
    assert rival.ask(clinician) is not None


@pytest.fixture
def several(request: pytest.FixtureRequest, clock: TestClock) -> Iterator[tuple[Bench, Leases, Leases]]:
    """Two of several workers on one Postgres ledger."""
    with an_engine(request, "postgres") as engine:
        bench = emptied_bench(engine, clock)
        both = Leases(bench.ledger, is_shared=True), Leases(bench.ledger, is_shared=True)
        yield bench, *both
        for one in both:
            one.close()


@pytest.mark.postgres
def test_nobody_is_alone_while_one_of_several_works_though_it_holds_nobody(
    several: tuple[Bench, Leases, Leases],
) -> None:
    bench, first, second = several
    somebody = Leases(bench.ledger)
    assert first.join()
    assert second.join()
    assert not somebody.is_alone()
    assert somebody.holder_of(leases_module.WORKING) == first.holder
    first.close()
    assert not somebody.is_alone()
    second.close()
    assert somebody.is_alone()
    assert not first.join()
    assert first.acquire(bench.lease.clinician_id, bench.clock.now()) is None
    somebody.close()
    assert first.join()


@pytest.mark.postgres
def test_one_of_several_leads_and_another_follows(several: tuple[Bench, Leases, Leases]) -> None:
    _, first, second = several
    assert [first.leads(), second.leads(), first.leads()] == [True, False, True]
    first.close()
    assert second.leads()


@pytest.mark.postgres
def test_who_led_tells_of_a_ledger_that_does_not_answer(
    several: tuple[Bench, Leases, Leases], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, second = several
    assert [first.leads(), second.leads()] == [True, False]

    def fail(*_: object, **__: object) -> None:
        raise LedgerUnavailable("gone")

    monkeypatch.setattr(leases_module, "reading", fail)
    first._locks.close()
    second._locks.close()
    assert [first.leads(), second.leads()] == [True, False]
