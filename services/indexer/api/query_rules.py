"""Routes of the query rules of a collection: synonyms, stop words, pinned and hidden documents."""

from fastapi import APIRouter

from services.common.wire.query_rules import QueryRulesUpdate, RulesWritten, StoredRules
from services.indexer.api.dependencies import CollectionsDep, QueryRulesDep
from services.indexer.query_rules import check_rules, ids_of

router = APIRouter(prefix="/collections/{name}/query-rules", tags=["collections"])

_AT_ONCE = 1_000
_TOLD = 100
"""Most unknown ids that an answer names."""


@router.put("")
async def put_rules(
    collections: CollectionsDep, store: QueryRulesDep, name: str, body: QueryRulesUpdate
) -> RulesWritten:
    """Replaces the rules of a collection; searches apply them from then on."""
    check_rules(body)
    state = await collections.state(name)
    async with state.lock:  # Rules must not outlive a collection that is being dropped.
        physical = await collections.live(name)
        version = await store.write(name, body)
    unknown: list[str] = []
    ids = ids_of(body)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        there = await collections.index.versions(physical, some)
        unknown += [one for one in some if one not in there]
        if len(unknown) >= _TOLD:
            break
    return RulesWritten(version=version, unknown_ids=unknown[:_TOLD])


@router.get("", response_model_exclude_none=True)
async def get_rules(collections: CollectionsDep, store: QueryRulesDep, name: str) -> StoredRules:
    """The query rules of a collection; empty if none were set."""
    await collections.live(name)
    return await store.read(name)
