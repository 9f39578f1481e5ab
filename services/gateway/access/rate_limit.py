"""Requests per second of each key: the generic cell rate algorithm, over all replicas in Redis.

While Redis is away each replica applies the limit by itself, so a limit never becomes an outage.
Source: ATM Forum Traffic Management 4.0, virtual scheduling form.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from services.common.errors import RateLimited, Unavailable
from services.gateway.stores.redis_client import GuardedRedis

_PREFIX = "xunwen:rate:"
BURST_SECONDS = 2.0
"""Seconds by which a key may run ahead of its rate."""
_MAX_KEYS = 10_000
"""Number of keys after which those that are not ahead of their rate are forgotten."""

# KEYS[1] holds the theoretical arrival time of the next request. ARGV[1] is the seconds between two
# requests, ARGV[2] the seconds of a burst. The script returns the seconds to wait, 0 for a request
# that is admitted. The clock is that of the Redis server. A value that is no time counts as none.
_ADMIT = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
local last = redis.pcall('GET', KEYS[1])
local due = math.max(type(last) == 'string' and tonumber(last) or 0, now)
local wait = due - now - tonumber(ARGV[2])
if wait > 0 then return tostring(wait) end
due = due + tonumber(ARGV[1])
redis.call('SET', KEYS[1], string.format('%.6f', due), 'PX', math.ceil((due - now) * 1000))
return '0'
"""


@dataclass(slots=True)
class RateLimiter:
    """Admits requests of keys that have a rate."""

    cache: GuardedRedis
    _due: dict[str, float] = field(default_factory=dict)
    """Theoretical arrival times by key, on the monotonic clock of this process."""

    async def admit(self, key: str, rate: float) -> None:
        """Admits one request. Raises RateLimited with the time after which the next one is
        admitted."""
        step, burst = 1 / rate, max(BURST_SECONDS - 1 / rate, 0.0)
        asked: Any = self.cache.redis.eval(_ADMIT, 1, _PREFIX + key, str(step), str(burst))
        try:
            wait = float(await self.cache.call(asked))
        except Unavailable:
            wait = self._admit_here(key, step, burst)
        if wait > 0:
            raise RateLimited(
                f"This key may send {rate:g} requests a second; wait a moment.", retry_after=wait
            )

    def _admit_here(self, key: str, step: float, burst: float) -> float:
        now = time.monotonic()
        if len(self._due) >= _MAX_KEYS:
            self._due = {each: due for each, due in self._due.items() if due > now}
        due = max(self._due.get(key, 0.0), now)
        wait = due - now - burst
        if wait <= 0:
            self._due[key] = due + step
        return wait
