"""A bounded number of places for work that may last."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.common.errors import Overloaded

_RETRY_SECONDS = 5.0


class Places:
    """Places that are taken at once or not at all: nobody waits for work that may last for ever."""

    def __init__(self, count: int, refusal: str) -> None:
        """`refusal` is the detail of the error while no place is free."""
        self._free = count
        self._refusal = refusal

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Holds a place. Raises Overloaded."""
        if self._free == 0:
            raise Overloaded(self._refusal, retry_after=_RETRY_SECONDS)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
