"""How many documents a second the worker files: `python -m bench.throughput`.

Runs `once` on a backlog, with the rate limits of both sides lifted, on SQLite and on Postgres, and beside it a bare
loop that sends the same requests in the same order by one httpx client. Both are timed in the stand-ins' process, from
the first request's coming to the last one's answer, so that starting the program does not count. The ratio tells what
the worker adds to the requests themselves: the ledger with its commits, matching, converting, proving. Once with
stand-ins that answer at once, where every millisecond of the worker shows, and once with some that take as long as a
service elsewhere in the country.
"""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import httpx

from bench.commands import databases, environment
from bench.commands import run as run_command
from bench.figures import Figure, show, write
from bench.sandboxes import Arrival, Clinic, Sandboxes, seconds_of

DOCUMENTS, FAR_DOCUMENTS = 300, 60
LATENCY_SECONDS = 0.05
"""What an answer takes from a data centre in the same country, its own work included, if it is quick."""
LEAST_RATIO = 0.5
KEPT_HEADERS = ("accept", "authorization", "content-type", "heidi-api-key", "user-agent")


def run(documents: int = DOCUMENTS, far: int = FAR_DOCUMENTS, only: str = "") -> list[Figure]:
    """The worker on each database beside the bare loop, with services next door and with services far away."""
    figures = list[Figure]()
    for count, latency in ((documents, 0.0), (far, LATENCY_SECONDS)):
        where = f", services {latency * 1000:.0f} ms away" if latency else ""
        clinic = Clinic(count, datetime.now(UTC))
        with databases(only=only) as urls, TemporaryDirectory() as folder:
            for kind, url in urls.items() if count else ():
                figures += _beside(clinic, url, Path(folder), latency, f"{kind}{where}")
    return figures


def _beside(clinic: Clinic, url: str, folder: Path, latency: float, how: str) -> list[Figure]:
    arrivals = of_the_worker(clinic, url, folder, latency)
    worker = clinic.documents / seconds_of(arrivals)
    bare = clinic.documents / seconds_of(of_a_bare_loop(clinic, arrivals, latency))
    a_note = len(arrivals) / clinic.documents
    return [
        Figure(f"documents a second, {how}", worker),
        Figure(f"the same {a_note:.1f} requests each, by a bare loop", bare),
        Figure(f"worker / bare loop, {how}", worker / bare, target=LEAST_RATIO, at_least=True),
    ]


def of_the_worker(clinic: Clinic, url: str, folder: Path, latency: float) -> list[Arrival]:
    """What arrives while `once` files the clinic's documents. Raises `SystemExit` where it does not file them all."""
    with Sandboxes(latency_seconds=latency) as services:
        services.fill(clinic)
        run_command("once", environment=environment(services.environment, url), folder=folder)
        if (filed := services.notes()) != clinic.documents:
            raise SystemExit(f"{filed} of {clinic.documents} documents were filed")
        return services.arrivals()


def of_a_bare_loop(clinic: Clinic, recorded: Sequence[Arrival], latency: float) -> list[Arrival]:
    """What arrives while one client sends the same requests, one after another, to the same clinic made anew."""
    with Sandboxes(latency_seconds=latency) as services, httpx.Client(trust_env=False) as client:
        services.fill(clinic)
        _send_all(client, services, recorded)
        if (filed := services.notes()) != clinic.documents:
            raise SystemExit(f"the bare loop filed {filed} of {clinic.documents} documents")
        arrivals = services.arrivals()
    if Counter(map(_shape, arrivals)) != Counter(map(_shape, recorded)):
        raise SystemExit("the bare loop did not send the same requests")
    return arrivals


def _send_all(client: httpx.Client, services: Sandboxes, recorded: Sequence[Arrival]) -> None:
    names = ("heidi", "cliniko")
    bases = {one: httpx.URL(services.environment[f"{one.upper()}_BASE_URL"]).copy_with(path="/") for one in names}
    token = ""
    for one in recorded:
        asked = one.request
        headers = {name: asked.headers[name] for name in KEPT_HEADERS if name in asked.headers}
        if one.service == "heidi" and "authorization" in headers:
            headers["authorization"] = f"Bearer {token}"
        url, query = bases[one.service].join(asked.path), urlencode(asked.query)
        answer = client.request(asked.method, url, params=query or None, content=asked.body or None, headers=headers)
        if answer.status_code >= 400:
            raise SystemExit(f"the bare loop got {answer.status_code} for {asked.method} {asked.path}")
        if asked.path.endswith("/jwt"):
            token = answer.json()["token"]


def _shape(one: Arrival) -> tuple[str, str, str, tuple[tuple[str, str], ...], bytes]:
    return one.service, one.request.method, one.request.path, tuple(one.request.query), one.request.body


def main() -> None:
    """Measure, print, write."""
    arguments = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--documents", type=int, default=DOCUMENTS)
    arguments.add_argument("--far", type=int, default=FAR_DOCUMENTS, help="documents with services far away")
    arguments.add_argument("--only", default="", help="sqlite or postgres")
    asked = arguments.parse_args()
    figures = run(asked.documents, asked.far, asked.only)
    show(f"Filing {asked.documents:,} documents in one go", figures)
    write("throughput", figures, documents=asked.documents, far=asked.far)


if __name__ == "__main__":
    main()
