"""Settings: where they may stand, what they may be, and what is said when they are wrong."""

import itertools
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sync_worker.errors import ConfigurationError
from sync_worker.model import Route
from sync_worker.settings import SECRETS, Settings, load_settings

EXAMPLE = Path(__file__).parent.parent / ".env.example"

PRACTICE = {
    "HEIDI_API_KEY": "heidi-secret-1",
    "HEIDI_USER_EMAIL": "a.physio@example.com",
    "HEIDI_USER_ID": "physio-1",
    "CLINIKO_API_KEY": "MS0xc2Vj-cmV0-au3",
    "CLINIKO_CONTACT_EMAIL": "desk@example.com",
}

CLINIC = """
[practice]
name = "Example Physiotherapy"
timezone = "Australia/Hobart"

[[clinicians]]
name = "A. Physio"
heidi_email = "a.physio@example.com"
heidi_user_id = "physio-1"
cliniko_api_key = { env = "KEY_OF_A" }

[[clinicians]]
name = "B. O'Physio"
heidi_email = "b.physio@example.com"
heidi_user_id = "physio-2"
cliniko_api_key = { file = "b.key" }

[[routes]]
heidi_template = "tpl-1"
cliniko_template = "789"
layout = "single"
title = "{document} of {date}"

[[routes]]
document_name = "Letter*"
action = "skip"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, so that no .env or clinic.toml of the developer is found."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(changes: Mapping[str, str] | None = None) -> Settings:
    return load_settings({**PRACTICE, **(changes or {})})


def problems(environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ)
    return caught.value.problems


def problems_with(changes: Mapping[str, str]) -> list[str]:
    return problems({**PRACTICE, **changes})


def the_problem(changes: Mapping[str, str]) -> str:
    (only,) = problems_with(changes)
    return only


def clinic_problems(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    (folder / "clinic.toml").write_text(text, encoding="utf-8")
    (folder / "b.key").write_text("key-of-b-au2\n")
    return problems({**PRACTICE, "KEY_OF_A": "key-of-a-au1", **(environ or {})})


# ---------------------------------------------------------------- where they may stand


def test_five_settings_are_enough_for_one_clinician():
    settings = load()
    (clinician,) = settings.clinicians
    assert clinician.name == clinician.heidi_user_id == "physio-1"
    assert clinician.heidi_email == "a.physio@example.com"
    assert clinician.cliniko_api_key.get_secret_value() == PRACTICE["CLINIKO_API_KEY"]
    assert settings.heidi_base == "https://au.api.heidihealth.com/api/v2/ml-scribe/open-api/"
    assert settings.cliniko_base(clinician) == "https://api.au3.cliniko.com/v1/"
    assert settings.timezone is None
    assert settings.routes == ()
    assert settings.warnings == ()


def test_the_environment_wins_over_the_env_file(folder: Path):
    (folder / ".env").write_text("SYNC_SETTLE_SECONDS=5\nSYNC_LOOKBACK_DAYS=7 # a week\n")
    settings = load({"SYNC_SETTLE_SECONDS": "60"})
    assert settings.sync_settle_seconds == 60
    assert settings.sync_lookback_days == 7


def test_an_empty_value_counts_as_not_set(folder: Path):
    (folder / ".env").write_text("SYNC_SETTLE_SECONDS=5\n")
    assert load({"SYNC_SETTLE_SECONDS": " ", "SYNC_MODE": ""}).sync_settle_seconds == 5
    assert "CLINIKO_API_KEY is not set" in the_problem({"CLINIKO_API_KEY": ""})


def test_names_of_other_programs_are_ignored():
    assert load({"PATH": "/bin", "HEIDI": "x", "sync_settle_seconds": "1"}).sync_settle_seconds == 600


def test_no_env_file_is_no_problem():
    assert load_settings(PRACTICE, env_file=None).sync_mode == "auto"


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_can_come_from_a_file(folder: Path, name: str):
    values = {
        "DATABASE_URL": "sqlite:///other.db",
        "SYNC_HEARTBEAT_URL": "https://ping.example/abc",
        "SYNC_ALERT_WEBHOOK_URL": "https://ping.example/hook",
    }
    (folder / "secret").write_text(values.get(name, "from-file-au2") + "\n")
    rest = {key: value for key, value in PRACTICE.items() if key != name}
    settings = load_settings(rest | {f"{name}_FILE": "secret", "SYNC_ALLOWED_HOSTS": "ping.example"})
    secret = getattr(settings, name.lower())
    assert secret.get_secret_value() == values.get(name, "from-file-au2")


@pytest.mark.parametrize("file", ["CLINIKO_API_KEY", "cliniko_api_key"])
def test_a_secret_can_come_from_systemds_credentials(folder: Path, file: str):
    (folder / file).write_text("from-systemd-au4\n")
    environ = PRACTICE | {"CLINIKO_API_KEY": "", "CREDENTIALS_DIRECTORY": str(folder)}
    assert load_settings(environ).clinicians[0].cliniko_shard == "au4"


def test_credentials_that_cannot_be_looked_at_are_problems_and_no_unexpected_error():
    sentences = problems_with({"CLINIKO_API_KEY": "", "CREDENTIALS_DIRECTORY": "/" + "x" * 300})
    assert all(re.match(r"The credential [A-Z_]+ cannot be read: ", one) for one in sentences)
    assert sum("CLINIKO_API_KEY" in one for one in sentences) == 1


def test_a_file_named_in_the_environment_wins_over_a_value_in_the_env_file(folder: Path):
    (folder / ".env").write_text("CLINIKO_API_KEY=old-au1\n")
    (folder / "new").write_text("new-au2")
    settings = load({"CLINIKO_API_KEY": "", "CLINIKO_API_KEY_FILE": "new"})
    assert settings.clinicians[0].cliniko_shard == "au2"


def test_a_secrets_file_that_cannot_be_read_is_one_problem_without_its_path(folder: Path):
    sentence = the_problem({"CLINIKO_API_KEY": "", "CLINIKO_API_KEY_FILE": "pasted-key-au3"})
    assert "CLINIKO_API_KEY_FILE" in sentence
    assert "pasted" not in sentence


def test_a_line_of_the_env_file_that_is_no_setting_is_refused(folder: Path):
    (folder / ".env").write_text("SYNC_SETTLE_SECONDS=5\nSYNC_MODE rehearse\nSYNC_NOTE_DRAFT\n")
    assert [re.search(r"line (\d)", one)[1] for one in problems_with({})] == ["2", "3"]


def test_a_name_that_is_almost_a_settings_name_is_warned_of():
    (warning,) = load({"SYNC_MOD": "rehearse", "SYNC_SOMETHING_ELSE": "x"}).warnings
    assert warning == "SYNC_MOD is no setting and is ignored: did you mean SYNC_MODE?"


# ---------------------------------------------------------------- what is wrong, all at once


def test_everything_that_is_missing_is_said_at_once():
    *said, last = problems({})
    assert {one.split()[0] for one in said} == set(PRACTICE)
    assert last.startswith("There is no .env in this folder")


def test_missing_malformed_and_contradicting_settings_are_all_said_at_once(folder: Path):
    (folder / "clinic.toml").write_text('[practice]\ntimezone = "Tasmania"\n')
    said = problems_with(
        {
            "HEIDI_API_KEY": "",
            "SYNC_SETTLE_SECONDS": "ten",
            "SYNC_MODE": "fast",
            "HEIDI_REGION": "us",
            "CLINIKO_API_KEY": "key-uk1",
            "SYNC_ENGINE": "procrastinate",
        }
    )
    for name in ("HEIDI_API_KEY", "SYNC_SETTLE", "SYNC_MODE", "HEIDI_REGION", "uk1", "SYNC_ENGINE", "timezone"):
        assert len([one for one in said if name in one]) == 1, name
    assert len(said) == 7


def test_the_engine_of_several_workers_needs_postgres() -> None:
    assert "Postgres" in the_problem({"SYNC_ENGINE": "procrastinate"})


def test_the_engine_of_several_workers_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = the_problem({"SYNC_ENGINE": "procrastinate", "DATABASE_URL": "postgresql://u:p@db/sync"})
    assert "requirements/distributed.txt" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEIDI_REGION", "registrar"),
        ("HEIDI_BASE_URL", "ftp://127.0.0.1/"),
        ("HEIDI_BASE_URL", "https://user:pw@au.api.heidihealth.com/"),
        ("HEIDI_BASE_URL", "https://evil.example\\@au.api.heidihealth.com/"),
        ("HEIDI_BASE_URL", "https://au.api.heidihealth.com/?x=1"),
        ("HEIDI_USER_EMAIL", "physio"),
        ("HEIDI_USER_ID", "two words"),
        ("HEIDI_API_KEY", "line\nbreak"),
        ("HEIDI_API_KEY", '"quoted"'),
        ("HEIDI_UPDATED_SINCE_PARAM", "a&b"),
        ("HEIDI_RETENTION_DAYS", "0"),
        ("HEIDI_TIMEOUT_SECONDS", "0"),
        ("CLINIKO_TIMEOUT_SECONDS", "nan"),
        ("CLINIKO_TIMEOUT_SECONDS", "inf"),
        ("CLINIKO_RATE_PER_MINUTE", "0"),
        ("CLINIKO_RATE_PER_MINUTE", "1.5"),
        ("CLINIKO_HTML", "rich"),
        ("CLINIKO_APP_NAME", "name (x)"),
        ("CLINIKO_CONTACT_EMAIL", "desk@"),
        ("DATABASE_URL", "mysql://host/db"),
        ("DATABASE_URL", "postgresql+asyncpg://host/db"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("SYNC_TIMEZONE", "Hobart"),
        ("SYNC_TIMEZONE", "../etc/passwd"),
        ("SYNC_TIMEZONE", "Australia"),
        ("SYNC_MODE", "dry"),
        ("SYNC_POLL_INTERVAL_SECONDS", "0"),
        ("SYNC_START_AT", "1 March"),
        ("SYNC_START_AT", "0001-01-01"),
        ("SYNC_LOOKBACK_DAYS", "0"),
        ("SYNC_SETTLE_SECONDS", "-1"),
        ("SYNC_SETTLE_SECONDS", "99999999999"),
        ("SYNC_BRAKE_POSTS_PER_HOUR", "-1"),
        ("SYNC_REVISIONS", "post"),
        ("SYNC_MATCH_IDENTIFIERS", "1"),
        ("SYNC_MATCH_IDENTIFIERS", "4"),
        ("SYNC_NOTE_DRAFT", "maybe"),
        ("SYNC_DATA_RESIDENCY", "EU"),
        ("SYNC_DATA_RESIDENCY", "none"),
        ("SYNC_ALLOWED_HOSTS", "*.example.com"),
        ("SYNC_ALLOWED_HOSTS", "https://a.example"),
        ("SYNC_ENGINE", "celery"),
        ("SYNC_TICKS_AT_ONCE", "0"),
        ("SYNC_TICKS_AT_ONCE", "65"),
        ("SYNC_WEB_BIND", "everywhere"),
        ("SYNC_WEB_TRUSTED_PROXIES", "*"),
        ("SYNC_WEB_TRUSTED_PROXIES", "proxy.example.com"),
        ("SYNC_WEB_METRICS_FROM", "*"),
        ("SYNC_HEARTBEAT_URL", "ping.example"),
        ("SYNC_LOG_LEVEL", "LOUD"),
        ("SYNC_LOG_FORMAT", "xml"),
    ],
)
def test_a_malformed_value_is_refused_by_name(name: str, value: str):
    sentence = the_problem({name: value})
    assert sentence.startswith(f"{name} must ")
    assert sentence.endswith(".")


@pytest.mark.parametrize("name", sorted({field.upper() for field in Settings.model_fields}))
def test_no_refused_value_is_ever_repeated(name: str):
    value = "Marigold Testpatient\x01"
    sentence = the_problem({name: value})
    assert name in sentence
    assert "marigold" not in sentence.lower()


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"SYNC_ALERT_SMTP_HOST": ""}, "SYNC_ALERT_SMTP_HOST is not set"),
        ({"SYNC_ALERT_EMAIL_FROM": ""}, "SYNC_ALERT_EMAIL_FROM is not set"),
        ({"SYNC_ALLOWED_HOSTS": ""}, "is not in SYNC_ALLOWED_HOSTS"),
        ({"SYNC_ALERT_SMTP_TLS": "none"}, "without encryption"),
        ({"SYNC_ALERT_EMAIL_TO": "owner at example"}, "SYNC_ALERT_EMAIL_TO must be"),
        ({"SYNC_ALERT_DIGEST_AT": "seven"}, "SYNC_ALERT_DIGEST_AT must be"),
        ({"SYNC_ALERT_WEBHOOK_URL": "https://elsewhere.example/x"}, "not in SYNC_ALLOWED_HOSTS"),
    ],
)
def test_alarms_go_only_where_the_owner_listed_it_and_encrypted(setting: dict[str, str], sentence: str):
    mail = {
        "SYNC_ALERT_EMAIL_TO": "owner@example.com,it@example.com",
        "SYNC_ALERT_EMAIL_FROM": "sync@example.com",
        "SYNC_ALERT_SMTP_HOST": "mail.example",
        "SYNC_ALLOWED_HOSTS": "mail.example",
    }
    assert load(mail).sync_alert_email_to == ("owner@example.com", "it@example.com")
    assert sentence in the_problem(mail | setting)


def test_a_refused_key_appears_in_no_sentence_and_no_chained_error():
    with pytest.raises(ConfigurationError) as caught:
        load({"CLINIKO_API_KEY": "MS0 spaced SECRET", "HEIDI_API_KEY": "two SECRETS"})
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_a_cut_cliniko_key_is_refused_without_showing_its_end():
    sentence = the_problem({"CLINIKO_API_KEY": "MS0abc-SECRETEND"})
    assert "CLINIKO_API_KEY" in sentence
    assert "secretend" not in sentence.lower()


def test_neither_repr_nor_hash_nor_dump_shows_a_secret():
    settings = load(
        {
            "DATABASE_URL": "postgresql://worker:SECRET@db/ledger",
            "HEIDI_API_KEY": "SECRET",
            "CLINIKO_API_KEY": "SECRET-au1",
            "SYNC_HEARTBEAT_URL": "https://ping.example/SECRET",
            "SYNC_ALLOWED_HOSTS": "ping.example",
        }
    )
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.clinicians} {hash(settings)}"
    assert "SECRET" not in shown
    assert "a.physio@example.com" not in repr(settings)


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load().sync_mode = "rehearse"


# ---------------------------------------------------------------- what they may be


def test_words_and_switches_are_read_in_any_case():
    settings = load(
        {"SYNC_MODE": "Rehearse", "SYNC_LOG_LEVEL": "debug", "SYNC_NOTE_DRAFT": "FALSE", "CLINIKO_HTML": "Basic"}
    )
    assert settings.sync_mode == "rehearse"
    assert settings.sync_log_level == "DEBUG"
    assert settings.sync_note_draft is False
    assert settings.cliniko_html == "basic"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-01", date(2026, 3, 1)),
        ("2026-03-01T08:30", datetime(2026, 3, 1, 8, 30)),  # noqa: DTZ001 - naive means the practice's zone
        ("2026-03-01T08:30:00Z", datetime(2026, 3, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_start_is_a_date_or_a_moment(text: str, meant: date):
    start = load({"SYNC_START_AT": text}).sync_start_at
    assert (type(start), start) == (type(meant), meant)


def test_a_bare_postgres_address_means_the_driver_we_use():
    assert load({"DATABASE_URL": "postgresql://u:p@h/db"}).database_url.get_secret_value() == (
        "postgresql+psycopg://u:p@h/db"
    )


def test_a_key_of_the_first_years_without_a_shard_means_au1():
    settings = load({"CLINIKO_API_KEY": "oldkeywithoutshard"})
    assert settings.cliniko_base(settings.clinicians[0]) == "https://api.au1.cliniko.com/v1/"


def test_a_shard_is_known_by_its_pattern_in_either_case():
    assert load({"CLINIKO_API_KEY": "a-b_c=-AU17"}).clinicians[0].cliniko_shard == "au17"


# ---------------------------------------------------------------- the page


@pytest.mark.parametrize("bind", ["0.0.0.0:8080", "[::]:8080", "192.168.1.5:80"])
def test_a_page_that_is_open_to_the_network_needs_its_https_address(bind: str):
    assert "set SYNC_WEB_BASE_URL to the https:// address" in the_problem({"SYNC_WEB_BIND": bind})
    load({"SYNC_WEB_BIND": bind, "SYNC_WEB_BASE_URL": "https://sync.example/"})
    load({"SYNC_WEB_BIND": bind, "SYNC_WEB_ENABLED": "false"})


def test_passwords_travel_by_https_only_beyond_this_machine():
    assert "must begin with https://" in the_problem({"SYNC_WEB_BASE_URL": "http://sync.example/"})
    load({"SYNC_WEB_BASE_URL": "http://localhost:8080/"})


def test_proxies_are_named_by_address_or_network():
    given = {"SYNC_WEB_TRUSTED_PROXIES": "127.0.0.1, 10.1.0.0/16,::1"}
    assert load(given).sync_web_trusted_proxies == ("127.0.0.1/32", "10.1.0.0/16", "::1/128")


def test_programs_that_may_read_the_metrics_are_addresses_or_networks():
    assert load({"SYNC_WEB_METRICS_FROM": "10.89.0.0/24"}).sync_web_metrics_from == ("10.89.0.0/24",)


# ---------------------------------------------------------------- clinical data stays in Australia


@pytest.mark.parametrize("region", ["us", "uk", "eu", "ca"])
def test_another_region_of_heidi_is_refused(region: str):
    assert "HEIDI_REGION must be au" in the_problem({"HEIDI_REGION": region})


@pytest.mark.parametrize("override", [{}, {"CLINIKO_BASE_URL": "http://127.0.0.1:9/v1"}])
def test_a_cliniko_key_from_abroad_is_refused_even_towards_a_sandbox(override: dict[str, str]):
    assert "uk2" in the_problem({"CLINIKO_API_KEY": "key-uk2", **override})


@pytest.mark.parametrize(
    "url",
    [
        "https://us.api.heidihealth.com/api",
        "https://registrar.api.heidihealth.com/api",
        "https://api.cliniko.com/v1",
        "https://api.uk1.cliniko.com/v1",
        "https://au.api.heidihealth.com.evil.example/",
        "https://evil-au.api.heidihealth.com/",
        "https://127.0.0.1.evil.example/",
    ],
)
@pytest.mark.parametrize("name", ["HEIDI_BASE_URL", "CLINIKO_BASE_URL"])
def test_a_base_address_outside_australia_is_refused(name: str, url: str):
    assert the_problem({name: url}).startswith(name)


def override(**changes: str) -> dict[str, str]:
    return {
        "SYNC_DATA_RESIDENCY": "override",
        "SYNC_RESIDENCY_OVERRIDE_BY": "Dr Zoë O'Owner",
        "SYNC_RESIDENCY_OVERRIDE_REASON": "The account moves to Australia in March.",
        **changes,
    }


def test_an_override_lets_another_region_shard_and_host_pass_and_says_so():
    settings = load(override(HEIDI_REGION="us", CLINIKO_API_KEY="MS0x-us2"))
    assert settings.residency_override is not None
    assert settings.residency_override.hosts == ("api.us2.cliniko.com", "us.api.heidihealth.com")
    [warning] = settings.warnings
    assert "us.api.heidihealth.com" in warning
    assert "Owner" not in warning + repr(settings)
    assert "March" not in warning + repr(settings) + repr(settings.residency_override)
    assert load(override(HEIDI_BASE_URL="https://gateway.example/")).residency_override.hosts == ("gateway.example",)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"SYNC_RESIDENCY_OVERRIDE_BY": ""}, "SYNC_RESIDENCY_OVERRIDE_BY"),
        ({"SYNC_RESIDENCY_OVERRIDE_REASON": ""}, "SYNC_RESIDENCY_OVERRIDE_REASON"),
        ({"SYNC_DATA_RESIDENCY": ""}, "SYNC_DATA_RESIDENCY"),
        ({"SYNC_DATA_RESIDENCY": "", "SYNC_RESIDENCY_OVERRIDE_BY": ""}, "SYNC_DATA_RESIDENCY"),
        ({"SYNC_RESIDENCY_OVERRIDE_BY": "x" * 65}, "SYNC_RESIDENCY_OVERRIDE_BY"),
        ({"SYNC_RESIDENCY_OVERRIDE_REASON": "because"}, "SYNC_RESIDENCY_OVERRIDE_REASON"),
        ({"SYNC_RESIDENCY_OVERRIDE_REASON": "x" * 301}, "SYNC_RESIDENCY_OVERRIDE_REASON"),
        ({"SYNC_RESIDENCY_OVERRIDE_REASON": "Two lines\nof reasons."}, "SYNC_RESIDENCY_OVERRIDE_REASON"),
    ],
)
def test_half_an_override_is_one_sentence(given: dict[str, str], named: str):
    assert named in the_problem(override(**given))


def test_an_override_that_nothing_needs_is_warned_of():
    assert "set it back to AU" in load(override()).warnings[0]


@pytest.mark.parametrize("host", ["us.api.heidihealth.com", "api.uk1.cliniko.com"])
def test_a_host_that_says_that_it_is_abroad_passes_no_list(host: str):
    changes = {"CLINIKO_BASE_URL": f"https://{host}/", "SYNC_ALLOWED_HOSTS": host}
    assert "outside Australia" in the_problem(changes)
    assert load(override(**changes)).residency_override.hosts == (host,)


def test_no_override_lets_data_go_without_encryption_or_to_heidis_testing_host():
    assert "https" in the_problem(override(HEIDI_BASE_URL="http://gateway.example/"))
    assert "testing" in the_problem(override(HEIDI_BASE_URL="https://registrar.api.heidihealth.com/"))


def test_heidis_testing_host_is_refused_even_when_listed():
    host = "registrar.api.heidihealth.com"
    assert "testing" in the_problem({"HEIDI_BASE_URL": f"https://{host}/", "SYNC_ALLOWED_HOSTS": host})


def test_a_host_listed_by_name_is_accepted():
    settings = load(
        {"HEIDI_BASE_URL": "https://Gateway.Example/heidi", "SYNC_ALLOWED_HOSTS": "a.example, gateway.example."}
    )
    assert settings.heidi_base == "https://Gateway.Example/heidi/"
    assert {"gateway.example", "a.example", "api.au3.cliniko.com", "localhost"} <= settings.allowed_hosts
    assert "au.api.heidihealth.com" not in settings.allowed_hosts


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "localhost:8001", "[::1]:8001", "127.8.8.8"])
def test_this_machine_may_be_spoken_to_in_plain_http(host: str):
    settings = load({"HEIDI_BASE_URL": f"http://{host}/api", "CLINIKO_BASE_URL": f"http://{host}/v1"})
    assert settings.cliniko_base(settings.clinicians[0]) == f"http://{host}/v1/"


@pytest.mark.parametrize("host", ["au.api.heidihealth.com", "gateway.example"])
def test_any_other_machine_must_be_spoken_to_in_https(host: str):
    sentence = the_problem({"HEIDI_BASE_URL": f"http://{host}/", "SYNC_ALLOWED_HOSTS": "gateway.example"})
    assert "https" in sentence


def test_a_heartbeat_to_a_host_that_nobody_listed_is_refused():
    heartbeat = {"SYNC_HEARTBEAT_URL": "https://ping.example/SECRET"}
    assert "SYNC_ALLOWED_HOSTS" in the_problem(heartbeat)
    assert "https" in the_problem({"SYNC_HEARTBEAT_URL": "http://ping.example/", "SYNC_ALLOWED_HOSTS": "ping.example"})
    assert load(heartbeat | {"SYNC_ALLOWED_HOSTS": "ping.example"})


# ---------------------------------------------------------------- clinic.toml


def load_clinic(folder: Path, text: str = CLINIC, changes: Mapping[str, str] | None = None) -> Settings:
    (folder / "clinic.toml").write_text(text, encoding="utf-8")
    (folder / "b.key").write_text("key-of-b-au2\n")
    office = {name: PRACTICE[name] for name in ("HEIDI_API_KEY", "CLINIKO_CONTACT_EMAIL")}
    return load_settings(office | {"KEY_OF_A": "key-of-a-au1", **(changes or {})})


def test_clinic_toml_lists_clinicians_and_routes(folder: Path):
    settings = load_clinic(folder)
    assert [(one.name, one.heidi_user_id, one.cliniko_shard) for one in settings.clinicians] == [
        ("A. Physio", "physio-1", "au1"),
        ("B. O'Physio", "physio-2", "au2"),
    ]
    assert settings.practice_name == "Example Physiotherapy"
    assert settings.timezone == ZoneInfo("Australia/Hobart")
    assert settings.routes == (
        Route(heidi_template="tpl-1", cliniko_template="789", layout="single", title="{document} of {date}"),
        Route(document_name="Letter*", action="skip"),
    )
    assert {"api.au1.cliniko.com", "api.au2.cliniko.com"} <= settings.allowed_hosts
    assert settings.warnings == ()


def test_a_key_named_in_clinic_toml_may_come_from_a_file_or_a_credential(folder: Path):
    (folder / "a.key").write_text("from-file-au4")
    settings = load_clinic(folder, changes={"KEY_OF_A": "", "KEY_OF_A_FILE": "a.key"})
    assert settings.clinicians[0].cliniko_shard == "au4"
    (folder / "key_of_a").write_text("from-systemd-au5")
    settings = load_clinic(folder, changes={"KEY_OF_A": "", "CREDENTIALS_DIRECTORY": str(folder)})
    assert settings.clinicians[0].cliniko_shard == "au5"


def test_the_time_zone_setting_wins_over_clinic_toml(folder: Path):
    assert load_clinic(folder, changes={"SYNC_TIMEZONE": "Australia/Perth"}).timezone == ZoneInfo("Australia/Perth")


def test_where_both_describe_clinicians_the_file_wins_with_a_warning(folder: Path):
    settings = load_clinic(folder, changes=PRACTICE)
    assert [one.name for one in settings.clinicians] == ["A. Physio", "B. O'Physio"]
    assert {one.split()[0] for one in settings.warnings} == {"HEIDI_USER_EMAIL", "HEIDI_USER_ID", "CLINIKO_API_KEY"}


def test_a_file_with_routes_only_leaves_the_clinician_to_the_environment(folder: Path):
    settings = load_clinic(folder, '[[routes]]\naction = "review"\n', PRACTICE)
    assert [one.name for one in settings.clinicians] == ["physio-1"]
    assert settings.routes == (Route(action="review"),)
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("rate", "base", "count"), [("200", "", 0), ("201", "", 1), ("201", "http://127.0.0.1:9102/v1", 0)]
)
def test_more_requests_than_cliniko_allows_are_warned_of_but_for_a_stand_in(rate: str, base: str, count: int):
    warnings = load({"CLINIKO_RATE_PER_MINUTE": rate, "CLINIKO_BASE_URL": base}).warnings
    assert [one.partition(" requests")[0] for one in warnings] == [
        "CLINIKO_RATE_PER_MINUTE=201 is more than the 200"
    ] * count


def test_two_clinicians_with_one_cliniko_key_are_warned_of(folder: Path):
    (warning,) = load_clinic(folder, changes={"KEY_OF_A": "key-of-b-au2"}).warnings
    assert "one Cliniko key" in warning


def test_a_named_config_file_must_exist(folder: Path):
    assert "SYNC_CONFIG_FILE" in the_problem({"SYNC_CONFIG_FILE": "elsewhere.toml"})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('{ env = "KEY_OF_A" }', '"MS0SECRET-au1"', "never the key itself"),
        ('{ env = "KEY_OF_A" }', '{ env = "MS0SECRET-au1" }', "never the key itself"),
        ('{ env = "KEY_OF_A" }', '{ env = "KEY_OF_A", file = "SECRET" }', "cliniko_api_key"),
        ('{ env = "KEY_OF_A" }', '{ env = "NOBODY_SET_THIS" }', "NOBODY_SET_THIS is not set"),
        ('{ file = "b.key" }', '{ file = "SECRET" }', "cannot be read"),
        ('cliniko_api_key = { env = "KEY_OF_A" }', "", "cliniko_api_key is missing"),
        ('"physio-2"', '"physio-1"', "clinicians 2: heidi_user_id stands there already"),
        ("B. O'Physio", "A. Physio", "clinicians 2: name stands there already"),
        ('heidi_email = "b.physio@example.com"', "", "clinicians 2: heidi_email is missing"),
        ("b.physio@example.com", "SECRET", "heidi_email must be an e-mail address"),
        ('"physio-2"', "2", "heidi_user_id must"),
        ("heidi_template =", "heidi_tempalte =", "routes 1: heidi_tempalte is not known"),
        ('[practice]\nname = "Example', '[practice]\nnmae = "Example', "practice: nmae is not known"),
        ("[practice]", "[practise]", "clinic.toml: practise is not known"),
        ("[[routes]]\ndocument", "[[route]]\ndocument", "clinic.toml: route is not known"),
        ('"single"', '"SECRET"', "layout must be"),
        ('"skip"', '"SECRET"', "action must be"),
        ('"789"', "789", "cliniko_template must be"),
        ("{document} of {date}", "{patient} SECRET", "title must be"),
        ("{document} of {date}", "{document.__class__}", "title must be"),
        ("{document} of {date}", "{document!r}", "title must be"),
        ("{document} of {date}", "{date:%Y}", "title must be"),
        ("{document} of {date}", "{document", "title must be"),
        ("{document} of {date}", "{}", "title must be"),
        ('"Australia/Hobart"', '"SECRET"', "timezone must be"),
        ('"Example Physiotherapy"', '"Example Physiotherapy', "line 3"),
    ],
)
def test_a_mistake_in_clinic_toml_is_one_sentence_without_its_value(folder: Path, old: str, new: str, said: str):
    assert old in CLINIC
    (only,) = clinic_problems(folder, CLINIC.replace(old, new, 1))
    assert said in only
    assert "clinic.toml" in only
    assert "secret" not in only.lower()


def test_every_mistake_in_clinic_toml_is_said_at_once(folder: Path):
    broken = CLINIC.replace('"single"', '"double"').replace("physio-2", "physio-1").replace("Hobart", "Nowhere")
    said = clinic_problems(folder, broken, {"HEIDI_API_KEY": "", "SYNC_MODE": "fast"})
    assert len(said) == 5


def test_keys_named_in_clinic_toml_must_be_australian_too(folder: Path):
    (only,) = clinic_problems(folder, CLINIC, {"KEY_OF_A": "key-ca1"})
    assert "KEY_OF_A" in only
    assert "ca1" in only


def test_a_file_saved_by_a_windows_editor_is_read(folder: Path):
    (folder / "clinic.toml").write_bytes(b'\xef\xbb\xbf[practice]\r\nname = "Caf\xc3\xa9"\r\n')
    assert load().practice_name == "Café"
    (folder / "clinic.toml").write_bytes(b'[practice]\nname = "Caf\xe9"\n')
    assert "UTF-8" in the_problem({})


def test_a_clinician_with_one_mistake_is_checked_to_the_end(folder: Path):
    said = clinic_problems(folder, CLINIC.replace('"A. Physio"', '"A/B"'), {"KEY_OF_A": "key-ca1"})
    assert [("name must" in one, "ca1" in one) for one in said] == [(True, False), (False, True)]


def test_the_key_of_a_clinician_without_address_is_checked_too():
    assert any("uk1" in one for one in problems({"CLINIKO_API_KEY": "key-uk1"}))


# ---------------------------------------------------------------- .env.example


def example_lines() -> list[str]:
    return EXAMPLE.read_text(encoding="utf-8").splitlines()


def example_values() -> dict[str, str]:
    lines = [line for line in example_lines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_example_names_every_setting_once_and_no_other():
    names = [line.split("=")[0] for line in example_lines() if line and not line.startswith("#")]
    assert sorted(names) == sorted(field.upper() for field in Settings.model_fields)


def test_every_setting_of_the_example_has_its_own_comment_above_it():
    lines = example_lines()
    for above, line in itertools.pairwise(lines):
        if line and not line.startswith("#"):
            assert re.fullmatch(r"# .{10,}\.", above), line


def test_the_example_starts_a_new_practice_with_a_rehearsal_and_no_secret():
    values = example_values()
    assert next(iter(values.items())) == ("SYNC_MODE", "rehearse")
    assert {values[name] for name in SECRETS if name != "DATABASE_URL"} == {""}


def test_the_example_as_it_is_lacks_exactly_the_required_settings():
    with pytest.raises(ConfigurationError) as caught:
        load_settings({}, env_file=EXAMPLE)
    assert {one.split()[0] for one in caught.value.problems} == set(PRACTICE)


def test_the_example_shows_the_defaults_and_warns_of_nothing():
    from_example, plain = load_settings(PRACTICE, env_file=EXAMPLE), load()
    assert from_example.warnings == ()
    assert from_example.model_copy(update={"sync_mode": plain.sync_mode}).model_dump() == plain.model_dump()
