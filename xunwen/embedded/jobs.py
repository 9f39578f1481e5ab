"""The jobs by which the launcher indexes documents: their input, and their progress."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.common.wire.jobs import Job
from xunwen.client import Client
from xunwen.embedded.preflight import disk_error
from xunwen.embedded.settings import EmbeddedSettings

_POLL_SECONDS = 0.5


@contextmanager
def gathered(settings: EmbeddedSettings, content: Iterable[bytes]) -> Iterator[Path]:
    """A file of the home directory with this content, which is deleted after the block. Raises
    EmbeddedError if it cannot be written."""
    file = settings.run_dir / "documents.jsonl"
    try:
        try:
            with file.open("wb") as stream:
                stream.writelines(content)
        except OSError as error:
            raise disk_error(error, settings) from error
        yield file
    finally:
        file.unlink(missing_ok=True)


def followed(client: Client, job: Job) -> Iterator[Job]:
    """The job every half second until it has ended, whether it has moved or not: the caller looks
    meanwhile whether it is to stop. Nothing if it has ended already."""
    while not job.state.final:
        time.sleep(_POLL_SECONDS)
        job = client.job(job.id)
        yield job
