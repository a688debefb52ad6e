"""`health`: asks the service that runs on this machine whether it is alive. For a container's or a host's supervisor.

It loads almost nothing, since it is started every half minute.
"""

from http.client import HTTPConnection, HTTPException

from sync_worker.commands.errors import DONE, say
from sync_worker.errors import NotPossible
from sync_worker.settings.bind import where_to_ask

PATIENCE_SECONDS = 5.0
LONGEST_REASON = 200


def health(*, ready: bool) -> int:
    """Whether the service answers; with `ready` also whether it can do its work. Raises NotPossible with why not."""
    place = where_to_ask()
    if place is None and ready:
        raise NotPossible("SYNC_WEB_ENABLED is off, so nobody can be asked: see `sync-worker status`.")
    if place is None:  # a supervisor must not end a service for having no page
        say("SYNC_WEB_ENABLED is off, so nobody can be asked: only the watchdog watches over the service.")
        return DONE
    status, said = _ask(*place, "/readyz" if ready else "/healthz")
    if status != 200:
        raise NotPossible(f"The service says that it is not well (HTTP {status}): {said or 'it gives no reason'}.")
    say("The service is ready." if ready else "The service is alive.")
    return DONE


def _ask(host: str, port: int, path: str) -> tuple[int, str]:
    """The answer's status and the first line of what it says."""
    connection = HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        said = response.read(LONGEST_REASON).decode("ascii", "replace").partition("\n")[0]
        return response.status, "".join(sign for sign in said if sign.isprintable())
    except (OSError, HTTPException) as error:
        raise NotPossible(
            f"Nothing answers at port {port} of this machine: is `sync-worker run` running with SYNC_WEB_ENABLED=true, "
            "and SYNC_WEB_BIND the same here and there?"
        ) from error
    finally:
        connection.close()
