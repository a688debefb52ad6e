"""The composition root: settings in, a wired worker out. Nothing else builds clients, ledgers or pipelines."""

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sync_worker import __version__
from sync_worker.ahead import ReadAhead
from sync_worker.alarms import Alarm, expected_of, standing
from sync_worker.amend import Amender
from sync_worker.charts import Answers, Charts
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.collect import Collector, CollectSettings
from sync_worker.counts import Counts
from sync_worker.diary import Diary
from sync_worker.doubts import DoubtResolver
from sync_worker.errors import ConfigurationError
from sync_worker.first_look import FirstLook
from sync_worker.heidi import HeidiClient
from sync_worker.http import READ_ATTEMPTS, HttpClient, Observer, unobserved
from sync_worker.identity import Identity, Memory
from sync_worker.ledger import Ledger
from sync_worker.ledger.budgets import LedgerBook
from sync_worker.ledger.leases import Leases
from sync_worker.ledger.purge import Purge
from sync_worker.ledger.views import Views
from sync_worker.lifecycle import LookTimes
from sync_worker.patients import Patients
from sync_worker.pipeline import Pipeline, TickSettings
from sync_worker.pipelines import Pipelines
from sync_worker.plan import Planner, PlanScope
from sync_worker.posting import Poster, PostSettings
from sync_worker.prepare import NoteSettings, Preparer
from sync_worker.preview import Previewer
from sync_worker.pulse import Pulse, TickClock
from sync_worker.rate import AheadBudget, Budget, RateBudget
from sync_worker.reading import SessionReader
from sync_worker.records import ClinicianState, TickReport
from sync_worker.settings import ClinicianSettings, Mode, Settings, TickEngine

PAGE_DEADLINE_SECONDS = 6.0
PAGE_SILENCE_SECONDS = 60.0
"""Somebody waits for a page: it asks once, not long, and then leaves a service that does not answer alone."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a client asks: how often, how long at most, and how long it leaves a service alone that did not answer."""

    tries: int = READ_ATTEMPTS
    longest_seconds: float = math.inf
    silence_seconds: float = 0.0


WORKERS = Manners()
PAGES = Manners(tries=1, longest_seconds=PAGE_DEADLINE_SECONDS, silence_seconds=PAGE_SILENCE_SECONDS)


def heidi_client(
    settings: Settings,
    clinician: ClinicianSettings,
    clock: Clock,
    manners: Manners = WORKERS,
    observe: Observer = unobserved,
) -> HeidiClient:
    """Heidi as this clinician sees it."""
    http = HttpClient(
        service="heidi",
        base_url=settings.heidi_base,
        headers={"Accept": "application/json", "User-Agent": f"{settings.cliniko_app_name}/{__version__}"},
        allowed_hosts=settings.allowed_hosts,
        deadline_seconds=min(settings.heidi_timeout_seconds, manners.longest_seconds),
        clock=clock,
        tries=manners.tries,
        silence_seconds=manners.silence_seconds,
        observe=observe,
    )
    return HeidiClient(
        http=http,
        api_key=settings.heidi_key.get_secret_value,
        email=clinician.heidi_email,
        user_id=clinician.heidi_user_id,
        region=settings.heidi_region,
        clock=clock,
    )


def cliniko_client(
    settings: Settings,
    clinician: ClinicianSettings,
    clock: Clock,
    budget: Budget | None = None,
    manners: Manners = WORKERS,
    observe: Observer = unobserved,
) -> ClinikoClient:
    """Cliniko as this clinician's key sees it. The User-Agent names a contact, as Cliniko's reference demands."""
    return ClinikoClient(
        HttpClient(
            service="cliniko",
            base_url=settings.cliniko_base(clinician),
            headers={
                "Accept": "application/json",
                "User-Agent": f"{settings.cliniko_app_name} ({settings.cliniko_contact_email})",
            },
            user_name=clinician.cliniko_api_key.get_secret_value,
            allowed_hosts=settings.allowed_hosts,
            deadline_seconds=min(settings.cliniko_timeout_seconds, manners.longest_seconds),
            clock=clock,
            budget=budget or RateBudget(settings.cliniko_rate_per_minute, clock),
            tries=manners.tries,
            silence_seconds=manners.silence_seconds,
            observe=observe,
        )
    )


