"""The clinicians' pipelines, each built when it is first asked for: of hundreds, a start needs none at once."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from sync_worker.pipeline import Pipeline


class Pipelines(Mapping[str, Pipeline]):
    """By Heidi user id, in the settings' order. Thread-safe."""

    def __init__(self, user_ids: Iterable[str], build: Callable[[str], Pipeline]) -> None:
        self._built: dict[str, Pipeline | None] = dict.fromkeys(user_ids)
        self._build = build
        self._lock = threading.Lock()

    def __getitem__(self, user_id: str) -> Pipeline:
        with self._lock:
            pipeline = self._built[user_id]
            if pipeline is None:
                pipeline = self._built[user_id] = self._build(user_id)
            return pipeline

    def __iter__(self) -> Iterator[str]:
        return iter(self._built)

    def __len__(self) -> int:
        return len(self._built)

    def __contains__(self, user_id: object) -> bool:
        return user_id in self._built

    def built(self) -> list[Pipeline]:
        """Those that were asked for so far."""
        with self._lock:
            return [pipeline for pipeline in self._built.values() if pipeline is not None]
