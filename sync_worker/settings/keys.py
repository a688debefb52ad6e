"""A service's key as it is now: read once at the start, and again from where it stood when the service refuses it.

So a key that is replaced in its file is taken up without a restart; one that stands in the environment stays as it is.
"""

from collections.abc import Callable


class Key:
    """A key. Whoever asks a service asks this for the key at each request.

    `read` reads it anew from where it stood, `is_fit` says whether another value may take its place.
    """

    def __init__(
        self,
        value: str,
        *,
        read: Callable[[], str | None] = lambda: None,
        is_fit: Callable[[str], bool] = lambda _value: True,
    ) -> None:
        self.at_start = value
        self._value = value
        self._read = read
        self._is_fit = is_fit

    def __repr__(self) -> str:
        return "Key('**********')"

    def get_secret_value(self) -> str:
        """The key itself, by the name that pydantic gives to this: for a request's header and nothing else."""
        return self._value

    def look_again(self) -> None:
        """Take up what stands in the key's place by now. What cannot be read, or is no such key, changes nothing."""
        found = self._read()
        if found is not None and self._is_fit(found):
            self._value = found
