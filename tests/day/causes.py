"""What goes wrong in the course of the day, when, and for how long. The times are Hobart's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.day.practice import Practice

HOUR = timedelta(hours=1)
Happening = Callable[[Practice], object]


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that goes wrong, and the alarm that must tell it. `begins` and `ends` are minutes after midnight."""

    what: str
    alarm: str
    trouble: str
    """How the codes begin by which ticks tell it; "" where no tick can."""
    begins: int
    ends: int
    begin: Happening
    end: Happening
    whose: str | None = None
    """The clinician whom it befalls, where it is one alone."""

    def stands(self, minute: int) -> bool:
        """Whether it is so at this minute."""
        return self.begins <= minute < self.ends

    def befalls(self, clinician: str) -> bool:
        """Whether a clinician's documents have to wait for it."""
        return self.whose in (None, clinician)


def at(clock: str) -> int:
    """Minutes after midnight."""
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


CAUSES = (
    Cause(
        what="Heidi is down",
        alarm="heidi_unreachable",
        trouble="heidi_",
        begins=at("08:10"),
        ends=at("09:20"),
        begin=lambda day: day.down.add("heidi"),
        end=lambda day: day.down.discard("heidi"),
    ),
    Cause(
        what="Cliniko is down",
        alarm="cliniko_unreachable",
        trouble="cliniko_",
        begins=at("10:00"),
        ends=at("10:45"),
        begin=lambda day: day.down.add("cliniko"),
        end=lambda day: day.down.discard("cliniko"),
    ),
    Cause(
        what="a clinician's key is revoked",
        alarm="cliniko_key_refused",
        trouble="cliniko_key_refused",
        begins=at("11:30"),
        ends=at("13:30"),
        begin=lambda day: day.lose_key("physio-3"),
        end=lambda day: day.give_new_key("physio-3"),
        whose="physio-3",
    ),
    Cause(
        what="another clinician is not linked",
        alarm="unlinked",
        trouble="heidi_not_linked",
        begins=at("12:00"),
        ends=at("13:00"),
        begin=lambda day: day.heidi.unlink(day.email_of("physio-5")),
        end=lambda day: day.heidi.link(day.email_of("physio-5")),
        whose="physio-5",
    ),
    Cause(
        what="the disk is full",
        alarm="ledger",
        trouble="ledger_unavailable",
        begins=at("14:30"),
        ends=at("15:00"),
        begin=Practice.fill_disk,
        end=Practice.free_disk,
    ),
    Cause(
        what="the host's clock is an hour slow",
        alarm="clock",
        trouble="",
        begins=at("16:00"),
        ends=at("17:00"),
        begin=lambda day: day.clock.step(-HOUR),
        end=lambda day: day.clock.step(HOUR),
    ),
)
LOST_ANSWERS = tuple(at(clock) for clock in ("07:40", "13:50", "15:20", "18:00"))
"""When the next note's answer gets lost: what is in doubt must end by looking, soon enough for no alarm."""
