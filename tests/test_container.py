"""What deploy/ and the Dockerfile promise: a service that could do little harm, and settings that start it."""

import re
import shutil
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync_worker.errors import ConfigurationError
from sync_worker.settings import load_settings

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
CADDYFILE = (DEPLOY / "Caddyfile").read_text()
UNIT = (DEPLOY / "systemd/sync-worker-container.service").read_text()
QUADLET = (DEPLOY / "podman/sync-worker.container").read_text()
SERVICES = ("worker", "proxy", "postgres")

PRACTICE = {
    "HEIDI_API_KEY": "heidi-secret-1",
    "HEIDI_USER_EMAIL": "a.physio@example.com",
    "HEIDI_USER_ID": "physio-1",
    "CLINIKO_API_KEY": "MS0xc2Vj-cmV0-au3",
    "CLINIKO_CONTACT_EMAIL": "desk@example.com",
}


# ---------------------------------------------------------------- the image


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_a_fixed_user_with_a_health_check_and_nothing_but_hashed_wheels() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    for line in (
        "USER 10001:10001",
        "STOPSIGNAL SIGTERM",
        'VOLUME ["/data"]',
        'ENTRYPOINT ["sync-worker"]',
        'CMD ["run"]',
        "COPY --from=build /opt/sync-worker /opt/sync-worker",
    ):
        assert f"\n{line}\n" in last
    assert re.search(r"\nHEALTHCHECK .* CMD \[\"sync-worker\", \"health\"\]\n", last)
    assert "pip" not in last
    assert DOCKERFILE.count("\nADD ") == 0
    for requirements in ("requirements/distributed.txt", "requirements/build.txt"):
        assert re.search(rf"--require-hashes --only-binary :all: (\\\n +)?--requirement {requirements}", DOCKERFILE)


def test_every_stage_stands_on_the_one_base_that_can_be_named_by_its_digest() -> None:
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert "\nARG BASE=debian:bookworm-slim\n" in DOCKERFILE


def test_the_builder_is_given_only_what_is_copied() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    given = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        name for names in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in names.split()
    }
    assert lines[0] == "*"
    assert given == copied


def test_the_image_sets_nothing_that_would_win_over_a_file_of_secrets() -> None:
    assert set(_image_settings()) == {"SYNC_WEB_BIND"}


def test_run_in_a_container_without_the_page_s_address_is_refused_in_one_sentence() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(PRACTICE | _image_settings(), env_file=None)
    [only] = refused.value.problems
    assert "set SYNC_WEB_BASE_URL to the https:// address" in only
    address = {"SYNC_WEB_BASE_URL": "https://sync.example.com.au", "SYNC_WEB_TRUSTED_PROXIES": "10.231.8.2"}
    assert load_settings(PRACTICE | _image_settings() | address, env_file=None).warnings == ()


def _image_settings() -> dict[str, str]:
    block = re.search(r"\nENV ((?:.*\\\n)*.*)\n", DOCKERFILE)
    assert block is not None
    pairs = dict(pair.split("=", 1) for pair in block[1].replace("\\\n", " ").split())
    return {name: value for name, value in pairs.items() if name not in ("PATH",) and not name.startswith("PYTHON")}


def test_the_rehearsal_and_the_trial_can_be_run() -> None:
    script = DEPLOY / "image_rehearsal.sh"
    assert script.stat().st_mode & stat.S_IXUSR
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    if shutil.which("shellcheck"):
        assert subprocess.run(["shellcheck", script], check=False).returncode == 0


# ---------------------------------------------------------------- compose


def _service(name: str) -> dict[str, Any]:
    service: dict[str, Any] = COMPOSE["services"][name]
    return service


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    service = _service(name)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 256
    assert service["mem_limit"] == service["memswap_limit"], "nothing is swapped"
    assert service["cpus"] <= 2
    assert service["ulimits"] == {"core": 0}
    assert all("noexec" in one and "nosuid" in one and "size=" in one for one in service["tmpfs"])
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert service["stop_grace_period"] == "60s"
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_reaches_into_the_host(name: str) -> None:
    service = _service(name)
    assert not {"privileged", "pid", "ipc", "network_mode", "devices", "userns_mode", "cgroup_parent"} & service.keys()
    assert not [volume for volume in service["volumes"] if "docker.sock" in volume or volume.startswith("/")]
    mounted = [volume for volume in service["volumes"] if volume.startswith("./")]
    assert all(volume.endswith(":ro") for volume in mounted)


