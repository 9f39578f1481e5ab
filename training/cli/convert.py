"""The commands `xunwen import`."""

from pathlib import Path
from typing import Annotated

import typer

from services.common.engine.remote import Endpoint, RemoteModel
from services.common.engine.remote_directory import write_remote
from services.common.model_dir.manifest import MANIFEST, Templates
from training.cli.options import validated
from training.failures import ModelUnknown, plain_errors
from training.run import runtime

app = typer.Typer(
    help="Make a network or a model directory of a model from elsewhere.", no_args_is_help=True
)

Source = Annotated[Path, typer.Argument(help="Directory to read")]
Target = Annotated[Path, typer.Argument(help="Directory to write")]
QueryPrefix = Annotated[
    str | None, typer.Option(help="Words that the model expects before a query")
]
DocumentPrefix = Annotated[
    str | None, typer.Option(help="Words that the model expects before a document")
]
PoolingOption = Annotated[
    str | None, typer.Option(help="Pooling, mean, cls or pooler, instead of that of the directory")
]


@app.command()
def paddlenlp(
    source: Source,
    target: Target,
    like: Annotated[
        str | None,
        typer.Option(help="Name of the model that it was trained from, such as ernie-1.0"),
    ] = None,
    pooling: PoolingOption = None,
    query_prefix: QueryPrefix = None,
    document_prefix: DocumentPrefix = None,
) -> None:
    """Read a PaddleNLP checkpoint: ERNIE, SimCSE, in-batch negatives, ERNIE-Gram ranking.

    The neural search examples of PaddleNLP save no configuration; --like names the model whose
    configuration the weights follow, if their shapes do not tell it.
    """
    _convert(source, target, like, pooling, (query_prefix, document_prefix))


@app.command()
def huggingface(
    source: Source,
    target: Target,
    pooling: PoolingOption = None,
    query_prefix: QueryPrefix = None,
    document_prefix: DocumentPrefix = None,
) -> None:
    """Read an encoder or cross-encoder of the BERT or RoBERTa family in Hugging Face's form.

    The pooling is the one that sentence-transformers noted in the directory, else the mean.
    """
    _convert(source, target, None, pooling, (query_prefix, document_prefix))


@app.command()
def onnx(
    source: Source,
    target: Annotated[Path, typer.Argument(help="Model directory to write")],
    file: Annotated[
        str | None,
        typer.Option(
            help="Path of the program in the directory, such as onnx/model_quantized.onnx"
        ),
    ] = None,
    pooling: Annotated[
        str | None, typer.Option(help="Pooling, mean, cls or pooler, instead of that of the files")
    ] = None,
    query_prefix: QueryPrefix = None,
    document_prefix: DocumentPrefix = None,
    max_tokens: Annotated[
        int, typer.Option(min=8, help="Most tokens of a document, or of a pair")
    ] = 256,
    query_max_tokens: Annotated[int, typer.Option(min=8)] = 64,
) -> None:
    """Make a model directory of an ONNX encoder or cross-encoder that comes with a tokenizer.json.

    ONNX Runtime runs the program in the services. A program that answers token states or one vector
    for each text is an encoder; a program that answers a score or two classes for each pair is a
    ranker.
    """
    with plain_errors():
        from training.export.onnx_form import OnnxOptions, import_onnx

        _check(source, target)
        manifest = import_onnx(
            source,
            target,
            OnnxOptions(
                name=target.resolve().name,
                max_tokens=max_tokens,
                query_max_tokens=query_max_tokens,
                file=file,
                pooling=pooling,
                templates=_templates(query_prefix, document_prefix),
            ),
        )
    typer.echo(f"{target} is a served {manifest.kind}; fingerprint {manifest.fingerprint}")


@app.command()
def remote(
    url: Annotated[
        str,
        typer.Argument(help="Address of the server, such as http://host:7997 or https://host/v1"),
    ],
    target: Annotated[Path, typer.Argument(help="Model directory to write")],
    model: Annotated[str, typer.Option(help="Name of the model at the server")],
    protocol: Annotated[
        str, typer.Option(help="Protocol: openai (embeddings), jina or tei (rerank)")
    ] = "openai",
    key_variable: Annotated[
        str | None, typer.Option(help="Environment variable that holds the API key")
    ] = None,
    query_prefix: QueryPrefix = None,
    document_prefix: DocumentPrefix = None,
    max_tokens: Annotated[
        int, typer.Option(min=8, help="Most tokens of a document, or of a pair")
    ] = 512,
    query_max_tokens: Annotated[int, typer.Option(min=8)] = 128,
    timeout_seconds: Annotated[
        float, typer.Option(help="Timeout of one request in seconds")
    ] = 10.0,
    batch: Annotated[int, typer.Option(min=1, help="Most texts of one request")] = 32,
) -> None:
    """Make a directory of a model at another server: TEI, Infinity, Xinference, vLLM, OpenAI, Jina.

    The directory records the model's answers to fixed texts. A model that later answers them
    differently is refused; it may move to another address (endpoint.json).
    """
    with plain_errors():
        manifest = write_remote(
            target,
            validated(RemoteModel, protocol=protocol, model=model),
            validated(
                Endpoint,
                url=url,
                key_variable=key_variable,
                timeout_seconds=timeout_seconds,
                batch=batch,
            ),
            _templates(query_prefix, document_prefix),
            (max_tokens, query_max_tokens),
        )
    typer.echo(f"{target} is served as any model directory; fingerprint {manifest.fingerprint}")


def _check(source: Path, target: Path) -> None:
    """Raises ModelUnknown if the source is no directory, or would be overwritten."""
    if not source.is_dir():
        raise ModelUnknown(f"{source} is no directory")
    if target.resolve() == source.resolve():
        raise ModelUnknown(f"{target} is the directory that is read; name another one to write")


def _templates(query_prefix: str | None, document_prefix: str | None) -> Templates:
    return Templates(
        query=(query_prefix or "") + "{query}",
        document=(document_prefix or "") + "{title}\n{text}",
    )


def _convert(
    source: Path,
    target: Path,
    like: str | None,
    pooling: str | None,
    prefixes: tuple[str | None, str | None],
) -> None:
    runtime.prepare()
    runtime.show_log()
    with plain_errors():
        from training.networks.directory import load_codec, load_network, save_with_tokenizer
        from training.networks.source import read_source

        _check(source, target)
        if (target / MANIFEST).is_file():
            raise ModelUnknown(
                f"{target} is a model directory, which would still be read as the model that it is;"
                " name another folder"
            )
        network = load_network(read_source(source, like=like).pooled_by(pooling))
        network.prefixes = network.prefixes.replaced(*prefixes)
        save_with_tokenizer(network, load_codec(source, network), source, target)
    typer.echo(f"{target} holds {type(network).__name__}; `xunwen export {target} MODEL` serves it")


if __name__ == "__main__":
    app()
