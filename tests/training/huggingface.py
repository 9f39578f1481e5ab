"""Small models in Hugging Face's form, made of paddlenlp's own networks."""

import json
import pickle
import struct
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

SHAPE: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
CHARACTERS = "".join(chr(0x4E00 + at) for at in range(35))
"""The characters that the vocabulary has."""
_NAMES = {
    "embeddings.layer_norm.": "embeddings.LayerNorm.",
    ".self_attn.q_proj.": ".attention.self.query.",
    ".self_attn.k_proj.": ".attention.self.key.",
    ".self_attn.v_proj.": ".attention.self.value.",
    ".self_attn.out_proj.": ".attention.output.dense.",
    ".norm1.": ".attention.output.LayerNorm.",
    ".linear1.": ".intermediate.dense.",
    ".linear2.": ".output.dense.",
    ".norm2.": ".output.LayerNorm.",
    "encoder.layers.": "encoder.layer.",
}


def vocabulary(directory: Path) -> Path:
    """Writes a vocabulary of BERT's form."""
    directory.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", *CHARACTERS]
    (directory / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    return directory


def as_huggingface(model: Any, prefix: str) -> dict[str, Any]:
    """A paddlenlp body's weights under Hugging Face's names, linear ones [out, in]."""
    state = {}
    for name, value in model.state_dict().items():
        renamed = name
        for ours, theirs in _NAMES.items():
            renamed = renamed.replace(ours, theirs)
        turned = value.numpy().ndim == 2 and not name.startswith("embeddings.")
        state[prefix + renamed] = value.numpy().T if turned else value.numpy()
    return state


def write_pytorch(path: Path, state: dict[str, Any], *, bfloat16: bool = False) -> None:
    """Writes weights as PyTorch does: a zip with a pickle, and the bytes of each array. Arrays of
    two axes are written as transposed ones."""
    content = b"\x80\x02}"
    with ZipFile(path, "w") as target:
        for key, (name, value) in enumerate(state.items()):
            values = np.ascontiguousarray(value.T)
            raw = bits_of(values) if bfloat16 else values
            target.writestr(f"archive/data/{key}", raw.tobytes())
            storage = _pickled("storage") + b"ctorch\n"
            storage += b"BFloat16Storage\n" if bfloat16 else b"FloatStorage\n"
            storage += _pickled(str(key)) + _pickled("cpu") + _pickled(value.size)
            strides = tuple(step // values.itemsize for step in values.T.strides)
            tensor = b"(" + storage + b"tQ" + _pickled(0)
            tensor += _pickled(value.shape) + _pickled(strides) + b"\x89}"
            content += _pickled(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + tensor + b"tRs"
        target.writestr("archive/data.pkl", content + b".")


def _pickled(value: object) -> bytes:
    """The operations that push a value, without the beginning and the end of a pickle."""
    return pickle.dumps(value, 2)[2:-1]


def bits_of(value: Any) -> Any:
    """The bits of bfloat16 numbers, uint16, of the shape of `value`."""
    whole = np.ascontiguousarray(value, dtype=np.float32).view(np.uint32)
    return (whole >> 16).astype(np.uint16)


def write_safetensors(path: Path, state: dict[str, Any], *, bfloat16: bool = False) -> None:
    """Writes weights by the format's description: length, JSON header, raw values."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    blocks, at = [], 0
    for name, value in state.items():
        values = np.ascontiguousarray(value, dtype=np.float32)
        raw = bits_of(values).tobytes() if bfloat16 else values.tobytes()
        header[name] = {
            "dtype": "BF16" if bfloat16 else "F32",
            "shape": list(values.shape),
            "data_offsets": [at, at + len(raw)],
        }
        blocks.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blocks))
