"""Dynamic int8 quantisation of an exported program.

Weights become int8 per output channel; activations are quantised in each pass, with one scale for
the whole pass. A few huge activations then cost all others their precision: smoothing comes first,
and of the products that read an activation the worst stay in float32 until the result agrees well
enough (LLM.int8 keeps outliers for the same reason: Dettmers et al., 2022).
"""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import onnxruntime
import paddle2onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from services.common.engine import PredictorOptions, Tokens, open_encoder, open_ranker
from services.common.engine.forward import Forward
from services.common.engine.onnx_runtime import open_onnx
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import pad
from services.common.model_dir import (
    InputName,
    ModelKind,
    ModelManifest,
    file_of,
    load_manifest,
    pack,
    write_manifest,
)
from training.export.directory import draft_of
from training.export.parity import correlation, cosine, probe_pairs
from training.export.program import PROGRAM
from training.export.quantisation.rounding import (
    round_weights,
    share_codes,
    take_rounded_tables,
)
from training.export.quantisation.sharing import share_weights
from training.export.quantisation.smoothing import Batch, smooth, weighted_products, weights_of
from training.failures import ModelUnknown, ParityError

log = logging.getLogger(__name__)

INT8 = "inference.int8.onnx"
CODES = "weights.int8"
MIN_PARITY = {"fp32": 0.999, "int8": 0.99}
MOST_KEPT = 3
"""Most products that stay in float32; each of them costs speed."""
_OPSET = 17


def write_int8(directory: Path, probe: Sequence[str]) -> dict[str, float]:
    """Writes the int8 program of a model directory and rounds its weights to the same codes.

    The manifest gets a new fingerprint, since float32 answers change in the third digit. Returns by
    precision the least cosine (encoder) or the correlation (ranker) to float32 before, on `probe`
    texts. Raises ParityError if that is too little, and ModelUnknown for a program that is not
    Paddle's; then nothing is written.
    """
    manifest = load_manifest(directory)
    if Path(manifest.files.program.file).suffix != Path(PROGRAM).suffix:
        raise ModelUnknown(
            f"{directory} computes by ONNX or at another server; an int8 program is made of a model"
            " that `xunwen export` wrote"
        )
    weights = directory / manifest.files.weights.file
    reference = _reference(directory, manifest, probe)
    with TemporaryDirectory(prefix="xunwen-int8-") as name:
        folder = Path(name)
        graph = _optimised(directory / manifest.files.program.file, weights, folder)
        model = onnx.load(graph)
        plain = weights_of(model)
        smoothing = smooth(model, reference.batches(), folder)
        onnx.save(model, graph)
        kept = _kept_in_float32(graph, _suspects(model), folder, reference)
        log.info("in float32 stay %s", kept or "none")
        model = onnx.load(folder / INT8)
        before = weights.read_bytes()
        rounded = round_weights(model, plain, smoothing, before)
        take_rounded_tables(model, before, rounded, manifest.pad_id)
        staged = folder / "model"
        shutil.copytree(directory, staged)
        (staged / weights.name).write_bytes(rounded.weights)
        (staged / CODES).write_bytes(rounded.codes)
        share_weights(model, staged / weights.name, manifest.pad_id)
        share_codes(model, rounded.codes, CODES)
        onnx.save(model, staged / INT8)
        _describe(staged, manifest)
        pack(staged, rounded.coded)
        found = _agreements(staged, probe, reference)
        with draft_of(directory) as draft:
            shutil.copytree(staged, draft, dirs_exist_ok=True)
    return found


def _kept_in_float32(
    graph: Path, suspects: Sequence[str], folder: Path, reference: "_Reference"
) -> list[str]:
    """The names of the products that must not be int8; writes the int8 program into `folder`."""
    kept: list[str] = []
    found = _quantised(graph, kept, folder, reference)
    while found < MIN_PARITY["int8"] and len(kept) < min(MOST_KEPT, len(suspects)):
        trials = {
            product: _quantised(graph, [*kept, product], folder, reference)
            for product in suspects
            if product not in kept
        }
        kept.append(max(trials, key=lambda product: trials[product]))
        found = _quantised(graph, kept, folder, reference)
    return kept


