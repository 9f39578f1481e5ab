"""The health check of images, by which an operator also reads what a pod says of itself."""

import subprocess
import sys

from tests.common.running import ROOT, small_service
from tests.servers import free_port


def asked(port: int | str, *path: str) -> tuple[int, str]:
    """The exit code and what is printed."""
    command = [sys.executable, "-m", "services.common.alive", str(port), *path]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    return run.returncode, run.stdout


def test_what_the_service_answers_is_printed() -> None:
    """The images have no other program that could show it."""
    with small_service() as (_, url):
        port = url.rpartition(":")[2]
        assert asked(port) == (0, '{"status":"alive"}\n')
        assert asked(port, "/readyz") == (0, '{"ready":true,"checks":{}}\n')
        code, text = asked(port, "/nowhere")
        assert code == 1
        assert '"not_found"' in text


def test_nothing_that_answers_is_told() -> None:
    code, text = asked(free_port())
    assert code == 1
    assert text.startswith("Nothing answers on port ")
