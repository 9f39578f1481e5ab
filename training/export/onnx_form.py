"""Makes a model directory of a foreign ONNX encoder or cross-encoder.

The program is left as it is; `onnx_head` adds the head that serving expects to its graph.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
from onnx import TensorProto, helper

from services.common.engine.tokens import TextTokenizer, Tokens, pad
from services.common.errors import ModelInvalid
from services.common.model_dir import (
    InputName,
    ModelFiles,
    ModelKind,
    ModelManifest,
    file_of,
    write_manifest,
)
from services.common.model_dir.manifest import Templates
from training.export.onnx_head import add_head
from training.failures import ModelUnknown
from training.networks.source import POOLINGS
from training.networks.tokenization import NORMALISATION, TOKENIZER_FILE, load_tokenizer

PROGRAM, DATA = "model.onnx", "model.onnx.data"
PLACES = ("model.onnx", "onnx/model.onnx", "model_optimized.onnx")
"""Paths of the program in a directory, of which the first existing one is taken."""
_QUANTISED = frozenset({"DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul"})
"""Operators of int8 programs, in which a vector depends on the texts that share its pass."""
_INLINE_BYTES = 1 << 30
"""Size in bytes above which weights get a file of their own, since a file of ONNX holds less than
2 GB."""
_PROBE = ("学术文献检索", "semantic search of Chinese text")


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """The properties of a model that its files do not tell."""

    name: str
    max_tokens: int
    query_max_tokens: int
    file: str | None = None
    """Path of the program in the directory; None looks in PLACES."""
    pooling: str | None = None
    """Pooling of token states; None takes that of the program or the directory."""
    templates: Templates = field(default_factory=Templates)


def import_onnx(source: Path, directory: Path, options: OnnxOptions) -> ModelManifest:
    """Writes the model directory of an ONNX program with a `tokenizer.json`; returns its manifest.

    Raises ModelUnknown, whose message says what the program lacks.
    """
    if options.pooling is not None and options.pooling not in POOLINGS:
        raise ModelUnknown(f"there is no pooling {options.pooling!r}; use {', '.join(POOLINGS)}")
    tokenizer = source / TOKENIZER_FILE
    if not tokenizer.is_file():
        raise ModelUnknown(f"{source} has no {TOKENIZER_FILE}, which cuts text for the program")
    program = _program_of(source, options.file)
    try:
        model = onnx.load(program)
    except Exception as error:
        raise ModelUnknown(f"{program} cannot be read as ONNX with its weights") from error
    inputs = _inputs(model, program)
    pad_id = _pad_id(source)
    sequences = _sequences(tokenizer, options.max_tokens)
    outputs = _run(program, pad(sequences, pad_id, options.max_tokens, inputs), inputs)
    kind, width, pooling = add_head(model, outputs, source, options.pooling, pad_id)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / TOKENIZER_FILE).write_bytes(tokenizer.read_bytes())
    quantised = any(node.op_type in _QUANTISED for node in model.graph.node)
    weights = _save(model, directory)
    described = file_of(directory / PROGRAM)
    manifest = ModelManifest(
        name=options.name,
        kind=kind,
        version="onnx",
        dimension=width if kind is ModelKind.ENCODER else None,
        max_tokens=options.max_tokens,
        query_max_tokens=options.query_max_tokens,
        pooling=pooling,
        templates=options.templates,
        normalisation=NORMALISATION,
        pad_id=pad_id,
        inputs=inputs,
        precisions=("int8",) if quantised else ("fp32",),
        files=ModelFiles(
            program=described,
            weights=described if weights is None else file_of(weights),
            tokenizer=file_of(directory / TOKENIZER_FILE),
            int8=described if quantised else None,
        ),
    )
    write_manifest(directory, manifest)
    return manifest


def _program_of(source: Path, file: str | None) -> Path:
    places = PLACES if file is None else (file,)
    for place in places:
        if (source / place).is_file():
            return source / place
    raise ModelUnknown(f"{source} has no {' or '.join(places)}; name the program by --file")


def _inputs(model: Any, program: Path) -> tuple[InputName, ...]:
    """The names of the program's inputs; inputs of 32 bits are cast from the usual 64."""
    graph = model.graph
    weights = {item.name for item in graph.initializer}
    given = [item for item in graph.input if item.name not in weights]
    known = get_args(InputName)
    unknown = [item.name for item in given if item.name not in known]
    if unknown or not any(item.name == "input_ids" for item in given):
        raise ModelUnknown(
            f"{program} reads {', '.join(item.name for item in given)}; a text gives"
            f" {', '.join(known)}"
        )
    for item in given:
        kind = item.type.tensor_type
        if kind.elem_type == TensorProto.INT64:
            continue
        narrow = f"{item.name}_narrow"
        for node in graph.node:
            for place, name in enumerate(node.input):
                if name == item.name:
                    node.input[place] = narrow
        graph.node.insert(0, helper.make_node("Cast", [item.name], [narrow], to=kind.elem_type))
        kind.elem_type = TensorProto.INT64
    return tuple(item.name for item in given)


def _sequences(tokenizer: Path, max_tokens: int) -> list[Tokens]:
    """Sequences of short texts, and of one that is as long as the model will get."""
    try:
        texts = TextTokenizer(tokenizer, max_tokens)
    except ModelInvalid as error:
        raise ModelUnknown(str(error)) from error
    return texts.singles([*_PROBE, "文献 " * max_tokens])


def _run(program: Path, arrays: Sequence[Any], inputs: Sequence[str]) -> dict[str, Any]:
    """The answers of the program by the names of its outputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(program, options, ["CPUExecutionProvider"])
    except Exception as error:
        raise ModelUnknown(f"ONNX Runtime cannot load {program}") from error
    narrow = {item.name for item in session.get_inputs() if item.type != "tensor(int64)"}
    feeds = {
        name: array.astype(np.int32) if name in narrow else array
        for name, array in zip(inputs, arrays, strict=True)
    }
    names = [item.name for item in session.get_outputs()]
    try:
        return dict(zip(names, session.run(None, feeds), strict=True))
    except Exception as error:
        raise ModelUnknown(
            f"{program} cannot read {arrays[0].shape[1]} tokens; give a smaller --max-tokens"
        ) from error


def _save(model: Any, directory: Path) -> Path | None:
    """Writes the program; returns the file of its weights if they have one of their own."""
    if model.ByteSize() <= _INLINE_BYTES:
        onnx.save(model, directory / PROGRAM)
        return None
    (directory / DATA).unlink(missing_ok=True)  # The weights would be appended to an old file.
    onnx.save(
        model, directory / PROGRAM, save_as_external_data=True, location=DATA,
        all_tensors_to_one_file=True,
    )  # fmt: skip
    return directory / DATA


def _pad_id(source: Path) -> int:
    """The id that fills a pass, from the tokenizer or else from the model's configuration."""
    tokenizer = json.loads((source / TOKENIZER_FILE).read_text("utf-8"))
    padding = tokenizer.get("padding")
    if padding is not None:
        return int(padding["pad_id"])
    for token in ("[PAD]", "<pad>"):
        token_id = load_tokenizer(source).token_to_id(token)
        if token_id is not None:
            return int(token_id)
    config = source / "config.json"
    if config.is_file():
        return int(json.loads(config.read_text("utf-8")).get("pad_token_id") or 0)
    return 0
