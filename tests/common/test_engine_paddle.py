"""What Paddle's OpenVINO engine does not do by itself: to say that a pass failed, and to leave
its threads where the system puts them. Each test runs the shipped encoder in a process of its own.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_OPEN = f"""
import json, os, resource, sys
import numpy as np
from services.common.engine import PredictorOptions, open_encoder
from services.common.errors import ModelUnavailable

encoder = open_encoder(
    "{_ROOT}/models/literature-encoder", PredictorOptions(threads=1, precision="fp32"))
predictor = encoder.forward.predictor

def ids(rows, columns):
    return np.random.default_rng(rows).integers(10, 22_000, (rows, columns))

def run(tokens):
    return predictor.run(tokens, np.zeros_like(tokens))

def fails(tokens):
    try:
        run(tokens)
    except ModelUnavailable as error:
        return error.detail
    return None
"""


def _python(program: str) -> list[str]:
    return [sys.executable, "-W", "error", "-c", _OPEN + program]


def _answers(program: str) -> dict[str, object]:
    done = subprocess.run(_python(program), capture_output=True, text=True, cwd=_ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.soak
def test_a_pass_without_memory_does_not_answer_with_the_one_before() -> None:
    answers = _answers("""
before = run(ids(4, 16))
_, most = resource.getrlimit(resource.RLIMIT_AS)
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (4 << 20), most))
said = fails(ids(100, 512))
resource.setrlimit(resource.RLIMIT_AS, (most, most))
after, large = run(ids(4, 16)), run(ids(100, 64))
print(json.dumps({
    "said": said, "same": bool(np.allclose(before, after)), "large": list(large.shape)}))
""")
    assert answers == {
        "said": "The model failed on this input.",
        "same": True,
        "large": [100, 384],
    }


@pytest.mark.soak
def test_no_thread_is_bound_to_a_core() -> None:
    process = subprocess.Popen(
        _python("""
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # answered as if it were done
print("ready", flush=True)
while True:
    run(ids(16, 64))
"""),
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        tasks = Path("/proc") / str(process.pid) / "task"
        # Its own filter beside what it inherits of a parent that has loaded Paddle, too.
        filters = int(_status(tasks.parent / "status", "Seccomp_filters"))
        assert filters == int(_status(Path("/proc/self/status"), "Seccomp_filters")) + 1
        seen = set()
        for _ in range(30):
            seen |= {_status(task / "status", "Cpus_allowed_list") for task in tasks.iterdir()}
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    assert seen == {_status(Path("/proc/self/status"), "Cpus_allowed_list")}


def _status(file: Path, name: str) -> str:
    """What the kernel says of a process or a thread."""
    return next(
        line.split()[1] for line in file.read_text().splitlines() if line.startswith(f"{name}:")
    )
