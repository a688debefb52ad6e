"""What long runs of Hypothesis share: how they are set, and how they tell what broke."""

from hypothesis import HealthCheck, Phase, settings


def unhurried(examples: int) -> settings:
    """So many examples however long they take, shrunk where one breaks, and none remembered."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


def told(broken: Exception) -> str:
    """What broke, and Hypothesis's own notes on the shortest example that does."""
    return "\n".join([str(broken), *getattr(broken, "__notes__", [])])
