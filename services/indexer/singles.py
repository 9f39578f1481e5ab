"""Writes single documents: recall encodes them, so the indexer needs no model."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.calls.client import ServiceClient
from services.common.documents import BYTES, Content, lead, typed_document
from services.common.errors import (
    Conflict,
    DocumentNotFound,
    PayloadTooLarge,
    ServiceUnavailable,
)
from services.common.fields.types import FieldType
from services.common.model_dir.encoders import EncoderDirectory
from services.common.wire.contents import DocumentPatch
from services.common.wire.encode import EncodeRequest, EncodeResponse
from services.indexer.index.writer import IndexWriter, OtherEncoders
from services.indexer.passages import Passages, cut
from services.indexer.rows import Row, Vector, document_words

MOST_PASSAGES = 500
"""Most passages of a document that is written while its caller waits. The gateway waits for two
minutes, so a machine that encodes five passages a second writes the document in time."""
_ENCODED_TEXTS = 16
"""Number of texts that recall encodes in one call, so that no call takes long and searches are
served in between."""
_ATTEMPTS = 5
"""Number of times that a write is begun: a change begins anew if the document was written
meanwhile, any write if a rebuild with another encoder began or ended meanwhile."""


@dataclass(slots=True)
class SingleDocuments:
    """The writer of single documents."""

    recall: ServiceClient
    writer: IndexWriter

    async def put(self, name: str, document: Content) -> str:
        """Writes a document; returns the index version. Raises EncoderMismatch, InvalidRequest,
        Unavailable."""
        await self.writer.collections.fitting(name)
        document = typed_document(document, await self._types(name))
        version = await self.writer.accept(name)
        for _ in range(_ATTEMPTS):
            rows = await self._rows(name, document, version, {})
            try:
                return await self.writer.put(name, rows, version)
            except OtherEncoders as error:
                changing = error
        raise changing

    async def patch(self, name: str, identity: str, patch: DocumentPatch) -> str:
        """Changes a document; returns the index version.

        The stored vectors stay if neither title, text nor body changes. Concurrent changes of one
        document are all applied, one after the other. Raises CollectionNotFound, DocumentNotFound,
        PayloadTooLarge, EncoderMismatch, InvalidRequest, Conflict, Unavailable.
        """
        for _ in range(_ATTEMPTS):
            await self.writer.collections.fitting(name)
            encoder, row = await self._found(name, identity)
            document = row.document
            changed = typed_document(patch.applied(document), await self._types(name))
            same = all(getattr(changed, name) == getattr(document, name) for name in BYTES)
            version = await self.writer.accept(name)
            known = {encoder: row} if same else {}
            written = await self._rows(name, changed, version, known)
            try:
                moved = await self.writer.replace(name, written, version, row.version or 0)
            except OtherEncoders:
                continue
            if moved is not None:
                return moved
        raise Conflict(
            f"Document {identity!r} is being written by others all the time; send the change again."
        )

    async def stored(self, name: str, identity: str) -> Row:
        """A stored row with its body and passages.

        Raises CollectionNotFound, DocumentNotFound, IndexUnavailable.
        """
        _, row = await self._found(name, identity)
        return row

    async def _found(self, name: str, identity: str) -> tuple[str, Row]:
        """The encoder of the live collection, and a stored row with its body and passages."""
        collections = self.writer.collections
        physical = await collections.live(name)
        rows = await collections.index.documents(physical, [identity])
        if not rows:
            # The embedded engine replaces a row in two steps, and a read between them finds none.
            async with (await collections.state(name)).lock:
                rows = await collections.index.documents(physical, [identity])
        if not rows:
            raise DocumentNotFound(f"There is no document {identity!r} in collection {name!r}.")
        whole = [
            row
            async for some in collections.index.with_bodies(physical, rows, vectors=True)
            for row in some
        ]
        return physical.encoder, whole[0]

    async def _rows(
        self, name: str, document: Content, version: int, known: Mapping[str, Row]
    ) -> dict[str, Row]:
        """The row by each encoder that the write needs; `known` are rows whose vectors are those of
        this document. Raises PayloadTooLarge."""
        analyzer = await self.writer.collections.analyzer(name)
        types = await self._types(name)
        words = await asyncio.to_thread(document_words, document, analyzer, types)
        parts = await asyncio.to_thread(cut, document, analyzer, types)
        if len(parts.spans) > MOST_PASSAGES:
            raise PayloadTooLarge(
                f"The body has {len(parts.spans):,} passages, and a document that is written while"
                f" its caller waits has at most {MOST_PASSAGES:,}; send it as a job,"
                f" POST /v1/index-jobs?collection={name}."
            )
        rows = {}
        for encoder in await self.writer.encoders(name, version):
            row = known.get(encoder)
            if row is not None:
                kept = row.passages and Passages(parts.spans, parts.words, row.passages.vectors)
                rows[encoder] = Row(
                    document, words, row.vector, passages=kept, analyzer=analyzer.identity
                )
                continue
            directory = self.writer.collections.encoders.of(encoder)
            manifest = directory.manifest
            texts = [
                manifest.document_text(document.title, lead(document)),
                *parts.rendered(manifest),
            ]
            vectors = await self._encode(texts, directory)
            passages = parts.encoded(vectors[1:])
            rows[encoder] = Row(
                document, words, vectors[0], passages=passages, analyzer=analyzer.identity
            )
        return rows

    async def _types(self, name: str) -> Mapping[str, FieldType]:
        return (await self.writer.collections.state(name)).types

    async def _encode(self, texts: Sequence[str], encoder: EncoderDirectory) -> list[Vector]:
        vectors: list[Vector] = []
        for start in range(0, len(texts), _ENCODED_TEXTS):
            batch = list(texts[start : start + _ENCODED_TEXTS])
            body = EncodeRequest(texts=batch, kind="rendered", encoder=encoder.fingerprint)
            answer = await self.recall.ask("POST", "/encode", EncodeResponse, body=body)
            read = np.frombuffer(base64.b64decode(answer.vectors), dtype="<f4")
            if read.size != len(batch) * encoder.dimension:
                raise ServiceUnavailable("The recall service gave vectors that cannot be read.")
            vectors += list(read.reshape(len(batch), -1))
        return vectors
