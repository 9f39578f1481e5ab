"""The documents that a caller gives to a client."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from services.common.documents import Content, Document
from services.common.validation import first_reason
from xunwen.client.errors import XunwenError

GivenDocument = Content | Mapping[str, Any]
"""A document, also one that was read, or its members as in a line of JSON."""


def checked_document(given: GivenDocument, what: str) -> Document:
    """The document that is sent. Raises XunwenError, which calls it `what`, if there cannot be such
    a document."""
    if isinstance(given, Document):
        return given
    members = dict(given) if isinstance(given, Content) else given
    try:
        return Document.model_validate(members)
    except ValidationError as error:
        raise XunwenError(f"{what} cannot be indexed: {first_reason(error)}.") from error
