"""Routes of the recall service."""

import asyncio
import base64
from typing import Annotated

from fastapi import APIRouter, Response

from services.common.errors import CollectionNotFound
from services.common.milvus import Missing
from services.common.server.resources import DeadlineDep, opened
from services.common.wire.arrange import (
    Arranged,
    ArrangeRequest,
    FieldsRequest,
    FieldsResponse,
    Listed,
    ListRequest,
)
from services.common.wire.encode import EncodeRequest, EncodeResponse, ModelInfo
from services.common.wire.recall import (
    DocumentsRequest,
    DocumentsResponse,
    RecallRequest,
    RecallResponse,
    RulesOfQuery,
    SimilarDocument,
    SimilarRequest,
    SimilarResponse,
)
from services.recall.domain import DocumentIndex, Index, Wanted, in_order
from services.recall.encoders import Encoders
from services.recall.fields.lists import Lists
from services.recall.recalled import written
from services.recall.recaller import Recaller
from services.recall.similar import similar

router = APIRouter(tags=["recall"])

IndexDep = Annotated[DocumentIndex, opened("index")]
RecallerDep = Annotated[Recaller, opened("recaller")]
EncodersDep = Annotated[Encoders, opened("encoders")]
ListsDep = Annotated[Lists, opened("lists")]


@router.post("/search", response_model=RecallResponse)
async def search(body: RecallRequest, recaller: RecallerDep, deadline: DeadlineDep) -> Response:
    """Returns the best candidates of a query, fused from the dense and the lexical leg."""
    recalled = await recaller.search(
        body.query,
        body.collection,
        Wanted(
            body.top_n,
            body.best or body.top_n,
            texts=body.texts,
            documents=body.documents,
            every=body.every,
            phrases=body.phrases,
            exclude=body.exclude,
            partition=body.partition,
            rules=body.rules or RulesOfQuery(),
            boosts=body.boosts,
            facets=body.facets,
        ),
        mode=body.mode,
        condition=body.filter,
        deadline=deadline,
        version=body.version,
        physical=body.index,
    )
    return Response(written(recalled), media_type="application/json")


@router.post("/similar")
async def similar_documents(
    body: SimilarRequest, source: IndexDep, deadline: DeadlineDep
) -> SimilarResponse:
    """Returns the documents nearest to a stored one, by its stored vector."""
    found = await similar(
        source,
        body.collection,
        body.id,
        n=body.top_n,
        condition=body.filter,
        partition=body.partition,
        deadline=deadline,
    )
    return SimilarResponse(
        index=found.index,
        documents=[
            SimilarDocument(**document.model_dump(), dense=score)
            for document, score in found.documents
        ],
    )


@router.post("/documents")
async def documents(
    body: DocumentsRequest, source: IndexDep, deadline: DeadlineDep
) -> DocumentsResponse:
    """Returns documents by id, whole, in the order of the ids; those not there are left out.

    If the index is no longer there, it is answered with 404: trying again does not help.
    """
    if body.index is None:
        described = await source.resolve(body.collection, deadline, body.version)
        index = described.at(body.version)
    else:
        index = Index.of_rows(body.index, body.version)
    numbers = {identity: body.passages.get(identity, []) for identity in body.ids}
    keys = [(identity, body.versions.get(identity)) for identity in body.ids]
    try:
        documents, shown = await asyncio.gather(
            source.documents(index.physical, keys, index.server_time, deadline),
            source.passages(index, numbers, deadline),
        )
    except Missing as error:
        raise CollectionNotFound("The index is no longer there.") from error
    return DocumentsResponse(documents=in_order(body.ids, documents), shown=dict(shown))


@router.post("/arrange")
async def arrange(body: ArrangeRequest, lists: ListsDep, deadline: DeadlineDep) -> Arranged:
    """Puts documents that were found in order, groups them, and counts their values."""
    return await lists.arrange(body, deadline)


@router.post("/list")
async def list_documents(body: ListRequest, lists: ListsDep, deadline: DeadlineDep) -> Listed:
    """Names the documents that a filter selects, in order, and counts all of them."""
    return await lists.listed(body, deadline)


@router.post("/fields")
async def fields(body: FieldsRequest, lists: ListsDep, deadline: DeadlineDep) -> FieldsResponse:
    """Names the fields of a collection."""
    return FieldsResponse(fields=await lists.names(body.collection, deadline))


@router.post("/encode")
async def encode(
    body: EncodeRequest, encoders: EncodersDep, deadline: DeadlineDep
) -> EncodeResponse:
    """Encodes queries or texts of documents."""
    async with encoders.using(body.encoder) as batched:
        if body.kind == "query":
            vectors, tokens = await batched.encode_queries(body.texts, deadline)
        else:
            texts = body.texts
            if body.kind == "document":
                texts = [batched.encoder.manifest.document_text("", text) for text in texts]
            vectors, tokens = await batched.encode(texts, deadline)
    return EncodeResponse(
        dimension=vectors.shape[1],
        vectors=base64.b64encode(vectors.astype("<f4").tobytes()).decode(),
        tokens=tokens,
        encoder=batched.encoder.manifest.fingerprint,
    )


@router.get("/model")
async def model(encoders: EncodersDep) -> ModelInfo:
    """Describes the encoder of collections that name none."""
    async with encoders.using(None) as batched:
        manifest = batched.encoder.manifest
    return ModelInfo(
        name=manifest.name,
        version=manifest.version,
        fingerprint=manifest.fingerprint,
        dimension=manifest.dimension,
        max_tokens=manifest.max_tokens,
        precision=batched.encoder.precision,
    )