def note_settings(settings: Settings) -> NoteSettings:
    """How notes are made."""
    return NoteSettings(
        region=settings.heidi_region,
        routes=settings.routes,
        html=settings.cliniko_html,
        draft=settings.sync_note_draft,
    )


def preparer_of(
    settings: Settings,
    clinician: ClinicianSettings,
    reader: SessionReader,
    cliniko: ClinikoClient,
    identity: Identity,
    clock: Clock,
    answers: Answers,
    oldest_session: Callable[[], datetime | None] = lambda: None,
) -> Preparer:
    """What makes a clinician's notes: it only reads, so that a plan has one too.

    `oldest_session` tells when the oldest session began whose documents wait.
    """
    diary = Diary(
        cliniko=cliniko,
        identity=identity,
        clock=clock,
        name=clinician.name,
        veto=settings.sync_diary_veto,
        oldest_session=oldest_session,
    )
    patients = Patients(
        profile=reader.profile,
        charts=Charts(cliniko, answers),
        diary=diary,
        identifiers=settings.sync_match_identifiers,
        zone=identity.zone,
        clock=clock,
    )
    return Preparer(
        cliniko=cliniko, patients=patients, settings=note_settings(settings), zone=identity.zone, clock=clock
    )


class Worker:
    """Every clinician's pipeline on one ledger, with this process's leases. Close it when done."""

    def __init__(self, settings: Settings, ledger: Ledger, clock: Clock, leases: Leases | None = None) -> None:
        """`leases`: those that this process has taken already."""
        self.ledger = ledger
        self.leases = leases or Leases(ledger)
        self.counts = Counts()
        longest_request = max(settings.heidi_timeout_seconds, settings.cliniko_timeout_seconds)
        self.pulse = Pulse(clock, request_seconds=longest_request)
        self._clock = TickClock(clock, self.pulse)
        self.ticks_at_once = settings.sync_ticks_at_once
        self._expected = expected_of(settings)
        collecting = collect_settings(settings)
        self.purge = Purge(ledger.engine, lookback=collecting.lookback)
        self.night_zone = collecting.night_zone
        self._budgets: dict[str, RateBudget] = {}
        self._lock = threading.Lock()
        known = {clinician.heidi_user_id: clinician for clinician in settings.clinicians}
        self.pipelines = Pipelines(known, lambda user_id: self._pipeline(settings, known[user_id]))

    def tick(self, user_id: str, *, full: bool = False) -> TickReport:
        """One tick of one clinician."""
        report = self.pipelines[user_id].tick(full=full)
        trouble = report.trouble.code if report.trouble else None
        self.counts.ticks.add("done" if trouble is None else "held" if trouble == "held" else "trouble")
        return report

    def tick_all(self, *, full: bool) -> list[TickReport]:
        """One tick of every clinician, side by side."""
        with ThreadPoolExecutor(max_workers=min(self.ticks_at_once, len(self.pipelines))) as pool:
            return list(pool.map(lambda user_id: self.tick(user_id, full=full), self.pipelines))

    def alarms(self) -> list[Alarm]:
        """What a person must be told of now. Raises `LedgerUnavailable`."""
        return list(standing(Views(self.ledger.engine), self._expected, self._clock.now()))

    def entry_counts(self) -> dict[str, int]:
        """How many entries stand where, by status. Raises `LedgerUnavailable`."""
        return Views(self.ledger.engine).entry_counts()

    def close(self) -> None:
        """Let go of leases and connections."""
        self.leases.close()
        for pipeline in self.pipelines.built():
            pipeline.heidi.close()
            pipeline.cliniko.close()
            pipeline.ahead.close()
        self.ledger.engine.dispose()

    def budget(self, settings: Settings, clinician: ClinicianSettings) -> RateBudget:
        """Cliniko counts by user, so whoever shares a key shares a budget, here and in the other workers."""
        key = clinician.cliniko_api_key.at_start
        with self._lock:
            if key not in self._budgets:
                book = None
                if settings.sync_engine is TickEngine.PROCRASTINATE:
                    book = LedgerBook(self.ledger.engine, self.ledger.keyed_hash(key), self._clock)
                self._budgets[key] = RateBudget(settings.cliniko_rate_per_minute, self._clock, book)
            return self._budgets[key]

    def _pipeline(self, settings: Settings, clinician: ClinicianSettings) -> Pipeline:
        clock, ledger = self._clock, self.ledger
        heard = self.counts.request
        heidi = heidi_client(settings, clinician, clock, observe=heard)
        cliniko = cliniko_client(settings, clinician, clock, self.budget(settings, clinician), observe=heard)
        reader = SessionReader(heidi, clock)
        ticking, looks = tick_settings(settings, clinician), look_times(settings)
        identity = Identity(
            cliniko=cliniko,
            heidi_user_id=clinician.heidi_user_id,
            time_zone=settings.timezone,
            memory=Memory(
                ledger.clinicians, lambda: ledger.keyed_hash(clinician.cliniko_api_key.get_secret_value()), clock
            ),
        )

        def oldest_session() -> datetime | None:
            return ledger.entries.oldest_pending(ledger.clinicians.enter(clinician.heidi_user_id).clinician_id)

        # its requests share the budget, but for the places that the notes themselves will need
        spare = AheadBudget(self.budget(settings, clinician), "cliniko")
        ahead, answers = cliniko_client(settings, clinician, clock, spare, observe=heard), Answers(clock)
        preparer = preparer_of(settings, clinician, reader, cliniko, identity, clock, answers, oldest_session)
        first_look = FirstLook(cliniko=cliniko, identity=identity, ledger=ledger, clock=clock)
        poster = Poster(
            settings=post_settings(settings, clinician),
            cliniko=cliniko,
            ledger=ledger,
            leases=self.leases,
            clock=clock,
            counts=self.counts,
        )
        return Pipeline(
            settings=ticking,
            heidi=heidi,
            cliniko=cliniko,
            ledger=ledger,
            leases=self.leases,
            collector=Collector(
                heidi=heidi, reader=reader, ledger=ledger, settings=collect_settings(settings), clock=clock
            ),
            reader=reader,
            preparer=preparer,
            doubts=DoubtResolver(cliniko=cliniko, identity=identity, ledger=ledger, looks=looks, clock=clock),
            first_look=first_look,
            poster=poster,
            ahead=ReadAhead(
                reader=reader,
                preparer=preparer,
                patients=preparer.patients.through(Charts(ahead, answers)),
                cliniko=ahead,
                identity=identity,
                first_look=first_look,
                was_rehearsed=poster.was_rehearsed,
                keyed_hash=ledger.keyed_hash,
            ),
            amender=Amender(
                cliniko=cliniko,
                ledger=ledger,
                leases=self.leases,
                reader=reader,
                preparer=preparer,
                looks=looks,
                clock=clock,
                settle=ticking.settle,
                revisions=ticking.revisions,
            ),
            identity=identity,
            keys={"heidi": settings.heidi_key, "cliniko": clinician.cliniko_api_key},
            clock=clock,
        )


