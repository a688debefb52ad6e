"""Reads every setting from its surroundings, once, and checks them as a whole.

It tells everything that is wrong at once, and refuses to repeat a value it refused: it may be a key or a person's
address. Nothing else in this program reads the environment.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from sync_worker.errors import ConfigurationError
from sync_worker.settings import consistency, residency
from sync_worker.settings.clinic import ClinicFile, read_clinic_file
from sync_worker.settings.consistency import Labelled
from sync_worker.settings.keys import Key as LiveKey
from sync_worker.settings.surroundings import Problems, Surroundings, look_around
from sync_worker.settings.values import KEY, SECRETS, ClinicianSettings, Settings


def load_settings(environ: Mapping[str, str] | None = None, *, env_file: Path | None = Path(".env")) -> Settings:
    """Read every setting from its surroundings; `environ` is the process's environment unless given.

    Raises ConfigurationError with everything that is wrong, one sentence each, none repeating a refused value.
    """
    problems = Problems()
    around = look_around(os.environ if environ is None else environ, env_file, problems)
    given = _given(around)
    settings = _validated(given, problems)
    clinic = read_clinic_file(settings.sync_config_file, problems.sentences)
    labelled = _listed_clinicians(clinic, around) if clinic.lists_clinicians else _one_clinician(settings, around)
    _require("HEIDI_API_KEY", settings.heidi_api_key, problems, "the practice's Heidi key")
    _require(
        "CLINIKO_CONTACT_EMAIL",
        settings.cliniko_contact_email,
        problems,
        "the address at which Cliniko may write to you",
    )
    clinicians = tuple(clinician for _, clinician in labelled)
    problems.sentences.extend(consistency.residency_problems(settings, labelled, problems.about))
    problems.sentences.extend(consistency.engine_problems(settings))
    problems.sentences.extend(consistency.mail_problems(settings))
    problems.sentences.extend(consistency.page_problems(settings))
    if not given and env_file is not None and not env_file.exists():
        sentence = f"There is no {env_file} in this folder: begin with a copy of .env.example, or go to yours."
        problems.sentences.append(sentence)
    if problems.sentences:
        raise ConfigurationError(problems.sentences)
    heidi_key = LiveKey(
        settings.heidi_api_key.get_secret_value(),
        read=_reading(around, lambda place: place.secret("HEIDI_API_KEY")),
        is_fit=lambda value: bool(KEY.fullmatch(value)),
    )
    settings.complete(clinic, clinicians, around.supervisor, heidi_key)
    settings.remember_warnings(consistency.warnings(given, clinic, settings, around))
    return settings


def _given(around: Surroundings) -> dict[str, str]:
    names = [field.upper() for field in Settings.model_fields]
    found = {name: around.secret(name) if name in SECRETS else around.plain(name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _validated(given: Mapping[str, str], problems: Problems) -> Settings:
    """Refused values give way to defaults, so that the checks across settings still find what else is wrong."""
    values = {name.lower(): value for name, value in given.items()}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        refused = {str(one["loc"][0]) for one in error.errors(include_url=False, include_input=False)}
    for field, about in Settings.model_fields.items():
        if field in refused:
            problems.add(field.upper(), str(about.description))
    return Settings.model_validate({field: value for field, value in values.items() if field not in refused})


def _listed_clinicians(clinic: ClinicFile, around: Surroundings) -> Labelled:
    labelled = []
    for one in clinic.clinicians:
        kept = one.cliniko_api_key
        if kept is None:
            continue
        label = f"{one.label}: {kept.env or 'cliniko_api_key'}"
        key = around.key(kept, label)
        if key is None and not {label, kept.env} & around.problems.about:
            around.problems.add(label, "is not set: put the clinician's own Cliniko key there")
        if key is not None and not KEY.fullmatch(key):
            around.problems.add(label, "must be the key alone, without blanks or quotes")
        elif key is not None:
            live = _cliniko_key(key, around, partial(Surroundings.key, reference=kept, label=label))
            labelled.append((label, ClinicianSettings(one.name, one.heidi_email, one.heidi_user_id, live)))
    return labelled


def _cliniko_key(value: str, around: Surroundings, read: Callable[[Surroundings], str | None]) -> LiveKey:
    """A clinician's key. One of another shard never takes its place: the shard's address was proved at the start."""

    def is_fit(other: str) -> bool:
        return bool(KEY.fullmatch(other)) and residency.shard_of(other) == residency.shard_of(value)

    return LiveKey(value, read=_reading(around, read), is_fit=is_fit)


def _reading(around: Surroundings, read: Callable[[Surroundings], str | None]) -> Callable[[], str | None]:
    """Reads again from the same places; what is wrong with them then is the refused key's story."""
    return lambda: read(replace(around, problems=Problems()))


def _one_clinician(settings: Settings, around: Surroundings) -> Labelled:
    problems = around.problems
    email, user_id, key = settings.heidi_user_email, settings.heidi_user_id, settings.cliniko_api_key
    _require("HEIDI_USER_EMAIL", email, problems, "the clinician's e-mail address in Heidi")
    _require("HEIDI_USER_ID", user_id, problems, "an id of your choice for the clinician, never changed later")
    _require("CLINIKO_API_KEY", key, problems, "the clinician's own Cliniko key")
    if not key:
        return []
    # What is missing was said; the key is checked all the same.
    live = _cliniko_key(key.get_secret_value(), around, lambda place: place.secret("CLINIKO_API_KEY"))
    return [("CLINIKO_API_KEY", ClinicianSettings(user_id or "", email or "", user_id or "", live))]


def _require(name: str, value: object, problems: Problems, what: str) -> None:
    if not value and name not in problems.about:
        problems.add(name, f"is not set: give {what}")
