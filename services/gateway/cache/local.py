"""The level of the cache inside this process. It is bounded in bytes; the least recently used
entries are evicted."""

import time
from collections import OrderedDict
from collections.abc import Callable

from services.gateway.cache.policy import Entry, Phase

_ENTRY_BYTES = 400
"""Approximate memory in bytes of an entry besides its body: its objects and its key."""
_LARGEST_SHARE = 8
"""An entry larger than this part of the whole cache (1 / 8) is not stored."""


class LocalCache:
    """Answers of this process by key."""

    def __init__(self, max_bytes: int, evicted: Callable[[], None]) -> None:
        """`max_bytes` bounds the cache; `evicted` is called for each entry that is dropped to make
        room."""
        self._max_bytes = max_bytes
        self._evicted = evicted
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        """The entry, which counts as used now; None if there is none."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def fresh(self, key: str) -> Entry | None:
        """The entry, if it is fresh."""
        entry = self.get(key)
        return entry if entry is not None and entry.phase(time.time()) is Phase.FRESH else None

    def put(self, key: str, entry: Entry) -> None:
        """Stores an entry, unless it is larger than an eighth of the cache."""
        size = _size(entry)
        if size * _LARGEST_SHARE > self._max_bytes:
            return
        self.drop(key)
        self._entries[key] = entry
        self.used_bytes += size
        while self.used_bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.used_bytes -= _size(oldest)
            self._evicted()

    def drop(self, key: str) -> None:
        """Removes an entry, if there is one."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.used_bytes -= _size(entry)


def _size(entry: Entry) -> int:
    return len(entry.body) + _ENTRY_BYTES
