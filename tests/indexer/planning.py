"""One input planned without servers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.common.wire.input_formats import InputFormat
from services.common.wire.jobs import JobMode
from services.indexer.intake.about import About
from services.indexer.intake.files.sandbox import Sandbox
from services.indexer.intake.mapping import FieldMapping
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.manifest import JobManifest, Plan, Rejection, now
from services.indexer.jobs.wire import Granted
from services.indexer.originals import Originals
from services.indexer.rows import PlannedDocument
from services.indexer.store import ObjectStore
from services.indexer.tables import unpack_planned
from services.indexer.work.planner import Planner

DIMENSION = 4
MOST_BYTES = 1 << 20
"""Largest original that is kept."""


def about(kind: InputFormat, name: str = "", sandbox: Sandbox | None = None) -> About:
    """What a reader is told of an input."""
    return About(kind, FieldMapping(), sandbox or Sandbox(), name)


class Case:
    """An input as a job keeps it, and what planning makes of it."""

    def __init__(
        self, folder: Path | str, content: bytes, part_documents: int = 3, **manifest: Any
    ) -> None:
        self._part_documents = part_documents
        self.files = JobFiles(ObjectStore(str(folder)))
        self.originals = Originals(self.files.store, MOST_BYTES)
        accepted = JobManifest.model_validate(
            {
                "id": "job",
                "collection": "c",
                "mode": JobMode.UPSERT,
                "format": InputFormat.JSONL,
                "version": 1,
                "created_at": now(),
                **manifest,
            }
        )
        # A worker gets the manifest as it was stored.
        self.manifest = JobManifest.model_validate_json(accepted.model_dump_json())
        self.files.store.write(self.files.input_key("job"), content)

    def planner(self, ocr: str = "", check: Callable[[], None] = lambda: None) -> Planner:
        granted = Granted(
            token="token",
            lease_seconds=30,
            manifest=self.manifest,
            dimension=DIMENSION,
            encoders=[],
            analyzer="",
            part_documents=self._part_documents,
        )
        return Planner(self.files, self.originals, granted, check=check, ocr=ocr)

    def plan(self) -> Plan:
        return self.planner().plan()

    def documents(self, plan: Plan) -> list[PlannedDocument]:
        planned: list[PlannedDocument] = []
        for part, size in enumerate(plan.parts):
            content = self.files.store.read(self.files.part_key("job", "token", part))
            planned += unpack_planned(content, 0, size)
        return planned

    def rejected(self) -> list[Rejection]:
        content = self.files.store.read(self.files.rejected_key("job", "token"))
        return [Rejection.model_validate_json(line) for line in content.splitlines()]
