"""Routes of the user dictionary of a collection."""

from fastapi import APIRouter

from services.common.wire.dictionary import (
    DictionaryUpdate,
    DictionaryWritten,
    StoredDictionary,
)
from services.indexer.api.dependencies import CollectionsDep, WriterDep

router = APIRouter(prefix="/collections/{name}/dictionary", tags=["collections"])


@router.put("")
async def put_dictionary(
    collections: CollectionsDep, writer: WriterDep, name: str, body: DictionaryUpdate
) -> DictionaryWritten:
    """Replaces the words of a collection; documents and queries are cut by them from the next
    rebuild on."""
    await writer.check()
    analyzer, waiting = await collections.set_words(name, body.words)
    return DictionaryWritten(words=len(analyzer.user_words), waiting=waiting)


@router.get("")
async def get_dictionary(collections: CollectionsDep, name: str) -> StoredDictionary:
    """The words of a collection's dictionary."""
    physical = await collections.live(name)
    analyzer = await collections.words.wanted(name)
    return StoredDictionary(
        words=analyzer.user_words, waiting=analyzer.identity != physical.analyzer
    )
