"""The bulk import of a Milvus server, which reads files from its own storage.

It looks for no ids: rows that are imported twice are there twice. So it fills new collections only,
which nothing else writes to.
"""

import logging
from typing import Any

from pymilvus import AsyncMilvusClient
from pymilvus.client.prepare import Prepare
from pymilvus.client.utils import check_status

from services.common.errors import InvalidRequest
from services.common.milvus import MilvusConnection, Missing
from services.common.milvus.raw import send

logger = logging.getLogger(__name__)

_CALL_SECONDS = 30.0
_FAILED, _FAILED_AND_CLEANED, _STARTED, _PERSISTED, _COMPLETED = 1, 7, 2, 5, 6
"""States of an import as Milvus numbers them. It is started when a data node reads its file,
persisted when its rows are stored, and completed when they are indexed."""


class ImportFailed(Exception):
    """The server gave an import up; its reason is in the log."""


class BulkImport:
    """Imports over one connection. Every method raises IndexUnavailable and Overloaded."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection

    async def check(self) -> None:
        """Raises InvalidRequest if the engine has no bulk import that can be used."""
        engine = await self._connection.engine()
        if engine.embedded:
            raise InvalidRequest(
                "mode: the embedded engine has no bulk import; use mode=upsert, or a Milvus server."
            )
        if not engine.imports:
            raise InvalidRequest(
                "mode: the bulk import is used on Milvus 2.3 only, and this server is"
                f" {engine.version}; use mode=upsert."
            )

    async def start(self, collection: str, file: str) -> int:
        """Has a file imported into a collection; returns the number of the import. `file` is the
        name by which the server reads it."""
        request = Prepare.do_bulk_insert(collection, "", [file])
        answer = await self._call("import", "Import", request)
        return int(answer.tasks[0])

    async def completed(self, number: int) -> bool:
        """Whether an import has ended and its rows are indexed. Raises ImportFailed."""
        request = Prepare.get_bulk_insert_state(number)
        answer = await self._call("import state", "GetImportState", request)
        if answer.state in (_FAILED, _FAILED_AND_CLEANED):
            reasons = {one.key: one.value for one in answer.infos}
            logger.error("Milvus gave an import up", extra={"import": number, "reasons": reasons})
            raise ImportFailed
        return bool(answer.state == _COMPLETED)

    async def under_way(self, collection: str) -> bool:
        """Whether a file is being imported into a collection, or its rows are not indexed yet.

        If the collection is dropped then, Milvus 2.3.5 waits fifteen minutes for the index, and
        starts no other import on that data node.
        """
        request = Prepare.list_bulk_insert_tasks(0, collection)
        try:
            answer = await self._call("list imports", "ListImportTasks", request)
        except Missing:
            return False
        return any(one.state in (_STARTED, _PERSISTED) for one in answer.tasks)

    async def _call(self, what: str, method: str, request: Any) -> Any:
        """The answer of a call that pymilvus has under a private name only."""

        async def call(client: AsyncMilvusClient) -> Any:
            answer = await send(client, method, request, _CALL_SECONDS)
            check_status(answer.status)
            return answer

        return await self._connection.ask(what, call, _CALL_SECONDS)
