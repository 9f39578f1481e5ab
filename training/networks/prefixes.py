"""Fixed words before a text, by which a model tells queries from documents."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prefixes:
    """The words before a query and before a document, such as `query: ` and `passage: `."""

    query: str = ""
    document: str = ""

    def replaced(self, query: str | None, document: str | None) -> "Prefixes":
        """A copy in which each argument that is not None replaces a prefix."""
        return Prefixes(
            self.query if query is None else query,
            self.document if document is None else document,
        )


NO_PREFIXES = Prefixes()
