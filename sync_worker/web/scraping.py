"""`/metrics`: what monitoring reads. No login, so it is told only to programs that ask this process directly.

Whoever comes through a proxy, and so perhaps from anywhere, is refused: by what proxies add to a request, and by the
name under which people reach the page, whichever of the two there is. So is a browser that another site's name has led
to our address (DNS rebinding): such a name has a dot in it, and monitoring asks by IP address or by a container's name.
"""

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sync_worker.metrics import CONTENT_TYPE, exposition
from sync_worker.web.office import Office
from sync_worker.web.visit import Visit

PROXIES_ADD = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
NOT_TOLD = (
    "Metrics are told to programs on this machine, and to those that SYNC_WEB_METRICS_FROM lists, which ask directly, "
    "by IP address and not through a proxy: see docs/metrics.md.\n"
)


def page(visit: Visit) -> Response:
    """Every metric as Prometheus reads it; 403 for whoever does not ask directly."""
    request = visit.request
    if _is_proxied(request) or not _is_plain_name(request, visit.office) or not _is_listed(request, visit.office):
        return PlainTextResponse(NOT_TOLD, 403)
    return Response(exposition(visit.office.metrics), headers={"Content-Type": CONTENT_TYPE})


def _is_proxied(request: Request) -> bool:
    return any(name in request.headers for name in PROXIES_ADD)


def _is_plain_name(request: Request, office: Office) -> bool:
    """Whether we were asked by IP address or by a name without a dot, and not by the name that people use."""
    name = _host_name(f"//{request.headers.get('host', '')}")
    is_public = office.base_url is not None and office.base_url.startswith("https://")  # only a proxy speaks it
    if not name or (is_public and name == _host_name(office.base_url or "")):
        return False
    return "." not in name or _is_address(name)


def _host_name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_listed(request: Request, office: Office) -> bool:
    """Whether the other end of the connection is this machine, or listed in the settings."""
    if request.client is None or not _is_address(request.client.host):
        return False
    caller = ip_address(request.client.host)
    return caller.is_loopback or any(caller in ip_network(one) for one in office.metrics_from)
