"""Each extra of the built wheel, alone in a clean environment: its commands load and work.

The environment of the tests holds everything, so a dependency that an extra forgets is found only
here. Installing takes minutes, so `make soak` runs it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageDraw

from tests.deploy.manifests import ROOT
from tests.training.ernie import tiny_ernie
from tests.training.literature import write_literature

# Paddle warns of its own use of NumPy.
pytestmark = [pytest.mark.soak, pytest.mark.filterwarnings("ignore")]

ONLINE = ("search", "index", "jobs", "docs", "collections", "bench")
TRAINING = ("prepare", "train", "mine", "import", "export", "quantise")
OFFLINE = (*TRAINING, "eval", "extract", "load", "predict")
EMBEDDED = ("up", "status", "keys", "tune")
MINED = ("--negatives", "1", "--first", "1", "--last", "1")
HELP = [
    *(("cli", name) for name in ONLINE),
    *(("training", name) for name in (*ONLINE, *OFFLINE)),
    *(("embedded", name) for name in (*ONLINE, *EMBEDDED)),
]
SERVICES = [
    ("gateway", "services.gateway"),
    ("recall", "services.recall"),
    ("rank", "services.rank"),
    ("indexer", "services.indexer"),
    ("indexer", "services.indexer.worker"),
]


class Environments:
    """A virtual environment for each extra, made when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, Path] = {}
        self._wheel: Path | None = None

    def of(self, extra: str) -> Path:
        """The environment's folder of programs."""
        if extra not in self._made:
            home = self.folder / extra
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            pip = [str(home / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
            constraints = ["--constraint", str(ROOT / "constraints.txt")]
            subprocess.run([*pip, *constraints, f"{self.wheel()}[{extra}]"], check=True)
            self._made[extra] = home / "bin"
        return self._made[extra]

    def wheel(self) -> Path:
        if self._wheel is None:
            build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
            subprocess.run([*build, "--wheel-dir", self.folder, ROOT], check=True)
            (self._wheel,) = self.folder.glob("*.whl")
        return self._wheel


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    return Environments(tmp_path_factory.mktemp("extras"))


def run(*command: str | Path, folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, **settings, "COLUMNS": "100"}
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        env.pop(name, None)
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.parametrize(("extra", "command"), HELP)
def test_commands_load(
    environments: Environments, tmp_path: Path, extra: str, command: str
) -> None:
    done = run(environments.of(extra) / "xunwen", command, "--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"xunwen {command}" in done.stdout


@pytest.mark.parametrize(("extra", "module"), SERVICES)
def test_services_load(environments: Environments, tmp_path: Path, extra: str, module: str) -> None:
    """Each is given a port that is none, so that it names the setting instead of starting."""
    prefix = f"XUNWEN_{extra.upper()}_"
    settings = {f"{prefix}PORT": "no", f"{prefix}WORKER_PORT": "no"}
    python = environments.of(extra) / "python"
    done = run(python, "-m", module, folder=tmp_path, **settings)
    assert done.returncode == 1, done.stderr
    assert f"{prefix}PORT" in done.stderr or f"{prefix}WORKER_PORT" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("missing", ["train", "keys"])
def test_a_missing_extra_is_named(environments: Environments, tmp_path: Path, missing: str) -> None:
    done = run(environments.of("cli") / "xunwen", missing, folder=tmp_path)
    assert done.returncode == 1
    extra = "training" if missing == "train" else "embedded"
    assert f"pip install 'xunwen[{extra}]'" in done.stderr


def test_the_program_for_scanned_pages_works(environments: Environments, tmp_path: Path) -> None:
    """Without its extra a worker names that; with nothing else it reads an image."""
    setting = {"XUNWEN_INDEXER_OCR_COMMAND": "paddleocr"}
    python = environments.of("indexer") / "python"
    done = run(python, "-m", "services.indexer.worker", folder=tmp_path, **setting)
    assert done.returncode == 1
    assert done.stderr == (
        "worker: XUNWEN_INDEXER_OCR_COMMAND: PaddleOCR needs an extra: pip install 'xunwen[ocr]'\n"
    )
    picture = Image.new("L", (700, 200), 255)
    ImageDraw.Draw(picture).text((30, 60), "Permafrost 2026", fill=0, font_size=60)
    image = tmp_path / "page.png"
    picture.save(image)
    python, module = environments.of("ocr") / "python", "services.indexer.intake.files.paddle_ocr"
    with image.open("rb") as page:
        read = subprocess.run(
            [python, "-m", module], cwd=tmp_path, stdin=page, capture_output=True, check=True
        )
    assert read.stdout.decode().split() == ["Permafrost", "2026"]


def test_the_offline_commands_work(environments: Environments, tmp_path: Path) -> None:
    """On the shipped models and the sample, with nothing but the extra `training`."""
    xunwen = environments.of("training") / "xunwen"
    encoder = ROOT / "models/literature-encoder"

    def works(*words: str | Path) -> str:
        done = run(xunwen, *words, folder=tmp_path)
        assert done.returncode == 0, f"xunwen {words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    texts = tmp_path / "texts.txt"
    texts.write_text("语义检索\n水稻产量\n", encoding="utf-8")
    works("predict", "vectors", texts, "vectors.npy", "--encoder", encoder)
    assert (tmp_path / "vectors.npy").stat().st_size > 0
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("语义检索\t按意思找论文\n", encoding="utf-8")
    assert "语义检索\t按意思找论文\t" in works("predict", "pairs", pairs, "--encoder", encoder)
    works("extract", texts, "shards", "--encoder", encoder)
    assert list((tmp_path / "shards").iterdir())
    figures = works(
        *("eval", "offline", "--data-dir", ROOT / "data", "--encoder", encoder),
        *("--tasks", "keywords_to_title", "--sample", "5"),
    )
    assert "MRR@10" in figures
    works("mine", pairs, "mined.tsv", "--encoder", encoder, *MINED)

    tiny_ernie(tmp_path / "ernie")
    write_literature(tmp_path)
    recipe = {
        "output": str(tmp_path / "run"),
        "model": {"source": str(tmp_path / "ernie")},
        "steps": 2,
        "batch_size": 8,
        "max_tokens": 32,
        "texts": [str(tmp_path / "literature_papers.jsonl")],
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    works("train", "simcse", "recipe.yaml")
    works("export", "run/last", "exported", "--max-tokens", "32", "--query-max-tokens", "16")
    works("predict", "vectors", texts, "own.npy", "--encoder", "exported")
