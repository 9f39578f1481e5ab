"""Runs one peer in the environment of the peers: `python peer.py NAME < request > answer`.

The request is JSON: `kind` (embed or rerank), `model` (a folder), `precision` (bf16 or fp32),
`threads`, `rounds`, `processor_time`, and `sets`: {name: [texts or pairs]}. The answer is
{name: [seconds of each round]}. Nothing of the project is imported here. torch peers build a
model of the same size with random weights, which speed does not depend on, and run it in the
precision that was asked for, as OpenVINO does our graph; ONNX Runtime runs it in fp32, and our
int8 program.
"""

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    request = json.load(sys.stdin)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(request["threads"])
    run = PEERS[sys.argv[1]](request)
    clock = time.process_time if request["processor_time"] else time.perf_counter
    answer = {}
    for name, inputs in request["sets"].items():
        run(inputs[:4])
        answer[name] = []
        for _ in range(request["rounds"]):
            started = clock()
            run(inputs)
            answer[name].append(clock() - started)
    sys.stdout.write("\n" + json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # threads that a peer started may wait for work for ever


def onnxruntime(request):
    """ONNX Runtime alone on the same graph and weights."""
    return _engine_alone(request, _onnxruntime_session(request, request["onnx"]))


def onnxruntime_int8(request):
    """ONNX Runtime alone on our int8 program."""
    program = str(Path(request["model"]) / "inference.int8.onnx")
    return _engine_alone(request, _onnxruntime_session(request, program))


def openvino(request):
    """OpenVINO alone on the same graph and weights, in the precision that was asked for."""
    from openvino import Core

    precision = {"bf16": "bf16", "fp32": "f32"}[request["precision"]]
    options = {
        "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": request["threads"],
    }  # fmt: skip
    inference = Core().compile_model(request["onnx"], "CPU", options).create_infer_request()
    return _engine_alone(
        request, lambda ids, types: inference.infer({"input_ids": ids, "token_type_ids": types})
    )


def _onnxruntime_session(request, program):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request["threads"]
    session = onnxruntime.InferenceSession(program, options)
    names = [each.name for each in session.get_inputs()]
    return lambda ids, types: session.run(None, dict(zip(names, (ids, types), strict=False)))


def _engine_alone(request, infer):
    """Runs an engine over batches sorted by length, each padded to its own longest text."""
    import numpy as np
    from tokenizers import Tokenizer

    folder = Path(request["model"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(request["max_tokens"])

    def run(texts):
        inputs = [tuple(each) if isinstance(each, list) else each for each in texts]
        encoded = sorted(tokenizer.encode_batch_fast(inputs), key=lambda each: -len(each.ids))
        start = 0
        while start < len(encoded):
            columns = len(encoded[start].ids)
            batch = encoded[start : start + max(1, 1024 // columns)]
            ids = np.full((len(batch), columns), 1, dtype=np.int64)
            for row, each in enumerate(batch):
                ids[row, : len(each.ids)] = each.ids
            infer(ids, np.zeros_like(ids))
            start += len(batch)

    return run


TORCH_TYPES = {"bf16": "bfloat16", "fp32": "float32"}


_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)


def _torch_model(request, labels):
    """Makes a folder that transformers loads: a BERT of our model's size with its tokenizer.

    With `labels` sizes and tokenizer are those of the ranker, if the request names one, else those
    of the encoder.
    """
    import torch
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        BertModel,
        PreTrainedTokenizerFast,
    )

    torch.set_num_threads(request["threads"])
    folder = Path(request["work"]) / f"bert-{labels}"
    source = Path(request.get("ranker", request["model"]) if labels else request["model"])
    network = json.loads((source / "network.json").read_text("utf-8"))["config"]
    sizes = BertConfig(**{name: network[name] for name in _SIZES}, num_labels=max(labels, 1))
    model = BertForSequenceClassification(sizes) if labels else BertModel(sizes)
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_file=str(source / "tokenizer.json"),
        pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        sep_token="</s>", cls_token="<s>", model_max_length=request["max_tokens"],
    ).save_pretrained(folder)  # fmt: skip
    return str(folder)


def sentence_transformers(request):
    if request["kind"] == "rerank":
        from sentence_transformers import CrossEncoder

        judge = CrossEncoder(
            _torch_model(request, 1), max_length=request["max_tokens"], device="cpu",
            model_kwargs={"torch_dtype": TORCH_TYPES[request["precision"]]},
        )  # fmt: skip
        return lambda pairs: judge.predict(pairs, show_progress_bar=False)
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        _torch_model(request, 0), device="cpu",
        model_kwargs={"torch_dtype": TORCH_TYPES[request["precision"]]},
    )  # fmt: skip
    model.max_seq_length = request["max_tokens"]
    return lambda texts: model.encode(texts, show_progress_bar=False)


def infinity(request):
    import asyncio

    from infinity_emb import AsyncEmbeddingEngine, EngineArgs

    labels = 1 if request["kind"] == "rerank" else 0
    folder = _torch_model(request, labels)
    loop = asyncio.new_event_loop()
    engine = AsyncEmbeddingEngine.from_args(
        EngineArgs(
            model_name_or_path=folder, device="cpu", engine="torch", compile=False,
            dtype=TORCH_TYPES[request["precision"]],
        )
    )  # fmt: skip
    loop.run_until_complete(engine.astart())
    if labels:
        return lambda pairs: loop.run_until_complete(
            engine.rerank(query=pairs[0][0], docs=[document for _, document in pairs])
        )
    return lambda texts: loop.run_until_complete(engine.embed(sentences=texts))


PEERS = {
    "onnxruntime": onnxruntime,
    "onnxruntime-int8": onnxruntime_int8,
    "openvino": openvino,
    "sentence-transformers": sentence_transformers,
    "infinity-emb": infinity,
}

if __name__ == "__main__":
    main()
