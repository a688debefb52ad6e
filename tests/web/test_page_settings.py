"""What the page's settings refuse and warn of, and what is logged where the page cannot listen."""

import socket
import time
from collections.abc import Mapping

import pytest

from sync_worker.errors import ConfigurationError
from sync_worker.logs import configure_logging
from sync_worker.settings import Settings, load_settings
from sync_worker.web.server import PageServer
from tests.conftest import Clinic


def load(clinic: Clinic, changes: Mapping[str, str]) -> Settings:
    return load_settings({**clinic.environment(), **changes}, env_file=None)


def the_problem(clinic: Clinic, changes: Mapping[str, str]) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(clinic, changes)
    [only] = refused.value.problems
    return only


@pytest.mark.parametrize("address", ["https://sync.example/heidi", "https://sync.example/a/b/", "https://h:70000"])
def test_the_page_s_address_is_a_whole_site(clinic: Clinic, address: str) -> None:
    assert "with nothing behind it" in the_problem(clinic, {"SYNC_WEB_BASE_URL": address})
    load(clinic, {"SYNC_WEB_BASE_URL": address, "SYNC_WEB_ENABLED": "false"})
    load(clinic, {"SYNC_WEB_BASE_URL": "https://sync.example:8443"})


def test_a_port_that_no_machine_has_is_refused(clinic: Clinic) -> None:
    assert "at most 65535" in the_problem(clinic, {"SYNC_WEB_BIND": "127.0.0.1:65536"})
    load(clinic, {"SYNC_WEB_BIND": "127.0.0.1:65535"})


def test_a_proxy_that_is_not_named_is_warned_of(clinic: Clinic) -> None:
    [warning] = load(clinic, {"SYNC_WEB_BASE_URL": "https://sync.example"}).warnings
    assert "SYNC_WEB_TRUSTED_PROXIES" in warning
    for fine in ({"SYNC_WEB_TRUSTED_PROXIES": "10.0.0.1"}, {"SYNC_WEB_ENABLED": "false"}):
        assert load(clinic, {"SYNC_WEB_BASE_URL": "https://sync.example", **fine}).warnings == ()
    assert load(clinic, {"SYNC_WEB_BASE_URL": "http://localhost:8080"}).warnings == ()


@pytest.mark.parametrize(("host", "code"), [("203.0.113.1", "address_not_ours"), ("127.0.0.1", "port_taken")])
def test_why_the_page_cannot_listen_is_logged(
    clinic: Clinic, capsys: pytest.CaptureFixture[str], host: str, code: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = load(clinic, {"SYNC_WEB_BIND": f"{host}:{port}", "SYNC_WEB_BASE_URL": "https://sync.example"})
        configure_logging(level="INFO", fmt="json")
        said, until = "", time.monotonic() + 10
        with PageServer(settings, clinic.worker, clinic.clock):
            while "page.not_served" not in said and time.monotonic() < until:
                said += capsys.readouterr().err
                time.sleep(0.05)
    assert f'"code": "{code}"' in said
