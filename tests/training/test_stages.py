"""Every stage: the loss goes down, a run that was cut short ends as one that was not."""

import csv
import errno
import json
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.ernie import paddle, tiny_ernie
from tests.training.literature import write_literature
from training.data.stream import Batching
from training.failures import DataInvalid, ModelUnknown, RunInUse, RunMismatch
from training.networks.directory import load_encoder, load_ranker
from training.objectives.inbatch import InbatchObjective, InbatchRecipe
from training.objectives.pretrain import PretrainObjective, PretrainRecipe
from training.objectives.rank import RankObjective, RankRecipe
from training.objectives.simcse import SimcseObjective, SimcseRecipe
from training.run.directory import check
from training.run.metrics_log import MetricsLog
from training.run.objective import Objective, StepResult
from training.run.recipe import ModelSettings, OptimizerSettings, Recipe
from training.run.trainer import train

# Paddle and paddlenlp warn of their own use of NumPy and of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

STEPS = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_literature(folder)
    # In a batch of abstracts that end alike nearly every document is right for each query.
    papers = folder / "literature_papers.jsonl"
    lines = papers.read_text("utf-8").splitlines(keepends=True)
    unlike = [line.replace("其影响", json.loads(line)["title"]) for line in lines]
    papers.write_text("".join(unlike), "utf-8")
    subjects = ["国有企业", "民营经济", "海洋生态", "水稻种植", "量子计算", "城市交通"]
    triples = [
        f"{subject}\t{subject}的改革研究\t{other}的改革研究"
        for row, subject in enumerate(subjects)
        for other in subjects[row + 1 :]
    ]
    (folder / "triples.tsv").write_text("\n".join(triples) + "\n", "utf-8")
    graded = [f"{subject}\t{subject}的保护\t{row % 3}" for row, subject in enumerate(subjects)]
    (folder / "graded.tsv").write_text("\n".join([*graded, "水稻\t水稻\tfive"]) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def ernie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ernie(tmp_path_factory.mktemp("ernie") / "model")


def _recipe(stage: str, ernie: Path, data: Path, output: Path, **settings: Any) -> Recipe:
    shared = {
        "output": output,
        "model": ModelSettings(source=str(ernie)),
        "optimizer": OptimizerSettings(learning_rate=5e-3),
        "steps": STEPS,
        "batch_size": 8,
        "max_tokens": 48,
        "validation": 0.2,
        "validate_every": 4,
        "checkpoint_every": 3,
        "log_every": 1,
        **settings,
    }
    papers = (data / "literature_papers.jsonl",)
    if stage == "pretrain":
        return PretrainRecipe(texts=papers, **shared)
    if stage == "simcse":
        return SimcseRecipe(texts=papers, views="crop", **shared)
    if stage == "inbatch":
        return InbatchRecipe(abstracts=papers, titles=papers, dimension=8, alike=True, **shared)
    # A few queries only: at 0.2 none of them is held back.
    rank = {"network": "late", "validation": 0.4}
    return RankRecipe(triples=(data / "triples.tsv",), **(shared | rank))


def _objective(recipe: Recipe) -> Objective[Any]:
    make: dict[type[Recipe], Callable[[Any], Objective[Any]]] = {
        PretrainRecipe: PretrainObjective.build,
        SimcseRecipe: SimcseObjective.build,
        InbatchRecipe: InbatchObjective.build,
        RankRecipe: RankObjective.build,
    }
    return make[type(recipe)](recipe)


def _column(run: Path, name: str) -> list[float]:
    with (run / "metrics.csv").open(encoding="utf-8") as lines:
        return [float(row[name]) for row in csv.DictReader(lines) if row[name]]


def _weights(directory: Path) -> dict[str, np.ndarray[Any, Any]]:
    return {
        f"{path.name}/{name}": np.asarray(value)
        for path in sorted(directory.glob("*.pdparams"))
        for name, value in paddle.load(str(path)).items()
    }


def _same(left: Path, right: Path) -> bool:
    one, other = _weights(left), _weights(right)
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


class _Killed(Exception):
    pass


class _Interrupted:
    """An objective whose process dies at its `last` step."""

    def __init__(self, objective: Objective[Any], last: int) -> None:
        self._objective, self._left = objective, last
        self.network = objective.network
        self.evaluate, self.save = objective.evaluate, objective.save
        self.validation, self.examples = objective.validation, objective.examples

    def batching(self) -> Batching[Any]:
        return self._objective.batching()

    def backward(self, batch: Sequence[Any], rng: np.random.Generator) -> StepResult:
        if not self._left:
            raise _Killed
        self._left -= 1
        return self._objective.backward([*batch], rng)


@pytest.mark.parametrize("stage", ["pretrain", "simcse", "inbatch", "rank"])
def test_loss_falls_and_a_cut_run_ends_as_a_whole_one(
    stage: str, ernie: Path, data: Path, tmp_path: Path
) -> None:
    whole = _recipe(stage, ernie, data, tmp_path / "whole")
    best = train(whole, _objective(whole))
    run = whole.output
    losses = _column(run, "loss")
    assert len(losses) == STEPS
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    validation = _column(run, "validation_loss")
    assert len(validation) == 3
    assert min(validation[1:]) < validation[0]
    assert all(speed > 0 for speed in _column(run, "tokens_per_second"))
    for name in ("recipe.yaml", "metrics.csv", "loss.png", "last/config.json"):
        assert (run / name).stat().st_size > 0
    if stage == "rank":
        load_ranker(best)
    else:
        assert load_encoder(best).dimension == (8 if stage == "inbatch" else 32)

    cut = _recipe(stage, ernie, data, tmp_path / "cut")
    with pytest.raises(_Killed):
        train(cut, _Interrupted(_objective(cut), last=7))
    assert not (cut.output / "last").exists()
    train(cut, _objective(cut))
    assert _same(run / "last", cut.output / "last")
    assert _same(run / "best", cut.output / "best")
    assert _column(cut.output, "loss") == losses
    assert _column(cut.output, "validation_loss") == validation


def test_other_settings_do_not_continue_a_run(ernie: Path, data: Path, tmp_path: Path) -> None:
    first = _recipe("simcse", ernie, data, tmp_path, steps=1)
    train(first, _objective(first))
    other = _recipe("simcse", ernie, data, tmp_path, steps=2)
    with pytest.raises(RunMismatch, match=r"other settings \(steps\)"):
        train(other, _objective(other))
    wider = _recipe("inbatch", ernie, data, tmp_path, steps=1)
    with pytest.raises(RunMismatch, match="another stage"):
        train(wider, _objective(wider))
    # Settings that the version of the run did not have are those that a recipe need not name.
    saved = tmp_path / "recipe.yaml"
    saved.write_text(saved.read_text("utf-8").replace("accumulate: 1\n", ""), "utf-8")
    train(first, _objective(first))


def test_a_run_that_kept_nothing_is_begun_anew(ernie: Path, data: Path, tmp_path: Path) -> None:
    """So that the advice to lower the rate can be taken."""
    first = _recipe("simcse", ernie, data, tmp_path)
    with pytest.raises(_Killed):
        train(first, _Interrupted(_objective(first), last=1))
    slower = _recipe("simcse", ernie, data, tmp_path, optimizer={"learning_rate": 1e-4}, steps=1)
    train(slower, _objective(slower))
    assert len(_column(tmp_path, "loss")) == 1


@pytest.mark.parametrize("name", ["network.pdparams", "optimizer.pdopt", "last.json"])
@pytest.mark.parametrize("left", [0, 0.5])
def test_a_damaged_checkpoint_is_one_clear_error(
    name: str, left: float, ernie: Path, data: Path, tmp_path: Path
) -> None:
    """As a disk leaves it that lost its power."""
    recipe = _recipe("simcse", ernie, data, tmp_path, steps=1)
    train(recipe, _objective(recipe))
    (file,) = (tmp_path / "checkpoints").rglob(name)
    content = file.read_bytes()
    file.write_bytes(content[: int(left * len(content))])
    with pytest.raises(DataInvalid, match=r"checkpoints is damaged; remove this folder"):
        train(recipe, _objective(recipe))
    for each in sorted((tmp_path / "checkpoints").rglob("*"), reverse=True):
        each.rmdir() if each.is_dir() else each.unlink()
    train(recipe, _objective(recipe))


@pytest.mark.parametrize("end", ["\0" * 9, "4,0.5,,0.1", "2,0.", "2,0.5,-", "x,y\n"], ids=ascii)
def test_a_log_of_figures_with_a_damaged_end_does_not_stop_a_run(end: str, tmp_path: Path) -> None:
    """The log is not synced; a power cut may leave anything behind its last whole line."""
    first = MetricsLog(tmp_path, 0)
    first.add(1, loss=0.5)
    first.add(2, validation_loss=0.25)
    with (tmp_path / "metrics.csv").open("a", encoding="utf-8") as stream:
        stream.write(end)
    resumed = MetricsLog(tmp_path, 2)
    resumed.add(3, loss=0.125)
    resumed.draw()
    assert _column(tmp_path, "loss") == [0.5, 0.125]


def test_a_full_disk_at_the_resuming_of_a_run_costs_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = MetricsLog(tmp_path, 0)
    first.add(1, loss=1.0)
    before = (tmp_path / "metrics.csv").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(csv.DictWriter, "writerows", full)
        disk.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            MetricsLog(tmp_path, 1)
    assert (tmp_path / "metrics.csv").read_bytes() == before
    MetricsLog(tmp_path, 1)
    assert (tmp_path / "metrics.csv").read_bytes() == before


def test_a_checkpoint_is_on_the_disk_before_the_one_before_it_goes(
    ernie: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut loses what was not synced, and a removed file never comes back."""
    recipe = _recipe("simcse", ernie, data, tmp_path, steps=6, validate_every=6)
    checkpoints, sync, synced = tmp_path / "checkpoints", os.fsync, set[str]()

    def watched(handle: int) -> None:
        sync(handle)
        if (checkpoints / "step-0000003").exists():
            synced.add(str(Path(f"/proc/self/fd/{handle}").readlink()))

    monkeypatch.setattr(os, "fsync", watched)
    train(recipe, _objective(recipe))
    assert [each.name for each in checkpoints.glob("step-*")] == ["step-0000006"]
    whole = [checkpoints / "step-0000006", tmp_path / "best"]
    needed = [checkpoints, *whole, *(file for folder in whole for file in folder.iterdir())]
    assert {str(path) for path in needed} <= synced
    assert any("last.json" in path for path in synced), "what points to the new one"
    assert any(path == str(tmp_path) for path in synced), "the names of the folders"


def test_one_process_at_a_time_trains_in_a_directory(
    ernie: Path, data: Path, tmp_path: Path
) -> None:
    """Two would remove each other's checkpoints."""
    recipe = _recipe("simcse", ernie, data, tmp_path, steps=4, checkpoint_every=1)
    refused = []

    class Again(_Interrupted):
        def backward(self, batch: Sequence[Any], rng: np.random.Generator) -> StepResult:
            for start in (check, lambda same: train(same, _objective(same))):
                with pytest.raises(RunInUse, match=r"another process trains in .*wait"):
                    start(recipe)
                refused.append(start)
            return super().backward(batch, rng)

    train(recipe, Again(_objective(recipe), last=4))
    assert len(refused) == 8
    check(recipe)


def test_other_data_do_not_continue_a_run(data: Path, tmp_path: Path) -> None:
    papers, ernie = tmp_path / "literature_papers.jsonl", tiny_ernie(tmp_path / "ernie")
    papers.write_bytes((data / papers.name).read_bytes())
    recipe = _recipe("simcse", ernie, tmp_path, tmp_path / "run", steps=7)
    with pytest.raises(_Killed):
        train(recipe, _Interrupted(_objective(recipe), last=4))
    for path in (papers, ernie / "model_state.pdparams"):
        before = path.read_bytes()
        path.write_bytes(before + b"\n")
        named = path if path == papers else ernie
        with pytest.raises(RunMismatch, match=rf"other data \({named} changed"):
            check(recipe)
        path.write_bytes(before)
    papers.touch()
    check(recipe)
    # A run that was begun before there were checksums goes on.
    (recipe.output / "data.json").unlink()
    train(recipe, _objective(recipe))
    assert (recipe.output / "data.json").is_file()


def test_the_gradient_cache_gives_the_gradient_of_the_whole_batch(
    ernie: Path, data: Path, tmp_path: Path
) -> None:
    def gradients(chunk: int | None) -> dict[str, np.ndarray[Any, Any]]:
        model = ModelSettings(source=str(ernie), dropout=0.0)
        recipe = _recipe("inbatch", ernie, data, tmp_path, model=model, chunk=chunk)
        objective = _objective(recipe)
        batch = [*objective.examples(np.random.default_rng(0))][:8]
        objective.network.train()
        objective.backward(batch, np.random.default_rng(0))
        return {
            name: parameter.grad.numpy()
            for name, parameter in objective.network.named_parameters()
            if parameter.grad is not None
        }

    whole, cached = gradients(None), gradients(3)
    assert whole.keys() == cached.keys()
    for name, gradient in whole.items():
        assert np.allclose(gradient, cached[name], atol=1e-5), name


def test_evaluation_papers_are_not_trained_on(ernie: Path, data: Path, tmp_path: Path) -> None:
    papers = data / "literature_papers.jsonl"
    some = tmp_path / "some.jsonl"
    some.write_text("".join(papers.read_text("utf-8").splitlines(keepends=True)[:20]), "utf-8")
    recipe = _recipe("simcse", ernie, data, tmp_path / "run", exclude=(some,), validation=0.0)
    assert len(_objective(recipe).examples(np.random.default_rng(0))) == 4
    rows = [json.loads(line) for line in papers.read_text("utf-8").splitlines()]
    documents = tmp_path / "documents.jsonl"
    documents.write_text(
        "".join(
            json.dumps({"id": row["id"], "title": row["title"], "text": row["abstract"]}) + "\n"
            for row in rows
        ),
        "utf-8",
    )
    for form in (papers, documents):
        recipe = _recipe("inbatch", ernie, data, tmp_path / "run", exclude=(form,))
        with pytest.raises(DataInvalid, match="nothing is left"):
            _objective(recipe)
    everything = _recipe("pretrain", ernie, data, tmp_path / "run", exclude=(papers,))
    with pytest.raises(DataInvalid, match="nothing is left"):
        _objective(everything)


def test_grades_train_and_bad_lines_are_named(
    ernie: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = RankRecipe(
        output=tmp_path,
        model=ModelSettings(source=str(ernie)),
        steps=2,
        graded=(data / "graded.tsv",),
        triples=(data / "triples.tsv",),
        validation=0.0,
    )
    objective = RankObjective.build(recipe)
    assert "1 malformed (line 7: 'five' is no grade from 0 to 2)" in caplog.text
    graded = [each for each in objective.examples(np.random.default_rng(0)) if not each.texts[1:]]
    assert {each.grade for each in graded} <= {0.0, 0.5, 1.0}
    train(recipe, objective)


def test_a_public_ernie_directory_starts_a_run(data: Path, tmp_path: Path) -> None:
    public = tiny_ernie(tmp_path / "ernie", public=True)
    recipe = _recipe("pretrain", public, data, tmp_path / "run", steps=2)
    best = train(recipe, _objective(recipe))
    assert load_encoder(best, layers=1).body.config.num_hidden_layers == 1


def test_an_unknown_model_is_named(data: Path, tmp_path: Path) -> None:
    recipe = _recipe("simcse", tmp_path / "nowhere", data, tmp_path / "run")
    with pytest.raises(ModelUnknown, match="neither a directory nor a model"):
        _objective(recipe)


def test_the_curves_of_a_run_without_a_line_yet_are_drawn_in_silence(tmp_path: Path) -> None:
    metrics = MetricsLog(tmp_path, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics.draw()
        metrics.add(1, loss=0.5)
        metrics.draw()
    assert (tmp_path / "loss.png").stat().st_size > 0
