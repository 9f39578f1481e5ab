"""Measures texts per second of the encoder, beside other ways to run such a model on this
machine."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from benchmarks import peers, report
from benchmarks.run import Run
from benchmarks.texts import documents, texts
from services.common.engine import open_encoder

MODEL = Path("models/literature-encoder")
LENGTHS = {16: 128, 64: 48, 256: 12}
"""Number of texts of a run, by their length in tokens."""
ROUNDS = 3
MIXED = 96
SINGLES = 16
_PADDLENLP_BATCH = 32


def main(run: Run) -> None:
    encoder = open_encoder(MODEL, run.options)
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    sets = {f"{length} x{count}": texts(tokenizer, length, count)
            for length, count in LENGTHS.items()}  # fmt: skip
    sets |= {"mixed": documents(MIXED), "single 16": sets[next(iter(sets))][:SINGLES]}
    ways: dict[str, Callable[[Sequence[str]], object]] = {
        "ours": encoder.encode,
        "Paddle Inference, padded to the longest": _plain(
            run.options.thread_count(), encoder.manifest.max_tokens
        ),
    }
    request = run.request(
        "embed", MODEL, rounds=ROUNDS, max_tokens=encoder.manifest.max_tokens,
        sets={name: inputs for name, inputs in sets.items() if not name.startswith("single")},
    )  # fmt: skip

    def turn() -> dict[str, peers.Figures | str]:
        own: dict[str, peers.Figures] = {name: {} for name in ways}
        for name, way in ways.items():
            for each, inputs in sets.items():
                asked = partial(_singly, way) if each.startswith("single") else way
                own[name][each] = run.rate(asked, inputs, ROUNDS)
        return own | run.peer_rates(request, sets)

    figures = peers.in_turns(turn)
    figures["precision"] = encoder.precision
    figures["processor_time"] = run.processor_time
    report.save(run.results("embed"), figures, _table(figures, list(sets)))


def _singly(way: Callable[[Sequence[str]], object], texts: Sequence[str]) -> None:
    for text in texts:
        way([text])


def _plain(threads: int, max_tokens: int) -> Callable[[Sequence[str]], object]:
    """Encodes as PaddleNLP's examples do: Paddle Inference with its defaults, in batches of 32
    texts in the given order, padded to the longest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from paddle import inference
    config = inference.Config(str(MODEL / "inference.pdmodel"), str(MODEL / "inference.pdiparams"))
    config.disable_gpu()
    config.disable_glog_info()
    config.disable_mkldnn()
    config.set_cpu_math_library_num_threads(threads)
    predictor = inference.create_predictor(config)
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    tokenizer.enable_truncation(max_tokens)
    tokenizer.enable_padding(pad_id=1, pad_token="<pad>")

    def run(inputs: Sequence[str]) -> None:
        for start in range(0, len(inputs), _PADDLENLP_BATCH):
            batch = tokenizer.encode_batch(list(inputs[start : start + _PADDLENLP_BATCH]))
            ids = np.array([each.ids for each in batch], dtype=np.int64)
            for name, values in (("input_ids", ids), ("token_type_ids", np.zeros_like(ids))):
                predictor.get_input_handle(name).copy_from_cpu(values)
            predictor.run()
            predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()

    return run


def _table(figures: dict[str, Any], sets: Sequence[str]) -> str:
    rows = []
    ours = figures["ours"]
    for name, found in figures.items():
        if name in ("precision", "processor_time"):
            continue
        if isinstance(found, str):
            rows.append([name, found, *[""] * (len(sets) - 1)])
            continue
        cells = [
            f"{found[each]:.0f} ({ours[each] / found[each]:.1f}x)" if each in found else ""
            for each in sets
        ]
        rows.append([name, *cells])
    columns = ["texts/s (ours is so many times faster)", *(f"{each}" for each in sets)]
    return report.table(columns, rows)
