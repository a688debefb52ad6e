"""Faults waiting to happen: which request of a route goes wrong, how often, after how many good ones.

Owns the queue and the faults that both APIs share. What a fault means to one API (its error bodies, its
writes) is said by that API's module.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from sync_worker.sandbox.wire import Reply, Wire, html_reply, json_reply


@dataclass(slots=True)
class _Planned:
    fault: str
    times: int
    after: int


class FaultQueue:
    """Planned faults by route, each used up in the order in which it was planned."""

    def __init__(self, allowed: dict[str, frozenset[str]]) -> None:
        """`allowed` names every route and the faults it knows; a fault with a number ends in ":SECONDS"."""
        self._allowed = allowed
        self._planned: defaultdict[str, deque[_Planned]] = defaultdict(deque)

    def plan(self, route: str, fault: str, times: int = 1, after: int = 0) -> None:
        """Let `after` requests pass, then spoil `times`; ValueError for a route or fault nobody knows."""
        if route not in self._allowed:
            raise ValueError(f"unknown route {route!r}: one of {sorted(self._allowed)}")
        word, colon, number = fault.partition(":")
        known = f"{word}:SECONDS" if colon else word
        if known not in self._allowed[route]:
            raise ValueError(f"unknown fault {fault!r} for {route}: one of {sorted(self._allowed[route])}")
        if colon:
            float(number)
        self._planned[route].append(_Planned(fault, times, after))

    def take(self, route: str) -> str | None:
        """The fault of this request, if it has one; uses it up."""
        waiting = self._planned[route]
        if not waiting:
            return None
        first = waiting[0]
        if first.after > 0:
            first.after -= 1
            return None
        first.times -= 1
        if first.times <= 0:
            waiting.popleft()
        return first.fault

    def clear(self) -> None:
        """Everything goes well from here on."""
        self._planned.clear()


def seconds_of(fault: str) -> float:
    """The number in "slow:2.5"."""
    return float(fault.partition(":")[2])


def wire_fault(fault: str, good: Callable[[], Reply]) -> Reply | None:
    """What a fault common to both APIs makes of the `good` reply that was due; None for any other fault."""
    match fault.partition(":")[0]:
        case "slow":
            return replace(good(), delay_seconds=seconds_of(fault))
        case "drop":
            return Reply(0, wire=Wire.DROP)
        case "cut":
            return replace(good(), wire=Wire.CUT)
        case "drip":
            return replace(good(), wire=Wire.DRIP)
        case "stall":
            return Reply(0, wire=Wire.STALL)
        case "502_html":
            return html_reply(502, "502 Bad Gateway")
        case "html_200":
            return html_reply(200, "Please sign in")
        case "unexpected_shape":
            return json_reply(200, {"result": {"status": "ok"}})
    return None
