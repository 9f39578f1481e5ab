"""The hits of a search, or chosen documents, as references in RIS, BibTeX or GB/T 7714.

This is a renderer beside `render`: it makes text of the same answers that `render` makes JSON of.
"""

from typing import Any

import orjson
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.json_schema import SkipJsonSchema

from services.common.citations.forms import CitationForm
from services.common.collection import NAME_PATTERN
from services.common.documents import Content, DocumentId
from services.common.errors import DocumentNotFound
from services.common.paths import segment
from services.common.wire.contents import DocumentsRead, StoredDocuments
from services.common.wire.rank import MAX_TOP_K
from services.gateway.access.caller import Caller, check_sees
from services.gateway.search.answers import Answered
from services.gateway.search.query.schemas import DEFAULT_COLLECTION, SearchRequest
from services.gateway.search.terms import TermsDep, answered
from services.gateway.stores.upstream import Indexer

router = APIRouter(prefix="/v1", tags=["citations"])

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The references",
        "content": {form.media_type: {"schema": {"type": "string"}} for form in CitationForm},
    }
}
_FORM = Field(default=CitationForm.RIS, description="ris, bibtex or gbt7714 (GB/T 7714-2015)")


class CitedSearch(SearchRequest):
    """A search whose hits are written as citations."""

    fields: SkipJsonSchema[list[str] | None] = None
    form: CitationForm = _FORM

    @field_validator("fields")
    @classmethod
    def _all(cls, value: object) -> object:
        if value is not None:
            raise ValueError("citations are made of all fields; leave it out")
        return value


class Selection(BaseModel):
    """Documents that are written as citations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: list[DocumentId] = Field(
        min_length=1,
        max_length=MAX_TOP_K,
        description="Ids of the documents, in the order of the citations",
    )
    collection: str = Field(default=DEFAULT_COLLECTION, pattern=NAME_PATTERN)
    form: CitationForm = _FORM


@router.post(
    "/search:cite", response_class=Response, responses=_TEXT, summary="The hits as citations"
)
async def cite_search(body: CitedSearch, terms: TermsDep) -> Response:
    """Answers a search with references as text instead of JSON, in the order of the hits."""
    _, found = await answered(body.query, body, terms)
    return _response(_hits(found), body.form)


@router.post(
    "/citations", response_class=Response, responses=_TEXT, summary="Documents as citations"
)
async def cite(body: Selection, indexer: Indexer, caller: Caller) -> Response:
    """Writes chosen documents as references; an unknown id is an error."""
    check_sees(caller, body.collection)
    ids = list(dict.fromkeys(body.ids))
    stored = await indexer.ask(
        "POST",
        f"/collections/{segment(body.collection)}/documents:read",
        StoredDocuments,
        body=DocumentsRead(ids=ids),
    )
    by_id = {document.id: document for document in stored.documents}
    if missing := [identity for identity in ids if identity not in by_id]:
        raise DocumentNotFound(
            f"There is no document {missing[0]!r} in collection {body.collection!r}."
        )
    return _response([by_id[identity] for identity in ids], body.form)


def _hits(found: Answered) -> list[Content]:
    """The documents of an answer, whose shared part lacks its closing brace."""
    hits = orjson.loads(found.content + b"}")["hits"]
    members = Content.model_fields
    return [
        Content.model_validate({name: hit[name] for name in members if name in hit}) for hit in hits
    ]


def _response(documents: list[Content], form: CitationForm) -> Response:
    return Response(
        form.text(documents),
        media_type=f"{form.media_type}; charset=utf-8",
        headers={"Content-Disposition": f'inline; filename="references{form.suffix}"'},
    )
