"""Which engine computes, on the shipped encoder: what is asked for, or the faster one."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from services.common.engine import Encoder, PredictorOptions, batched_encoder, choice, open_encoder
from services.common.engine.predictor import FloatArray
from services.common.engine.remote import RemotePredictor
from services.common.errors import ModelInvalid, ModelUnavailable
from services.common.model_dir import load_manifest, write_manifest
from services.common.precision import Precision, WantedPrecision
from tests.models import tiny_encoder

_SHIPPED = Path(__file__).parents[2] / "models" / "literature-encoder"
_TEXTS = [
    "国有企业引入非国有资本对创新绩效的影响",
    "水稻抗旱性的基因表达",
    "a",
    "采用有限元法分析了高速列车车体在气动载荷下的振动特性，并与实测结果比较。" * 8,
]


def _open(precision: WantedPrecision, directory: Path = _SHIPPED) -> Encoder:
    return open_encoder(directory, PredictorOptions(threads=1, precision=precision))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(_SHIPPED, tmp_path / "model"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory and the folder of temporary files of `apart`."""
    return tmp_path_factory.mktemp("apart")


@pytest.fixture(scope="module")
def apart(folder: Path) -> Iterator[Executor]:
    """A process for Paddle, which keeps 300 to 500 MB of each engine that it has opened."""
    with ProcessPoolExecutor(
        1, get_context("spawn"), initializer=_begin, initargs=(folder,)
    ) as process:
        yield process


def _begin(folder: Path) -> None:
    os.environ["TMPDIR"] = str(folder)
    os.chdir(folder)


def _exact() -> FloatArray:
    return _open("fp32").encode(_TEXTS)


def _chosen() -> tuple[Precision, str]:
    """The precision that is chosen where bfloat16 is native, and the line that tells why."""
    told: list[str] = []

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    choice.log.addHandler(Told())
    choice.log.setLevel(logging.INFO)
    choice.computes_in_bfloat16 = lambda: True  # type: ignore[attr-defined]
    return _open("auto").precision, told[0]


def test_nothing_is_left_in_the_working_directory(apart: Executor, folder: Path) -> None:
    apart.submit(_exact).result()
    assert not [*folder.iterdir()]


def test_int8_answers_nearly_what_float32_does(apart: Executor) -> None:
    exact, quick = apart.submit(_exact).result(), _open("int8").encode(_TEXTS)
    assert (exact * quick).sum(axis=1).min() > 0.99
    assert np.linalg.norm(quick, axis=1) == pytest.approx(1, abs=1e-4)


async def test_one_session_serves_several_threads() -> None:
    encoder = open_encoder(_SHIPPED, PredictorOptions(threads=2, precision="int8"))
    assert encoder.forward.predictor.passes.at_once == 2
    alone = encoder.encode(_TEXTS)
    async with batched_encoder(encoder) as shared:
        together, _ = await shared.encode(_TEXTS * 20)
    assert (together.reshape(20, len(_TEXTS), -1) * alone).sum(axis=2).min() > 0.99


def test_an_int8_vector_does_not_depend_on_the_texts_beside_it() -> None:
    encoder = _open("int8")
    together = encoder.encode(_TEXTS * 3)
    alone = np.concatenate([encoder.encode([text]) for text in _TEXTS])
    assert np.array_equal(together, np.tile(alone, (3, 1)))


def test_where_bfloat16_is_native_the_faster_one_is_taken(apart: Executor) -> None:
    chosen, told = apart.submit(_chosen).result()
    taken = dict(pair.split() for pair in told.partition("tokens: ")[2].split(", "))
    assert set(taken) == {"bf16", "int8"}
    assert float(taken[chosen]) == min(map(float, taken.values()))


def test_the_smallest_is_taken_without_a_trial(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(choice, "computes_in_bfloat16", lambda: True)
    with caplog.at_level(logging.INFO, choice.__name__):
        assert _open("small").precision == "int8"
    assert not caplog.messages


def test_elsewhere_int8_is_taken_and_paddle_is_not_loaded() -> None:
    script = (
        "import sys; from services.common.engine import choice, open_encoder;"
        "choice.computes_in_bfloat16 = lambda: False;"
        f"encoder = open_encoder({str(_SHIPPED)!r}); encoder.encode(['企业']);"
        "print(encoder.precision, 'paddle' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["int8", "False"]


def test_a_model_without_the_program_runs_on_paddle_and_refuses_int8(tmp_path: Path) -> None:
    directory = tiny_encoder(tmp_path / "model", paddle=True)
    assert _open("auto", directory).precision in ("fp32", "bf16")
    assert _open("small", directory).precision in ("fp32", "bf16")
    with pytest.raises(ModelInvalid, match="allows fp32, bf16, not int8"):
        _open("int8", directory)


def test_what_the_manifest_forbids_is_not_tried(copied: Path) -> None:
    manifest = load_manifest(copied)
    write_manifest(copied, manifest.model_copy(update={"precisions": ("int8",)}))
    assert _open("auto", copied).precision == "int8"
    assert load_manifest(copied).fingerprint == manifest.fingerprint


def test_a_damaged_program_is_refused_in_words(copied: Path) -> None:
    (copied / "inference.int8.onnx").write_bytes(b"no program")
    with pytest.raises(ModelInvalid, match=r"inference\.int8\.onnx is not the file"):
        _open("int8", copied)


def test_an_input_that_fails_is_the_models_fault_not_the_engines_words() -> None:
    predictor = _open("int8").forward.predictor
    assert not isinstance(predictor, RemotePredictor)
    beyond = np.full((1, 8), 10**9, dtype=np.int64)
    with pytest.raises(ModelUnavailable, match="failed on this input"):
        predictor.run(beyond, np.zeros_like(beyond))
