"""Dynamic int8 of an exported program, for ONNX Runtime.

Weights become int8 per output channel; activations are quantised as they come, one scale for a
whole pass. A few huge activations then cost all others their precision, so of the products that
read them the worst stay in float32 until the result is near enough (LLM.int8 keeps outliers for
the same reason: Dettmers et al., 2022).
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.numpy_helper
import onnxruntime
import paddle2onnx
from onnx.external_data_helper import set_external_data
from onnxruntime.quantization import QuantType, quantize_dynamic

from services.common.engine import PredictorOptions, Tokens, open_encoder, open_ranker
from services.common.engine.models import Forward
from services.common.engine.onnx_runtime import open_onnx
from services.common.model_dir import (
    Kind,
    ModelManifest,
    file_of,
    load_manifest,
    write_manifest,
)
from services.common.model_dir.pdiparams import FLOAT32, tensor_spans
from training.failures import ParityError
from training.parity import correlation, cosine

log = logging.getLogger(__name__)

INT8 = "inference.int8.onnx"
MIN_PARITY = 0.99
MOST_KEPT = 3
"""So many products stay in float32 at most; each costs speed."""
_OPSET = 17
_EXTERNAL_BYTES = 1024
_RANKED = 3
"""A ranker's probe: each text as a query for itself and the texts after it."""

Floats = npt.NDArray[np.float32]
Agreement = Callable[[Path], float]
"""How well the program of a path agrees with the float32 one; 1 is best."""


def write_int8(directory: Path, probe: Sequence[str]) -> float:
    """Write the int8 program of a model directory and name it in the manifest.

    Returns its least cosine (encoder) or its correlation (ranker) to float32 on `probe` texts.
    Raises ParityError when that is too little, and writes nothing then.
    """
    manifest = load_manifest(directory)
    weights = directory / manifest.files.weights.file
    agreement = _agreement(directory, manifest, probe)
    with TemporaryDirectory(prefix="xunwen-int8-") as name:
        folder = Path(name)
        graph = _optimised(directory / manifest.files.program.file, weights, folder)
        suspects = _suspects(graph)
        kept: list[str] = []
        found = _quantised(graph, kept, folder, agreement)
        while found < MIN_PARITY and len(kept) < min(MOST_KEPT, len(suspects)):
            trials = {
                product: _quantised(graph, [*kept, product], folder, agreement)
                for product in suspects
                if product not in kept
            }
            kept.append(max(trials, key=lambda product: trials[product]))
            found = _quantised(graph, kept, folder, agreement)
        if not found >= MIN_PARITY:
            raise ParityError(
                f"the int8 program agrees with float32 to {found:.4f}, "
                f"at least {MIN_PARITY} is needed"
            )
        log.info("parity int8: %.6f; in float32 stay %s", found, kept or "none")
        model = onnx.load(folder / INT8)
        _share_weights(model, weights, manifest.pad_id)
        onnx.save(model, directory / INT8)
    files = manifest.files.model_copy(update={"int8": file_of(directory / INT8)})
    precisions = tuple(dict.fromkeys((*manifest.precisions, "int8")))
    write_manifest(
        directory, manifest.model_copy(update={"files": files, "precisions": precisions})
    )
    return found


def _agreement(directory: Path, manifest: ModelManifest, probe: Sequence[str]) -> Agreement:
    options = PredictorOptions(precision="fp32")
    tokens: list[Tokens]
    if manifest.kind is Kind.ENCODER:
        encoder = open_encoder(directory, options)
        forward, tokens, agree = encoder.forward, encoder.document_tokens(probe), cosine
    else:
        ranker = open_ranker(directory, options)
        forward, agree = ranker.forward, correlation
        tokens = [
            pair
            for at, text in enumerate(probe)
            for pair in ranker.pair_tokens(text, [*probe[at:], *probe][:_RANKED])
        ]
    expected = forward.many(tokens)

    def agreement(program: Path) -> float:
        predictor = open_onnx(program, threads=options.thread_count())
        return agree(expected, Forward(predictor, manifest.pad_id).many(tokens))

    return agreement


def _optimised(program: Path, weights: Path, folder: Path) -> Path:
    """The program as ONNX, its norms and activations fused."""
    plain, optimised = folder / "plain.onnx", folder / "optimised.onnx"
    paddle2onnx.export(str(program), str(weights), str(plain), opset_version=_OPSET, verbose=False)
    options = onnxruntime.SessionOptions()
    # The level above fits the graph to the processor of this machine.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(optimised)
    onnxruntime.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
    return optimised


def _suspects(graph: Path) -> list[str]:
    """Names of the products that narrow: they read what an activation let grow."""
    model = onnx.load(graph)
    shapes = {each.name: each.dims for each in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul"
        and (shape := shapes.get(node.input[1])) is not None
        and shape[0] > shape[1]
    ]


def _quantised(graph: Path, kept: Sequence[str], folder: Path, agreement: Agreement) -> float:
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
    return agreement(path)


def _share_weights(model: Any, weights: Path, pad_id: int) -> None:
    """Read what stayed float32 from the file that Paddle reads, instead of holding it twice."""
    content = weights.read_bytes()
    spans = [span for span in tensor_spans(content) if span.data_type == FLOAT32]
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) < _EXTERNAL_BYTES or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        for span in spans:
            if span.end - span.start != values.nbytes:
                continue
            theirs = np.frombuffer(content[span.start : span.end], np.float32)
            differing = np.flatnonzero((values != theirs.reshape(values.shape)).reshape(
                len(values), -1).any(axis=1))  # fmt: skip
            # Paddle embeds padding as zeros whatever its row says, and attention masks it.
            if not set(differing.tolist()) - {pad_id}:
                set_external_data(tensor, weights.name, span.start, values.nbytes)
                tensor.ClearField("raw_data")
                break
