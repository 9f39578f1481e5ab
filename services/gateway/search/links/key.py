"""Keys of cached answers. A key holds everything that an answer depends on."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from services.common.errors import Unavailable
from services.gateway.cache.versions import VersionReader
from services.gateway.search.answers import Ask
from services.gateway.search.model_watch import ModelWatch
from services.gateway.search.query.search import Search


def cache_key(
    search: Search, version: str, rules: str, ranker: str | None, tenant: str
) -> str | None:
    """Hex digits that name the answer; None if the ranker takes part and is not known.

    The index version determines the encoder too: a collection has another one only after a rebuild.
    """
    if not search.rank:
        ranker = "-"
    elif ranker is None:
        return None
    digest = hashlib.blake2b(search.canonical, digest_size=20)
    for part in (version, rules, ranker, tenant):
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()


class Named(NamedTuple):
    """The versions and the key on which an answer of this moment depends; None for those that are
    not known."""

    version: str | None
    """Version of the index."""
    rules: str | None
    """Version of the collection's query rules; empty if it never had any."""
    key: str | None
    """Key of the answer in the caches."""


@dataclass(slots=True)
class Keys:
    """Makes keys from the index version, the query rules and the ranker of the moment."""

    versions: VersionReader
    models: ModelWatch

    @property
    def recall_away(self) -> bool:
        """Whether recall, or the index behind it, did not answer when it was last asked."""
        return self.models.recall_away

    async def now(self, search: Search, tenant: str) -> Named:
        """The versions and the key of a search at this moment."""
        try:
            version, rules = await self.versions.with_rules(search.collection)
        except Unavailable:
            return Named(None, None, None)
        if version is None:
            return Named(None, rules, None)
        key = cache_key(search, version, rules, self.models.ranker, tenant)
        return Named(version, rules, key)

    async def after(self, ask: Ask, ranker: str | None) -> str | None:
        """The key of an answer that this ranker made; the watch of models learns of the ranker.

        None if the versions were not known when the answer was asked for.
        """
        learnt = await self.models.learn(ranker)
        if ask.version is None or ask.rules is None:
            return None
        return cache_key(ask.search, ask.version, ask.rules, learnt, ask.asker.tenant)
