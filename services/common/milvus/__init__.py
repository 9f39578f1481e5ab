"""The connection to Milvus that all services use, the meaning of its errors, and the names of
collections.

Two kinds of server are supported: Milvus itself (2.3 and later, standalone or a cluster) and the
compiled milvus-lite of the embedded system. This package makes up for what milvus-lite lacks, so
that the adapters of the indexer and of recall need not ask which of the two they talk to.
"""

from services.common.milvus.connection import Engine, MilvusConnection, milvus_connection
from services.common.milvus.failures import Missing, NoAnswerInTime, NoWords
from services.common.milvus_address import MilvusAddress

__all__ = [
    "Engine",
    "MilvusAddress",
    "MilvusConnection",
    "Missing",
    "NoAnswerInTime",
    "NoWords",
    "milvus_connection",
]
