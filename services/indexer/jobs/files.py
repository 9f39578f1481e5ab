"""Where a job's durable objects lie, and the only code that reads or writes them.

jobs/<id>/input, vectors      the input as it was sent; removed once it is planned
jobs/<id>/manifest.json       its presence is the acceptance
jobs/<id>/plan.json           its presence is the end of planning
jobs/<id>/plans/<token>/      parts and rejected lines of one planner
jobs/<id>/results/<part>.json how a part ended
jobs/<id>/splits/<part>       the part was halved to find a document that kills workers
jobs/<id>/cancel              cancelling was asked for
jobs/<id>/end.json            how the job ended
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TypeVar

from pydantic import BaseModel

from services.indexer.jobs.manifest import (
    JobEnd,
    JobManifest,
    PartKey,
    PartResult,
    Plan,
    Rejection,
)
from services.indexer.store import NoSuchObject, ObjectStore

Durable = TypeVar("Durable", bound=BaseModel)

_JOBS = "jobs"


class JobFiles:
    """Synchronous; every write is durable when it returns."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def ids(self) -> list[str]:
        return self.store.names(_JOBS)

    def manifest(self, job_id: str) -> JobManifest | None:
        """None when the job was never accepted."""
        return self._read(f"{_JOBS}/{job_id}/manifest.json", JobManifest)

    def write_manifest(self, manifest: JobManifest) -> None:
        self._write(f"{_JOBS}/{manifest.id}/manifest.json", manifest)

    def plan(self, job_id: str) -> Plan | None:
        return self._read(f"{_JOBS}/{job_id}/plan.json", Plan)

    def write_plan(self, job_id: str, plan: Plan) -> None:
        self._write(f"{_JOBS}/{job_id}/plan.json", plan)

    def end(self, job_id: str) -> JobEnd | None:
        return self._read(f"{_JOBS}/{job_id}/end.json", JobEnd)

    def write_end(self, job_id: str, end: JobEnd) -> None:
        self._write(f"{_JOBS}/{job_id}/end.json", end)

    def results(self, job_id: str) -> dict[PartKey, PartResult]:
        prefix = f"{_JOBS}/{job_id}/results"
        found: dict[PartKey, PartResult] = {}
        for name in self.store.names(prefix):
            key = PartKey.parse(name.removesuffix(".json"))
            result = self._read(f"{prefix}/{name}", PartResult)
            if key is not None and result is not None:
                found[key] = result
        return found

    def write_result(self, job_id: str, part: PartKey, result: PartResult) -> None:
        self._write(f"{_JOBS}/{job_id}/results/{part}.json", result)

    def splits(self, job_id: str) -> set[PartKey]:
        names = self.store.names(f"{_JOBS}/{job_id}/splits")
        return {key for name in names if (key := PartKey.parse(name)) is not None}

    def write_split(self, job_id: str, part: PartKey) -> None:
        self.store.write(f"{_JOBS}/{job_id}/splits/{part}", b"")

    def cancelled(self, job_id: str) -> bool:
        return self.store.exists(f"{_JOBS}/{job_id}/cancel")

    def write_cancel(self, job_id: str) -> None:
        self.store.write(f"{_JOBS}/{job_id}/cancel", b"")

    def reopen(self, job_id: str, failed: list[PartKey]) -> None:
        """Takes back the end, the cancel and the results of failed parts, for a retry."""
        for part in failed:
            self.store.remove(f"{_JOBS}/{job_id}/results/{part}.json")
        self.store.remove(f"{_JOBS}/{job_id}/cancel")
        self.store.remove(f"{_JOBS}/{job_id}/end.json")

    @staticmethod
    def input_key(job_id: str) -> str:
        return f"{_JOBS}/{job_id}/input"

    @staticmethod
    def vectors_key(job_id: str) -> str:
        return f"{_JOBS}/{job_id}/vectors"

    @staticmethod
    def part_key(job_id: str, token: str, part: int) -> str:
        return f"{_JOBS}/{job_id}/plans/{token}/{part:06d}.arrow"

    @staticmethod
    def rejected_key(job_id: str, token: str) -> str:
        return f"{_JOBS}/{job_id}/plans/{token}/rejected.jsonl"

    def drop_input(self, job_id: str) -> None:
        """After planning the parts hold all that is needed."""
        self.store.remove(self.input_key(job_id))
        self.store.remove(self.vectors_key(job_id))

    def drop_parts(self, job_id: str, plan: Plan) -> None:
        """After the end of a job that has nothing left to retry; its rejected lines stay."""
        for part in range(len(plan.parts)):
            self.store.remove(self.part_key(job_id, plan.token, part))

    def forget(self, job_id: str) -> None:
        """Removes the job. Its manifest goes first: a job without one was never accepted."""
        self.store.remove(f"{_JOBS}/{job_id}/manifest.json")
        self.store.remove(f"{_JOBS}/{job_id}")

    @contextmanager
    def rejected(self, job_id: str, token: str) -> Iterator[IO[bytes]]:
        with self.store.open(self.rejected_key(job_id, token)) as stream:
            yield stream

    def write_rejected(self, stream: IO[bytes], rejection: Rejection) -> None:
        stream.write(rejection.model_dump_json().encode() + b"\n")

    def _read(self, key: str, kind: type[Durable]) -> Durable | None:
        try:
            return kind.model_validate_json(self.store.read(key))
        except NoSuchObject:
            return None

    def _write(self, key: str, content: BaseModel) -> None:
        self.store.write(key, content.model_dump_json().encode())
