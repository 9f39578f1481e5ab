"""The engine's encoder as the recaller's port."""

from dataclasses import dataclass

from services.common.engine import BatchedEncoder
from services.common.request_context import Deadline
from services.recall.domain import Vector


@dataclass(frozen=True, slots=True)
class EngineQueryEncoder:
    """A QueryEncoder whose calls share forward passes."""

    batched: BatchedEncoder

    @property
    def fingerprint(self) -> str:
        return self.batched.encoder.manifest.fingerprint

    async def encode_query(self, query: str, deadline: Deadline) -> Vector:
        vectors, _ = await self.batched.encode_queries([query], deadline)
        vector: Vector = vectors[0]
        return vector
