"""Reports the state of each part of a running system."""

from pydantic import BaseModel, Field

from xunwen.embedded.errors import NotRunning
from xunwen.embedded.parts import parts
from xunwen.embedded.readiness import not_ready
from xunwen.embedded.settings import EmbeddedSettings
from xunwen.embedded.supervision import Supervisor


class PartStatus(BaseModel):
    """The state of a part: that of its process, and whether it answers."""

    name: str
    process: str = Field(description="The supervisor's state: RUNNING, BACKOFF, ...")
    pid: int
    uptime_seconds: int
    ready: bool
    detail: str = Field(description="What the part waits for while it is not ready")
    address: str | None


def part_statuses(settings: EmbeddedSettings) -> list[PartStatus]:
    """The state of every part. Raises NotRunning."""
    processes = {process.name: process for process in Supervisor(settings).processes()}
    if not processes:
        raise NotRunning(f"Nothing runs in {settings.home}; start it with `xunwen up`.")
    found = []
    for part in parts(settings):
        process = processes[part.name]
        running = process.state == "RUNNING"
        detail = not_ready(part) if running else "the process does not run; see its log"
        found.append(
            PartStatus(
                name=part.name,
                process=process.state,
                pid=process.pid,
                uptime_seconds=process.uptime_seconds,
                ready=running and not detail,
                detail=detail,
                address=part.address,
            )
        )
    return found