def _describe(directory: Path, manifest: ModelManifest) -> None:
    """Writes the manifest of a directory whose weights were rounded."""
    described = manifest.model_dump(mode="json")
    for role, file in (
        ("weights", manifest.files.weights.file),
        ("int8", INT8),
        ("codes", CODES),
    ):
        described["files"][role] = file_of(directory / file).model_dump(mode="json")
    described["precisions"] = list(dict.fromkeys((*manifest.precisions, "int8")))
    described["fingerprint"] = ""
    write_manifest(directory, ModelManifest.model_validate(described))


def _agreements(directory: Path, probe: Sequence[str], reference: "_Reference") -> dict[str, float]:
    """The agreement of the rounded programs with float32 before the rounding, by precision. Raises
    ParityError."""
    manifest = load_manifest(directory)
    rounded = _reference(directory, manifest, probe)
    found = {
        "fp32": reference.agree(reference.expected, rounded.expected),
        "int8": reference.agreement(directory / INT8),
    }
    for precision, value in found.items():
        log.info("parity %s, rounded: %.6f", precision, value)
        if not value >= MIN_PARITY[precision]:
            raise ParityError(
                f"the rounded {precision} program agrees with float32 to {value:.4f}, "
                f"at least {MIN_PARITY[precision]} is needed"
            )
    return found


@dataclass(frozen=True, slots=True)
class _Reference:
    """The output of the float32 program for the texts of the probe."""

    tokens: list[Tokens]
    expected: FloatArray
    agree: Callable[[FloatArray, FloatArray], float]
    pad_id: int
    inputs: tuple[InputName, ...]

    def batches(self) -> list[Batch]:
        """The texts of the probe as batches of one text each."""
        return [
            dict(zip(self.inputs, pad([each], self.pad_id, len(each), self.inputs), strict=True))
            for each in self.tokens
        ]

    def agreement(self, program: Path) -> float:
        """The agreement of an ONNX program with float32; 1 is best."""
        predictor = open_onnx(program, threads=1, inputs=self.inputs)
        forward = Forward(predictor, self.pad_id, self.inputs)
        return self.agree(self.expected, forward.many(self.tokens))


def _reference(directory: Path, manifest: ModelManifest, probe: Sequence[str]) -> _Reference:
    options = PredictorOptions(precision="fp32")
    if manifest.kind is ModelKind.ENCODER:
        encoder = open_encoder(directory, options)
        tokens = encoder.document_tokens(probe)
        expected = encoder.forward.many(tokens)
        return _Reference(tokens, expected, cosine, manifest.pad_id, manifest.inputs)
    ranker = open_ranker(directory, options)
    tokens = [
        pair
        for query, document in probe_pairs(probe)
        for pair in ranker.pair_tokens(query, [document])
    ]
    expected = ranker.forward.many(tokens)
    return _Reference(tokens, expected, correlation, manifest.pad_id, manifest.inputs)


def _optimised(program: Path, weights: Path, folder: Path) -> Path:
    """Writes the program as ONNX, its norms and activations fused, without its echo; returns the
    file."""
    plain, optimised = folder / "plain.onnx", folder / "optimised.onnx"
    paddle2onnx.export(str(program), str(weights), str(plain), opset_version=_OPSET, verbose=False)
    model = onnx.load(plain)
    del model.graph.output[1]
    onnx.save(model, plain)
    options = onnxruntime.SessionOptions()
    # A higher level would fit the graph to the processor of this machine.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(optimised)
    onnxruntime.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
    return optimised


def _suspects(model: Any) -> list[str]:
    """Names of the products with fewer outputs than inputs, which read the output of an activation,
    where outliers are."""
    shapes = {each.name: each.dims for each in model.graph.initializer}
    return [
        node.name
        for node in weighted_products(model)
        if shapes[node.input[1]][0] > shapes[node.input[1]][1]
    ]


def _quantised(graph: Path, kept: Sequence[str], folder: Path, reference: _Reference) -> float:
    """Writes the int8 program into `folder`, all products quantised except those in `kept`; returns
    its agreement."""
    path = folder / INT8
    quantize_dynamic(
        graph,
        path,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["MatMul"],
        nodes_to_exclude=kept,
        extra_options={
            "DefaultTensorType": onnx.TensorProto.FLOAT,  # The fused operators carry no types.
            "MatMulConstBOnly": True,
        },
    )
    return reference.agreement(path)
