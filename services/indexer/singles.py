"""One document at a time: rendered, encoded by recall, cut into words, written."""

import asyncio
import base64
from dataclasses import dataclass

import numpy as np

from services.common.documents import Document
from services.common.errors import EncoderMismatch, ServiceUnavailable
from services.common.model_dir import ModelManifest
from services.common.service_client import ServiceClient
from services.common.text import Analyzers
from services.common.wire.recall import EncodeRequest, EncodeResponse
from services.indexer.index.writer import IndexWriter
from services.indexer.rows import Vector, document_row


@dataclass(slots=True)
class SingleDocuments:
    recall: ServiceClient
    manifest: ModelManifest
    writer: IndexWriter
    analyzers: Analyzers

    async def put(self, name: str, document: Document) -> str:
        """Returns the index version. Raises EncoderMismatch, Unavailable."""
        await self.writer.collections.fitting(name)
        version = await self.writer.accept(name)
        vector = await self._encode(document)
        analyzer = self.analyzers.of(name)
        row = await asyncio.to_thread(document_row, document, vector, analyzer)
        return await self.writer.put(name, row, version)

    async def _encode(self, document: Document) -> Vector:
        text = self.manifest.document_text(document.title, document.text)
        answer = await self.recall.ask(
            "POST", "/encode", EncodeResponse, body=EncodeRequest(texts=[text], kind="document")
        )
        if answer.encoder != self.manifest.fingerprint:
            raise EncoderMismatch(
                f"The recall service has encoder {answer.encoder}, the indexer"
                f" {self.manifest.fingerprint}; deploy one model to both."
            )
        vector: Vector = np.frombuffer(base64.b64decode(answer.vectors), dtype="<f4")
        if vector.shape != (answer.dimension,):
            raise ServiceUnavailable("The recall service gave a vector that cannot be read.")
        return vector