def test_only_the_proxy_is_root_and_it_keeps_one_right() -> None:
    assert _service("worker")["user"] == "10001:10001"
    assert _service("postgres")["user"] == "999:999"
    added = {name: _service(name).get("cap_add", []) for name in SERVICES}
    assert added == {"worker": [], "proxy": ["NET_BIND_SERVICE"], "postgres": []}


def test_only_the_proxy_is_published_and_only_the_worker_reaches_out() -> None:
    assert {name: _service(name).get("ports", []) for name in SERVICES} == {
        "worker": [],
        "proxy": ["443:443"],
        "postgres": [],
    }
    inside = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    assert inside == {"page", "ledger"}
    outside = {name: set(_service(name)["networks"]) - inside for name in SERVICES}
    assert outside == {"worker": {"out"}, "proxy": {"front"}, "postgres": set()}


def test_secrets_come_as_files_and_no_setting_wins_over_them() -> None:
    for name in ("worker", "postgres"):
        environment, secrets = _service(name)["environment"], _service(name)["secrets"]
        files = {value for key, value in environment.items() if key.endswith("_FILE")}
        assert files == {f"/run/secrets/{secret}" for secret in secrets}
        for secret_file in (key for key in environment if key.endswith("_FILE")):
            assert not environment.get(secret_file.removesuffix("_FILE"))
    assert {one["file"].partition("/")[0] for one in COMPOSE["secrets"].values()} == {"secrets"}


def test_the_worker_believes_the_proxy_alone() -> None:
    proxy = _service("proxy")["networks"]["page"]["ipv4_address"]
    environment = _service("worker")["environment"]
    assert environment["SYNC_WEB_TRUSTED_PROXIES"] == proxy
    assert environment["SYNC_WEB_BASE_URL"].startswith("https://${PAGE_HOST:?")
    assert environment["SYNC_WEB_BIND"] == _image_settings()["SYNC_WEB_BIND"]


def test_compose_s_settings_start_the_worker(tmp_path: Path) -> None:
    """With .env.example filled in, as its head says, and secrets in files."""
    environment = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    environment |= {name: PRACTICE[name] for name in PRACTICE if not name.endswith("_KEY")}
    environment |= {name: str(value) for name, value in _service("worker")["environment"].items()}
    environment["SYNC_WEB_BASE_URL"] = "https://sync.example.com.au"
    contents = {
        "heidi_api_key": "heidi-secret-1",
        "cliniko_api_key": "MS0x-au3",
        "database_url": "sqlite:////data/x.db",
    }
    for secret, content in contents.items():
        (tmp_path / secret).write_text(content + "\n")
    environment = {name: value.replace("/run/secrets", str(tmp_path)) for name, value in environment.items()}
    settings = load_settings(environment, env_file=None)
    assert settings.database_url.get_secret_value() == "sqlite:////data/x.db"
    assert settings.warnings == ()


def test_two_workers_share_all_but_the_database_file(tmp_path: Path) -> None:
    two = yaml.safe_load((DEPLOY / "compose-two-workers.yaml").read_text())["services"]
    assert two.keys() == {"worker"}
    worker = two["worker"]
    assert worker.keys() == {"scale", "environment", "depends_on"}
    assert worker["scale"] == 2
    assert worker["depends_on"]["postgres"]["required"] is True
    assert "container_name" not in _service("worker")  # nor a port: there may be two
    (tmp_path / "database_url").write_text("postgresql+psycopg://sync_worker:secret@postgres/sync_worker\n")
    given = PRACTICE | worker["environment"] | {"DATABASE_URL_FILE": str(tmp_path / "database_url")}
    settings = load_settings({name: value for name, value in given.items() if name != "DATABASE_URL"}, env_file=None)
    assert settings.sync_engine == "procrastinate"


def test_postgres_is_there_only_if_wanted() -> None:
    assert _service("postgres")["profiles"] == ["postgres"]
    assert _service("worker")["depends_on"]["postgres"] == {"condition": "service_healthy", "required": False}


# ---------------------------------------------------------------- the proxy


