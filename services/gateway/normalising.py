"""From a request to the search it means: equal searches become equal objects."""

import unicodedata

from services.common.errors import InvalidRequest
from services.common.filters import compile_filter
from services.gateway.domain import Search
from services.gateway.schemas import SearchOptions


def normalise(query: str) -> str:
    """Compatibility forms folded (NFKC), runs of white space to one space.

    The result is what is searched, so equal normal forms have equal answers.
    """
    folded = " ".join(unicodedata.normalize("NFKC", query).split())
    if not folded:
        raise InvalidRequest("query: it holds no character to search for")
    return folded


def search_of(query: str, options: SearchOptions) -> Search:
    """Raises InvalidRequest for a query or a filter that recall would refuse."""
    compile_filter(options.filter)
    return Search(
        query=normalise(query),
        collection=options.collection,
        top_k=options.top_k,
        recall_k=options.recall_k,
        mode=options.mode,
        filter=options.filter or None,
        rank=options.rank,
        diversity=options.diversity,
        explain=options.explain,
        fields=None if options.fields is None else sorted(set(options.fields)),
    )
