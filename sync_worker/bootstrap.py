"""The composition root: settings in, a wired worker out. Nothing else builds pipelines."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sync_worker.ahead import ReadAhead
from sync_worker.alarms import Alarm, expected_of, standing
from sync_worker.amend import Amender
from sync_worker.charts import Answers, Charts
from sync_worker.clients import cliniko_client, heidi_client
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.collect import Collector, CollectSettings
from sync_worker.counts import Counts
from sync_worker.diary import Diary
from sync_worker.doubts import DoubtResolver
from sync_worker.first_look import FirstLook
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
from sync_worker.posting import Poster, PostSettings
from sync_worker.prepare import NoteSettings, Preparer
from sync_worker.pulse import Pulse, TickClock
from sync_worker.rate import AheadBudget, RateBudget
from sync_worker.reading import SessionReader
from sync_worker.records import TickReport
from sync_worker.settings import ClinicianSettings, Mode, Settings, TickEngine


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
        clock, ledger, heard = self._clock, self.ledger, self.counts.request
        heidi = heidi_client(settings, clinician, clock, observe=heard)
        cliniko = cliniko_client(settings, clinician, clock, self.budget(settings, clinician), observe=heard)
        reader, answers = SessionReader(heidi, clock), Answers(clock)
        identity = self._identity(settings, clinician, cliniko)

        def oldest_session() -> datetime | None:
            return ledger.entries.oldest_pending(ledger.clinicians.enter(clinician.heidi_user_id).clinician_id)

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
        collecting, looks = collect_settings(settings), look_times(settings)
        return Pipeline(
            settings=tick_settings(settings, clinician),
            heidi=heidi,
            cliniko=cliniko,
            ledger=ledger,
            leases=self.leases,
            collector=Collector(heidi=heidi, reader=reader, ledger=ledger, settings=collecting, clock=clock),
            reader=reader,
            preparer=preparer,
            doubts=DoubtResolver(cliniko=cliniko, identity=identity, ledger=ledger, looks=looks, clock=clock),
            first_look=first_look,
            amender=self._amender(settings, clinician, cliniko, reader, preparer),
            poster=poster,
            ahead=self._read_ahead(settings, clinician, answers, identity, first_look, preparer, poster, reader),
            identity=identity,
            keys={"heidi": settings.heidi_key, "cliniko": clinician.cliniko_api_key},
            clock=clock,
        )

    def _identity(self, settings: Settings, clinician: ClinicianSettings, cliniko: ClinikoClient) -> Identity:
        key, hashed = clinician.cliniko_api_key, self.ledger.keyed_hash
        return Identity(
            cliniko=cliniko,
            heidi_user_id=clinician.heidi_user_id,
            time_zone=settings.timezone,
            memory=Memory(self.ledger.clinicians, lambda: hashed(key.get_secret_value()), self._clock),
        )

    def _amender(
        self,
        settings: Settings,
        clinician: ClinicianSettings,
        cliniko: ClinikoClient,
        reader: SessionReader,
        preparer: Preparer,
    ) -> Amender:
        ticking = tick_settings(settings, clinician)
        return Amender(
            cliniko=cliniko,
            ledger=self.ledger,
            leases=self.leases,
            reader=reader,
            preparer=preparer,
            looks=look_times(settings),
            clock=self._clock,
            settle=ticking.settle,
            revisions=ticking.revisions,
        )

    def _read_ahead(
        self,
        settings: Settings,
        clinician: ClinicianSettings,
        answers: Answers,
        identity: Identity,
        first_look: FirstLook,
        preparer: Preparer,
        poster: Poster,
        reader: SessionReader,
    ) -> ReadAhead:
        """Its requests share the budget, but for the places that the notes themselves will need."""
        spare = AheadBudget(self.budget(settings, clinician), "cliniko")
        cliniko = cliniko_client(settings, clinician, self._clock, spare, observe=self.counts.request)
        return ReadAhead(
            reader=reader,
            preparer=preparer,
            patients=preparer.patients.through(Charts(cliniko, answers)),
            cliniko=cliniko,
            identity=identity,
            first_look=first_look,
            was_rehearsed=poster.was_rehearsed,
            keyed_hash=self.ledger.keyed_hash,
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
