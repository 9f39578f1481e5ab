"""`xunwen docs`: single documents."""

import sys
from typing import Annotated

import typer

from services.common.documents import Document
from xunwen.cli.context import AsJson, client_of, console, json_object, print_json

app = typer.Typer(help="Single documents: get, put, delete.", no_args_is_help=True)

DocumentId = Annotated[str, typer.Argument(metavar="ID", help="The document's id.")]
CollectionName = Annotated[str, typer.Option("--collection", "-c", help="The collection.")]


@app.command()
def get(
    ctx: typer.Context, document_id: DocumentId, collection: CollectionName, as_json: AsJson = False
) -> None:
    """Show one document."""
    with client_of(ctx) as client:
        document = client.get(document_id, collection=collection)
    if as_json:
        print_json(document)
        return
    console.print(document.title, style="bold", markup=False)
    if document.text:
        console.print(document.text, markup=False)
    for name, value in document.fields.items():
        shown = "、".join(map(str, value)) if isinstance(value, list) else str(value)
        console.print(f"{name}: {shown}", style="dim", markup=False)


@app.command()
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
    body = json_object(sys.stdin.read() if document == "-" else document, "document")
    with client_of(ctx) as client:
        written = client.put(Document.model_validate(body), collection=collection)
    if as_json:
        print_json(written)
    else:
        console.print(f"{written.id} written to {written.collection}", markup=False)


@app.command()
def delete(
    ctx: typer.Context,
    collection: CollectionName,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Which ones.")] = None,
    filter: Annotated[
        str | None, typer.Option("--filter", "-f", help="JSON: all that match, instead of ids.")
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