def test_the_proxy_speaks_tls_to_the_practice_alone_and_keeps_no_addresses() -> None:
    for line in (
        "admin off",
        "tls {$PAGE_TLS:internal}",
        "@outside not remote_ip {$PRACTICE_NETWORKS}",
        "abort @outside",
        "@programs path /healthz* /readyz* /metrics*",
        "respond @programs 404",
        "request_buffers 64KB",
        "exclude http.log.error http.handlers.reverse_proxy",
    ):
        assert line in CADDYFILE
    orders = [line.strip() for line in CADDYFILE.splitlines() if not line.strip().startswith("#")]
    assert not [line for line in orders if line.startswith(("trusted_proxies", "header_up", "log {"))]
    assert "Content-Security-Policy" not in CADDYFILE, "those are the page's own"


# ---------------------------------------------------------------- podman


def _flags() -> list[str]:
    command = re.search(r"^ExecStart=(/usr/bin/podman run (?:.*\\\n)*.*)$", UNIT, re.MULTILINE)
    assert command is not None
    return command[1].replace("\\\n", " ").split()


def test_the_unit_runs_a_hardened_container_and_hears_from_it() -> None:
    assert set(_flags()) >= {
        "--user=10001:10001",
        "--read-only",
        "--read-only-tmpfs=false",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        "--pids-limit=128",
        "--memory=512m",
        "--memory-swap=512m",
        "--ulimit=core=0:0",
        "--umask=0077",
        "--pull=never",
        "--sdnotify=container",
        "--env=WATCHDOG_USEC",
        "--health-on-failure=kill",
        "--publish=127.0.0.1:8080:8080",
    }
    for line in ("Type=notify", "NotifyAccess=all", "Restart=always", "RestartPreventExitStatus=2"):
        assert f"\n{line}\n" in UNIT
    assert re.search(r"\nExecStop=/usr/bin/podman stop .*--time=60", UNIT)
    assert int(re.search(r"\nTimeoutStopSec=(\d+)\n", UNIT)[1]) > 60  # type: ignore[index]


def test_unit_and_quadlet_hand_over_the_same_secrets_as_files() -> None:
    in_unit = {flag.removeprefix("--secret=") for flag in _flags() if flag.startswith("--secret=")}
    in_quadlet = set(re.findall(r"^Secret=(.*)$", QUADLET, re.MULTILINE))
    assert in_unit == in_quadlet
    assert all(one.endswith(",type=mount,uid=10001,gid=10001,mode=0400") for one in in_unit)
    for secret in (one.partition(",")[0] for one in in_unit):
        setting = f"{secret.upper()}_FILE=/run/secrets/{secret}"
        assert f"--env={setting}" in _flags()
        assert f"\nEnvironment={setting}\n" in QUADLET


def test_the_quadlet_says_the_same_as_the_unit() -> None:
    keys = dict(re.findall(r"^([A-Za-z]+)=(.*)$", QUADLET, re.MULTILINE))
    wanted = {
        "Notify": "true",
        "User": "10001",
        "Group": "10001",
        "ReadOnly": "true",
        "DropCapability": "ALL",
        "NoNewPrivileges": "true",
        "HealthCmd": "sync-worker health",
        "HealthOnFailure": "kill",
        "Restart": "always",
        "RestartPreventExitStatus": "2",
    }
    assert {name: keys.get(name) for name in wanted} == wanted
    assert "AutoUpdate" not in keys
    said = " ".join(re.findall(r"^PodmanArgs=(.*)$", QUADLET, re.MULTILINE)).split()
    assert set(said) <= set(_flags())
    for name in ("Tmpfs", "Volume"):
        there = {f"--{name.lower()}={value}" for value in re.findall(rf"^{name}=(.*)$", QUADLET, re.MULTILINE)}
        assert there == {flag for flag in _flags() if flag.startswith(f"--{name.lower()}=")}
    watchdogs = [re.search(r"^WatchdogSec=(.*)$", text, re.MULTILINE) for text in (UNIT, QUADLET)]
    assert watchdogs[0] is not None
    assert watchdogs[1] is not None
    assert watchdogs[0][1] == watchdogs[1][1]


def test_no_health_check_ends_a_service_that_systemd_lets_start() -> None:
    patience = int(re.search(r"\nTimeoutStartSec=(\d+)min\n", UNIT)[1])  # type: ignore[index]
    assert f"--health-start-period={patience}m" in _flags()
    assert f"\nTimeoutStartSec={patience}min\n" in QUADLET
    assert f"\nHealthStartPeriod={patience}m\n" in QUADLET


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    unit = tmp_path / "sync-worker-container.service"
    unit.write_text(UNIT.replace("/usr/bin/podman", sys.executable))  # it must exist to be verified
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
