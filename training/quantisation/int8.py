"""Dynamic int8 of an exported program.

Weights become int8 per output channel; activations are quantised as they come, one scale for a
whole pass. A few huge activations then cost all others their precision: smoothing comes first, and
of the products that read an activation the worst stay in float32 until the result is near enough
(LLM.int8 keeps outliers for the same reason: Dettmers et al., 2022).
"""

import logging
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
from services.common.engine.tokens import IntArray, pad
from services.common.model_dir import (
    Kind,
    ModelManifest,
    file_of,
    load_manifest,
    write_manifest,
)
from training.failures import ParityError
from training.parity import correlation, cosine
from training.quantisation.sharing import share_weights
from training.quantisation.smoothing import smooth, weighted_products

log = logging.getLogger(__name__)

INT8 = "inference.int8.onnx"
MIN_PARITY = 0.99
MOST_KEPT = 3
"""So many products stay in float32 at most; each costs speed."""
_OPSET = 17
_RANKED = 3
"""A ranker's probe: each text as a query for itself and the texts after it."""


def write_int8(directory: Path, probe: Sequence[str]) -> float:
    """Write the int8 program of a model directory and name it in the manifest.

    Returns its least cosine (encoder) or its correlation (ranker) to float32 on `probe` texts.
    Raises ParityError when that is too little, and writes nothing then.
    """
    manifest = load_manifest(directory)
    weights = directory / manifest.files.weights.file
    reference = _reference(directory, manifest, probe)
    with TemporaryDirectory(prefix="xunwen-int8-") as name:
        folder = Path(name)
        graph = _optimised(directory / manifest.files.program.file, weights, folder)
        model = onnx.load(graph)
        smooth(model, reference.batches(), folder)
        onnx.save(model, graph)
        suspects = _suspects(model)
        kept: list[str] = []
        found = _quantised(graph, kept, folder, reference)
        while found < MIN_PARITY and len(kept) < min(MOST_KEPT, len(suspects)):
            trials = {
                product: _quantised(graph, [*kept, product], folder, reference)
                for product in suspects
                if product not in kept
            }
            kept.append(max(trials, key=lambda product: trials[product]))
            found = _quantised(graph, kept, folder, reference)
        if not found >= MIN_PARITY:
            raise ParityError(
                f"the int8 program agrees with float32 to {found:.4f}, "
                f"at least {MIN_PARITY} is needed"
            )
        log.info("parity int8: %.6f; in float32 stay %s", found, kept or "none")
        model = onnx.load(folder / INT8)
        share_weights(model, weights, manifest.pad_id)
        onnx.save(model, directory / INT8)
    files = manifest.files.model_copy(update={"int8": file_of(directory / INT8)})
    precisions = tuple(dict.fromkeys((*manifest.precisions, "int8")))
    write_manifest(
        directory, manifest.model_copy(update={"files": files, "precisions": precisions})
    )
    return found


@dataclass(frozen=True, slots=True)
class _Reference:
    """What the float32 program makes of the probe."""

    tokens: list[Tokens]
    expected: FloatArray
    agree: Callable[[FloatArray, FloatArray], float]
    pad_id: int

    def batches(self) -> list[tuple[IntArray, IntArray]]:
        return [pad([each], self.pad_id, len(each)) for each in self.tokens]

    def agreement(self, program: Path) -> float:
        """How well an ONNX program agrees; 1 is best."""
        forward = Forward(open_onnx(program, threads=1), self.pad_id)
        return self.agree(self.expected, forward.many(self.tokens))


def _reference(directory: Path, manifest: ModelManifest, probe: Sequence[str]) -> _Reference:
    options = PredictorOptions(precision="fp32")
    if manifest.kind is Kind.ENCODER:
        encoder = open_encoder(directory, options)
        tokens = encoder.document_tokens(probe)
        return _Reference(tokens, encoder.forward.many(tokens), cosine, manifest.pad_id)
    ranker = open_ranker(directory, options)
    tokens = [
        pair
        for at, text in enumerate(probe)
        for pair in ranker.pair_tokens(text, [*probe[at:], *probe][:_RANKED])
    ]
    return _Reference(tokens, ranker.forward.many(tokens), correlation, manifest.pad_id)


def _optimised(program: Path, weights: Path, folder: Path) -> Path:
    """The program as ONNX, its norms and activations fused, without its echo."""
    plain, optimised = folder / "plain.onnx", folder / "optimised.onnx"
    paddle2onnx.export(str(program), str(weights), str(plain), opset_version=_OPSET, verbose=False)
    model = onnx.load(plain)
    del model.graph.output[1]
    onnx.save(model, plain)
    options = onnxruntime.SessionOptions()
    # The level above fits the graph to the processor of this machine.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(optimised)
    onnxruntime.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
    return optimised


def _suspects(model: Any) -> list[str]:
    """Names of the products that narrow: they read what an activation let grow."""
    shapes = {each.name: each.dims for each in model.graph.initializer}
    return [
        node.name
        for node in weighted_products(model)
        if shapes[node.input[1]][0] > shapes[node.input[1]][1]
    ]


def _quantised(graph: Path, kept: Sequence[str], folder: Path, reference: _Reference) -> float:
    """Leaves the int8 program in `folder`, its products but `kept` quantised."""
    path = folder / INT8
    quantize_dynamic(
        graph,
        path,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["MatMul"],
        nodes_to_exclude=kept,
        extra_options={
            "DefaultTensorType": onnx.TensorProto.FLOAT,  # the fused operators tell no types
            "MatMulConstBOnly": True,
        },
    )
    return reference.agreement(path)
