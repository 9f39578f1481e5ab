"""The commands `xunwen docs`: single documents, and lists of them."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from services.common.citations.forms import CitationForm
from services.common.documents import Document
from services.common.wire.contents import DocumentPatch
from xunwen.cli.context import (
    AsJson,
    client_of,
    console,
    given_object,
    harmless,
    json_object,
    print_json,
    print_line,
    value_text,
    write_file,
)

group = typer.Typer(
    help="Documents: get, original, put, patch, delete, list, similar, vector, cite.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Adds the commands to the main application."""
    app.add_typer(group, name="docs")


DocumentId = Annotated[str, typer.Argument(metavar="ID", help="Id of the document.")]
CollectionName = Annotated[str, typer.Option("--collection", "-c", help="The collection.")]


@group.command()
def get(
    ctx: typer.Context, document_id: DocumentId, collection: CollectionName, as_json: AsJson = False
) -> None:
    """Show one document."""
    with client_of(ctx) as client:
        document = client.get(document_id, collection=collection)
    if as_json:
        print_json(document)
        return
    console.print(document.title, style="bold")
    if document.text:
        console.print(document.text)
    if document.body:
        console.print(document.body)
        console.print(f"{document.passage_count} passages", style="dim")
    for name, value in document.fields.items():
        console.print(f"{name}: {value_text(value)}", style="dim")


@group.command()
def original(
    ctx: typer.Context,
    document_id: DocumentId,
    collection: CollectionName,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
) -> None:
    """Write the file of which a document was made, as it was sent.

    Example: xunwen docs original 综述.pdf -c papers -o 综述.pdf
    """
    with client_of(ctx) as client:
        write_file(output, client.original(document_id, collection=collection))
    console.print(f"{output} ({output.stat().st_size:,} bytes)")


@group.command()
def put(
    ctx: typer.Context,
    collection: CollectionName,
    document: Annotated[
        str, typer.Argument(help="The document as JSON; `-` reads it from stdin.")
    ] = "-",
    as_json: AsJson = False,
) -> None:
    """Write one document; it can be found when this returns.

    Example: xunwen docs put -c notes '{"id": "1", "title": "标题", "text": "正文"}'
    """
    content = Document.model_validate(given_object(document, "document"))
    with client_of(ctx) as client:
        written = client.put(content, collection=collection)
    if as_json:
        print_json(written)
    else:
        console.print(f"{written.id} written to {written.collection}")


@group.command()
def delete(
    ctx: typer.Context,
    collection: CollectionName,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of documents.")
    ] = None,
    filter: Annotated[
        str | None,
        typer.Option(
            "--filter",
            "-f",
            help="A filter as JSON, instead of ids: all matching documents are deleted.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Delete documents, by ids or by filter."""
    if bool(ids) == bool(filter):
        raise typer.BadParameter("give either ids or --filter")
    condition = json_object(filter, "filter")
    with client_of(ctx) as client:
        deleted = client.delete_documents(collection=collection, ids=ids, filter=condition)
    if as_json:
        print_json(deleted)
    else:
        console.print(f"{deleted.deleted:,} deleted")


@group.command()
def patch(
    ctx: typer.Context,
    document_id: DocumentId,
    collection: CollectionName,
    change: Annotated[
        str,
        typer.Argument(
            help="Title, text, body, fields or single metadata as JSON; null removes one; `-` reads"
            " stdin."
        ),
    ] = "-",
    as_json: AsJson = False,
) -> None:
    """Change parts of a document; only a new title, text or body is encoded.

    Example: xunwen docs patch 1 -c notes '{"fields": {"year": 2021, "draft": null}}'
    """
    changes = DocumentPatch.model_validate(given_object(change, "change"))
    named = changes.model_dump(exclude_unset=True)
    with client_of(ctx) as client:
        written = client.patch(document_id, collection=collection, **named)
    if as_json:
        print_json(written)
    else:
        console.print(f"{written.id} changed in {written.collection}")


@group.command("list")
def list_documents(
    ctx: typer.Context,
    collection: CollectionName,
    filter: Annotated[
        str | None,
        typer.Option(
            "--filter", "-f", help="A filter as JSON; without it, all documents are listed."
        ),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--field", help="Names of members to show besides the id; may be given more than once."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Most documents to list.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the documents of a collection in the order of their ids."""
    condition = json_object(filter, "filter")
    shown = fields or ["title"]
    wanted = fields or (None if as_json else shown)
    with client_of(ctx) as client:
        found = client.documents(collection=collection, filter=condition, fields=wanted)
        for document in islice(found, limit):
            if as_json:
                print_json(document)
            else:
                members = {**document.fields, **document.model_dump(include={"title", "text"})}
                values = [value_text(members.get(name)) for name in shown]
                print_line(document.id, *values)


@group.command()
def similar(
    ctx: typer.Context,
    document_id: DocumentId,
    collection: CollectionName,
    top_k: Annotated[
        int | None, typer.Option("--top-k", "-k", help="Number of hits; 10 if left out.")
    ] = None,
    filter: Annotated[str | None, typer.Option("--filter", "-f", help="A filter as JSON.")] = None,
    partition: Annotated[
        str | None, typer.Option(metavar="NAME", help="Partition of the hits.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the documents nearest to a stored one, by their vectors."""
    condition = json_object(filter, "filter")
    with client_of(ctx) as client:
        answer = client.similar(
            document_id,
            collection=collection,
            top_k=top_k,
            filter=condition,
            partition=partition,
        )
    if as_json:
        print_json(answer)
        return
    for hit in answer.hits:
        print_line(f"{hit.score:.3f}", hit.id, hit.title or "")


@group.command()
def vector(
    ctx: typer.Context,
    document_id: DocumentId,
    collection: CollectionName,
    as_json: AsJson = False,
) -> None:
    """Print the stored vector of a document, one number on each line."""
    with client_of(ctx) as client:
        answer = client.vector(document_id, collection=collection)
    if as_json:
        print_json(answer)
        return
    for number in answer.vector:
        typer.echo(number)


@group.command()
def cite(
    ctx: typer.Context,
    collection: CollectionName,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of documents.")],
    form: Annotated[CitationForm, typer.Option(help="Form of the references.")] = CitationForm.RIS,
) -> None:
    """Print documents as references.

    Example: xunwen docs cite 1 2 -c notes --form gbt7714
    """
    with client_of(ctx) as client:
        references = client.cite(ids, collection=collection, form=form)
    typer.echo(harmless(references), nl=False)