def look_times(settings: Settings) -> LookTimes:
    """When to look for a note in doubt."""
    return LookTimes(
        first=timedelta(seconds=settings.sync_doubt_first_look_seconds),
        second=timedelta(seconds=settings.sync_doubt_second_look_seconds),
    )


def post_settings(settings: Settings, clinician: ClinicianSettings) -> PostSettings:
    """What posting needs to know."""
    return PostSettings(
        name=clinician.name,
        rehearse=settings.sync_mode is Mode.REHEARSE,
        looks=look_times(settings),
        brake=settings.sync_brake_posts_per_hour,
        fingerprint=settings.fingerprint,
    )


def tick_settings(settings: Settings, clinician: ClinicianSettings) -> TickSettings:
    """What a tick needs to know."""
    return TickSettings(
        name=clinician.name,
        heidi_user_id=clinician.heidi_user_id,
        rehearse=settings.sync_mode is Mode.REHEARSE,
        settle=timedelta(seconds=settings.sync_settle_seconds),
        start_at=settings.sync_start_at,
        revisions=settings.sync_revisions,
        surely_listed=look_times(settings).second,
    )


def collect_settings(settings: Settings) -> CollectSettings:
    """How sessions are taken in."""
    return CollectSettings(
        lookback=timedelta(days=settings.sync_lookback_days),
        sweep_interval=timedelta(seconds=settings.sync_sweep_interval_seconds),
        overlap=timedelta(seconds=settings.sync_cursor_overlap_seconds),
        updated_since_param=settings.heidi_updated_since_param,
        night_zone=settings.timezone or UTC,
    )


