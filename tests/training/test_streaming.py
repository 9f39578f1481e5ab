"""Texts that stay in their files, packed sequences, and steps of several batches."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.training.ernie import paddle, tiny_ernie
from training.data.masking import IGNORED, Masked, packed
from training.data.stream import BatchStream, Position
from training.data.texts import read_split_texts, split_texts
from training.failures import DataInvalid
from training.objectives.pretrain import PretrainObjective, PretrainRecipe
from training.run.recipe import ModelSettings, load_recipe
from training.run.trainer import train

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Plain lines and jsonl, with doubles, bad lines and held-out texts among them."""
    plain, rows = tmp_path / "a.txt", tmp_path / "b.jsonl"
    plain.write_bytes(
        "".join(f"国有企业的改革路径研究第{n}\r\n\n" for n in range(40)).encode() + b"\xff\n"
    )
    members = [{"abstract": f"海洋生态 {n % 30}"} for n in range(60)] + [{"other": 1}]
    rows.write_text("".join(json.dumps(row) + "\n" for row in members), "utf-8")
    return [plain, rows]


def test_streamed_texts_are_the_texts(files: list[Path], tmp_path: Path) -> None:
    papers = tmp_path / "papers.jsonl"
    papers.write_text(json.dumps({"id": "p", "title": "海洋生态 7"}) + "\n", "utf-8")
    held = read_split_texts(files, [papers], 0.2)
    streamed = split_texts(files, [papers], 0.2, stream=True)
    assert [[*texts] for texts in streamed] == [[*texts] for texts in held]
    assert "海洋生态 7" not in [*streamed[0], *streamed[1]]
    assert streamed[0][2:4] == held[0][2:4]
    with pytest.raises(DataInvalid, match="does not exist"):
        split_texts([tmp_path / "absent.txt"], [], 0.2, stream=True)


def _recipe(folder: Path, files: list[Path], **more: Any) -> PretrainRecipe:
    source = folder / "ernie"
    if not source.exists():
        tiny_ernie(source)
    settings = {
        "output": str(folder / "run"),
        "model": {"source": str(source), "dropout": 0.0},
        "steps": 4,
        "batch_size": 4,
        "max_tokens": 32,
        "validation": 0.1,
        "texts": [str(path) for path in files],
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings | more), "utf-8")
    return load_recipe(path, PretrainRecipe)


def test_a_stream_of_windows_can_be_resumed(files: list[Path], tmp_path: Path) -> None:
    objective = PretrainObjective.build(_recipe(tmp_path, files, stream=True))
    batching = objective.batching()

    def walk(position: Position, count: int) -> list[tuple[list[str], Position]]:
        stream = iter(BatchStream(objective.examples, batching, 3, position))
        return [next(stream) for _ in range(count)]

    whole = walk(Position(), 40)
    first = [batch for batch, position in whole if position.epoch == 0 or position == Position(1)]
    assert sorted(text for batch in first for text in batch) == sorted(objective.trained)
    assert walk(whole[9][1], 30) == whole[10:]


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("stream", [False, True])
def test_a_text_without_a_token_teaches_nothing(
    batch_size: int, stream: bool, tmp_path: Path
) -> None:
    """The tokenizer drops the invisible sign and the one that stands for undecodable bytes."""
    texts = tmp_path / "texts.txt"
    texts.write_text("\ufffd\n\u200b\n国有企业改革\n\x7f\n海洋生态的保护\n", "utf-8")
    recipe = PretrainRecipe(
        output=tmp_path / "run",
        model=ModelSettings(source=str(tiny_ernie(tmp_path / "ernie"))),
        texts=(texts,),
        steps=6,
        batch_size=batch_size,
        max_tokens=32,
        validation=0.0,
        stream=stream,
    )
    train(recipe, PretrainObjective.build(recipe))


def test_packed_rows_lose_nothing() -> None:
    rng = np.random.default_rng(0)
    rows = [Masked([*range(5, 5 + n)], [IGNORED] * n) for n in rng.integers(1, 9, 50)]
    sequences = packed(rows, 16)
    assert [each for row in rows for each in row.input_ids] == [
        each for sequence in sequences for each in sequence.input_ids
    ]
    assert max(len(sequence.input_ids) for sequence in sequences) <= 16
    assert all(len(each.input_ids) == len(each.labels) for each in sequences)
    assert len(sequences) < len(rows) / 2


def test_several_batches_make_the_step_of_their_mean(files: list[Path], tmp_path: Path) -> None:
    """Two batches whose gradients are averaged do what one batch of both does."""
    objective = PretrainObjective.build(_recipe(tmp_path, files))
    texts = [*objective.trained][:8]
    halves = [texts[:4], texts[4:]]
    rows = [objective.backward(batch, np.random.default_rng(0)) for batch in halves]  # adds up
    assert len(rows) == 2
    added = {name: value.grad.numpy() for name, value in _learning(objective)}
    objective.network.clear_gradients()
    for batch in halves:
        loss, _ = objective.loss(batch, np.random.default_rng(0))
        (loss / 2).backward()
    for name, value in _learning(objective):
        assert np.allclose(value.grad.numpy(), added[name] / 2, atol=1e-6), name


def _learning(objective: PretrainObjective) -> list[tuple[str, Any]]:
    named = objective.network.named_parameters()
    return [(name, value) for name, value in named if value.grad is not None]


def test_a_streamed_packed_accumulated_run_ends_as_it_began(
    files: list[Path], tmp_path: Path
) -> None:
    """Cut off after two of four steps, it ends with the weights of the uninterrupted run."""
    options: dict[str, Any] = {"stream": True, "pack": True, "accumulate": 2, "checkpoint_every": 2}
    weights = []
    for name, stops in (("whole", [4]), ("cut", [2, 4])):
        for stop in stops:
            recipe = _recipe(tmp_path, files, output=str(tmp_path / name), **options)
            objective = PretrainObjective.build(recipe)
            if stop < recipe.steps:
                _stop_after(objective, 2 * stop)
                with pytest.raises(KeyboardInterrupt):
                    train(recipe, objective)
            else:
                train(recipe, objective)
        state = paddle.load(str(tmp_path / name / "last" / "model_state.pdparams"))
        weights.append(state["encoder.layers.0.linear1.weight"].numpy())
    assert np.array_equal(*weights)


def _stop_after(objective: PretrainObjective, batches: int) -> None:
    """The process is cut off in the batch after so many."""
    backward, seen = objective.backward, 0

    def counted(batch: list[str], rng: np.random.Generator) -> Any:
        nonlocal seen
        if seen == batches:
            raise KeyboardInterrupt
        seen += 1
        return backward(batch, rng)

    objective.backward = counted  # type: ignore[method-assign]
