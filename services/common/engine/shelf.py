"""Keeps opened models within a bound of memory; the least recently used ones are closed first."""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.common.errors import ModelUnavailable

Opened = TypeVar("Opened")


@dataclass(slots=True)
class _Place(Generic[Opened]):
    opened: Opened
    bytes: int
    users: int = 0


class Shelf(Generic[Opened]):
    """The open models by fingerprint. The caller opens and closes them, in one thread at a time."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._places: OrderedDict[str, _Place[Opened]] = OrderedDict()
        """Models in the order of their last use, the least recently used first."""

    def take(self, fingerprint: str) -> Opened | None:
        """An open model, which stays open until it is given back; None if it is not open."""
        place = self._places.get(fingerprint)
        if place is None:
            return None
        self._places.move_to_end(fingerprint)
        place.users += 1
        return place.opened

    def give_back(self, fingerprint: str) -> None:
        """Ends one use of an open model."""
        self._places[fingerprint].users -= 1

    def put(self, fingerprint: str, opened: Opened, size: int) -> None:
        """Adds a model that was opened after `make_room`."""
        self._places[fingerprint] = _Place(opened, size)

    def fits(self, size: int) -> bool:
        """Whether a model of this size fits into memory beside all open ones."""
        return sum(place.bytes for place in self._places.values()) + size <= self._most

    def make_room(self, size: int, awaited: Collection[str] = ()) -> list[Opened]:
        """Removes the models that must be closed before one of this size is opened.

        `awaited` are models that somebody is about to take, which counts as use. Raises
        ModelUnavailable, and removes nothing, if too many models are in use.
        """
        in_use = {name for name, place in self._places.items() if place.users or name in awaited}
        used = sum(self._places[name].bytes for name in in_use)
        if used + size > self._most:
            raise ModelUnavailable(
                "The encoders in use leave no memory for another one; the setting"
                " ENCODER_MEMORY_MB bounds it.",
                retry_after=5,
            )
        closed = []
        for fingerprint in list(self._places):
            if self.fits(size):
                break
            if fingerprint not in in_use:
                closed.append(self._places.pop(fingerprint).opened)
        return closed

    def clear(self) -> list[Opened]:
        """Removes all models, so that the caller can close them."""
        opened = [place.opened for place in self._places.values()]
        self._places.clear()
        return opened