def clinicians_named(settings: Settings, wanted: str | None) -> Iterable[ClinicianSettings]:
    """The clinicians that a command's argument means, by name, Heidi user id or e-mail; all of them without one.

    Raises `ConfigurationError` naming those that there are.
    """
    found = [
        one
        for one in settings.clinicians
        if wanted is None
        or wanted.casefold() in (one.name.casefold(), one.heidi_user_id.casefold(), one.heidi_email.casefold())
    ]
    if not found:
        names = ", ".join(one.name for one in settings.clinicians)
        raise ConfigurationError([f"There is no clinician of that name in the settings. There are: {names}."])
    return found


# ---------------------------------------------------------------- looking without a tick


@dataclass(frozen=True, slots=True)
class Bench:
    """What plans and previews one clinician's documents. `planner` is made for a scope."""

    identity: Identity
    state: ClinicianState | None
    reader: SessionReader
    patients: Patients
    previewer: Previewer
    planner: Callable[[PlanScope], Planner]


@contextmanager
def bench(settings: Settings, clinician: ClinicianSettings, ledger: Ledger | None, clock: Clock) -> Iterator[Bench]:
    """One clinician's bench, and both clients for as long as the block lasts.

    Raises `RemoteError` where the clinician's Heidi account is not linked.
    """
    heidi, cliniko = heidi_client(settings, clinician, clock), cliniko_client(settings, clinician, clock)
    try:
        heidi.require_linked()
        yield bench_of(settings, clinician, ledger, clock, heidi, cliniko)
    finally:
        heidi.close()
        cliniko.close()


def bench_of(
    settings: Settings,
    clinician: ClinicianSettings,
    ledger: Ledger | None,
    clock: Clock,
    heidi: HeidiClient,
    cliniko: ClinikoClient,
) -> Bench:
    """A bench on clients that are there already. It remembers what it read: make another for another look."""
    identity = Identity(cliniko=cliniko, heidi_user_id=clinician.heidi_user_id, time_zone=settings.timezone)
    state = Views(ledger.engine).clinicians().get(clinician.heidi_user_id) if ledger else None
    reader = SessionReader(heidi, clock)
    preparer = preparer_of(settings, clinician, reader, cliniko, identity, clock, Answers(clock))

    def planner(scope: PlanScope) -> Planner:
        return Planner(
            heidi=heidi,
            reader=reader,
            preparer=preparer,
            ledger=ledger,
            state=state,
            scope=scope,
            notes_since=lambda since: cliniko.notes_of(identity.practitioner().practitioner_id, since),
            clock=clock,
        )

    previewer = Previewer(reader=reader, preparer=preparer, cliniko=cliniko, ledger=ledger)
    return Bench(identity, state, reader, preparer.patients, previewer, planner)


def scope_of(
    settings: Settings, state: ClinicianState | None, identity: Identity, day: date | None, now: datetime
) -> PlanScope:
    """With `--since` its day is both the oldest and the start; else what a tick would go by."""
    settle = timedelta(seconds=settings.sync_settle_seconds)
    if day is not None:
        return PlanScope(identity.moment(day), identity.moment(day), settle)
    oldest = now - timedelta(days=settings.sync_lookback_days)
    if settings.sync_start_at is not None:
        return PlanScope(oldest, identity.moment(settings.sync_start_at), settle)
    return PlanScope(oldest, (state.start_at if state else None) or now, settle)
