"""Indexes the sample literature once, on the first start, by a bulk job."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from services.common.wire.input_formats import InputFormat
from services.common.wire.jobs import Job, JobState
from xunwen.client import ApiError, Client
from xunwen.client.files import blocks, opened
from xunwen.client.uploads import content_key
from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.jobs import followed, gathered
from xunwen.embedded.settings import EmbeddedSettings

COLLECTION = "literature"


class _Receipt(BaseModel):
    """The record that the job was accepted.

    While the file exists nothing is submitted again, so that a collection that its owner has
    deleted or changed stays as it is.
    """

    job_id: str


def load_sample(client: Client, settings: EmbeddedSettings) -> Iterator[Job]:
    """Yields the job of the sample literature as it proceeds; nothing if it has ended before.

    After a kill the next start follows the same job. Raises EmbeddedError if the job failed.
    """
    receipt = settings.home / "sample.json"
    job = _earlier(client, receipt)
    if job is None:
        if receipt.exists():
            return
        files = sorted(settings.sample.glob("literature_*.jsonl"))
        if not files:
            raise EmbeddedError(
                f"There are no files literature_*.jsonl in {settings.sample}; restore them, or"
                " start with --no-sample."
            )
        job = _submit(client, files, settings)
        receipt.write_text(_Receipt(job_id=job.id).model_dump_json(), encoding="utf-8")
    if job.state.final:
        return
    for state in followed(client, job):
        job = state
        yield job
    if job.state is not JobState.SUCCEEDED:
        raise EmbeddedError(
            f"The sample literature was not indexed: job {job.id} {job.state}. {job.message}"
            f" `xunwen up` starts without it; then `xunwen jobs retry {job.id}` tries it again."
        )


def _submit(client: Client, files: list[Path], settings: EmbeddedSettings) -> Job:
    content = (block for file in files for block in _content(file))
    with gathered(settings, content) as together:
        return client.index(
            together,
            collection=COLLECTION,
            format=InputFormat.JSONL,
            idempotency_key=f"sample-{content_key(files)}",
        )


def _content(file: Path) -> Iterator[bytes]:
    with opened(file) as stream:
        yield from blocks(stream, file)


def _earlier(client: Client, receipt: Path) -> Job | None:
    """The job of an earlier start; None if there was none or its record is gone."""
    try:
        job_id = _Receipt.model_validate_json(receipt.read_bytes()).job_id
    except (FileNotFoundError, ValidationError):
        return None
    try:
        return client.job(job_id)
    except ApiError as error:
        if error.status == 404:
            return None
        raise
