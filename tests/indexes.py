"""An index without documents, for hand-written indexes of tests to build on."""

from collections.abc import AsyncIterator, Mapping, Sequence

from services.common.documents import Content
from services.common.request_context import Deadline
from services.common.wire.passages import ShownPassages
from services.recall.domain import Found, Index, Vector


class EmptyIndex:
    """A DocumentIndex that finds nothing; tests write the methods that they need over these."""

    async def resolve(
        self, collection: str, deadline: Deadline, version: str | None = None
    ) -> Index:
        raise NotImplementedError

    async def of_physical(self, physical: str, deadline: Deadline) -> Index:
        raise NotImplementedError

    async def nearest(
        self, index: Index, vector: Vector, n: int, expression: str, deadline: Deadline
    ) -> list[Found]:
        return []

    async def matching(
        self,
        index: Index,
        ways: Sequence[Sequence[str]],
        n: int,
        expression: str,
        deadline: Deadline,
    ) -> list[Found]:
        return []

    async def there(
        self, index: Index, ids: Sequence[str], expression: str, deadline: Deadline
    ) -> list[Found]:
        return []

    async def with_texts(
        self, index: Index, found: Sequence[Found], deadline: Deadline
    ) -> list[Found]:
        return list(found)

    async def vector(self, index: Index, identity: str, deadline: Deadline) -> Vector | None:
        return None

    async def documents(
        self,
        physical: str,
        keys: Sequence[tuple[str, int | None]],
        server_time: int | None,
        deadline: Deadline,
    ) -> list[Content]:
        return []

    async def passages(
        self, index: Index, numbers: Mapping[str, Sequence[int]], deadline: Deadline
    ) -> Mapping[str, ShownPassages]:
        return {}

    async def bodies(
        self, index: Index, ids: Sequence[str], deadline: Deadline
    ) -> AsyncIterator[Mapping[str, str]]:
        nothing: tuple[dict[str, str], ...] = ()
        for some in nothing:
            yield some
