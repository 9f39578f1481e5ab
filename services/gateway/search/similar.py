"""POST /v1/similar: the documents nearest to a stored one, without encoding it again."""

import time

import orjson
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from services.common.collection import NAME_PATTERN
from services.common.documents import DocumentId
from services.common.request_context import Deadline, request_id_var
from services.common.wire.parameters import (
    CONDITIONS,
    MAX_FIELDS,
    Conditions,
    FieldName,
    PartitionName,
)
from services.common.wire.recall import MAX_SIMILAR, SimilarRequest
from services.gateway.access.caller import Caller, check_sees
from services.gateway.search.answer_schemas import Hit
from services.gateway.search.cascade.hits import neighbours
from services.gateway.search.cascade.recall_service import RecallService
from services.gateway.search.dependencies import AdmissionDep, AskerDep, SettingsDep
from services.gateway.search.query.schemas import DEFAULT_COLLECTION, Whole
from services.gateway.stores.upstream import Recall

router = APIRouter(prefix="/v1", tags=["search"])

_KIND = "similar"
"""Kind of these searches, which all take about the same time."""


class SimilarOptions(BaseModel):
    """Options of a search for the documents nearest to another one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: DocumentId
    collection: str = Field(default=DEFAULT_COLLECTION, pattern=NAME_PATTERN)
    top_k: Whole = Field(default=10, ge=1, le=MAX_SIMILAR, description="Number of hits")
    filter: Conditions | None = Field(default=None, description=CONDITIONS)
    partition: PartitionName | None = Field(
        default=None, description="Partition of the hits, as in a search"
    )
    fields: list[FieldName] | None = Field(
        default=None,
        max_length=MAX_FIELDS,
        description="Members of hits besides id and score: `title`, `text`, names of metadata",
    )


class SimilarAnswer(BaseModel):
    """The documents nearest to another one."""

    id: str = Field(description="Id of the given document, which is not a hit")
    collection: str
    hits: list[Hit] = Field(description="Hits, the nearest first; `score` is the cosine, -1 to 1")
    took_ms: float
    request_id: str


@router.post(
    "/similar", response_model=SimilarAnswer, summary="The documents nearest to another one"
)
async def similar(
    body: SimilarOptions,
    recall: Recall,
    settings: SettingsDep,
    caller: Caller,
    asker: AskerDep,
    admission: AdmissionDep,
) -> Response:
    """Compares stored vectors: no text is encoded, and the collection may be of any encoder."""
    check_sees(caller, body.collection)
    started = time.perf_counter()
    deadline = Deadline.after(settings.budget_ms / 1000)
    wanted = SimilarRequest(
        collection=body.collection,
        id=body.id,
        top_n=body.top_k,
        filter=body.filter or None,
        partition=body.partition,
    )
    async with admission.slot(asker.key, _KIND, deadline):
        documents = await RecallService(recall).similar(wanted, deadline)
    answer = {
        "id": body.id,
        "collection": body.collection,
        "hits": neighbours(body.fields, documents),
        "took_ms": round((time.perf_counter() - started) * 1000, 2),
        "request_id": request_id_var.get(),
    }
    return Response(orjson.dumps(answer), media_type="application/json")
