"""The level of the cache inside this process: bounded in bytes, least recently used goes first."""

from collections import OrderedDict
from collections.abc import Callable

from services.gateway.cache.policy import Entry

_ENTRY_BYTES = 400
"""About what an entry costs besides its body: the objects and the key."""


class LocalCache:
    def __init__(self, max_bytes: int, evicted: Callable[[], None]) -> None:
        """`evicted` is called for each entry that had to go to make room."""
        self._max_bytes = max_bytes
        self._evicted = evicted
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: str, entry: Entry) -> None:
        """An entry that is larger than an eighth of the whole is not kept."""
        size = _size(entry)
        if size * 8 > self._max_bytes:
            return
        self.drop(key)
        self._entries[key] = entry
        self.used_bytes += size
        while self.used_bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.used_bytes -= _size(oldest)
            self._evicted()

    def drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.used_bytes -= _size(entry)


def _size(entry: Entry) -> int:
    return len(entry.body) + _ENTRY_BYTES
