"""Tells what is damaged of the things that are stored beside the documents of a collection, and
what to do. They stay as they are, and other collections are not concerned."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from services.common.errors import StorageDamaged

logger = logging.getLogger(__name__)


@contextmanager
def readable(what: str, key: str, *, remedy: str) -> Iterator[None]:
    """A block that makes sense of the stored object `key`. Raises StorageDamaged if it fails.

    `what` names the object to users, `remedy` is a sentence for them; the log has the key.
    """
    try:
        yield
    except (ValueError, TypeError, AttributeError) as error:
        logger.exception("a stored object is damaged", extra={"object": key})
        raise StorageDamaged(
            f"{what} cannot be read: what is stored of it is damaged, or a later version wrote it."
            f" {remedy}"
        ) from error
