"""A small collection on the real embedded engine, as the indexer writes it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.common.collection import PhysicalName
from services.common.documents import Document
from services.common.engine import Encoder, PredictorOptions, open_encoder
from services.common.milvus import MilvusConnection
from services.common.model_dir.encoders import EncoderDirectories
from services.indexer.index.milvus.choice import IndexChoice
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.schema import collection_indexes, collection_schema
from services.indexer.rows import document_row
from tests.analyzers import ANALYZER
from tests.milvus import on_connection, on_index
from tests.models import tiny_encoder
from tests.servers import Server, milvus_lite

DOCUMENTS = [
    Document(
        id="d1",
        title="中西方语言与文化的差异",
        text="比较两种语言的文化背景。",
        fields={"discipline": "语言学", "year": 2015, "keywords": ["语言", "文化"]},
    ),
    Document(
        id="d2",
        title="国有企业引入非国有资本对创新绩效的影响",
        fields={"discipline": "经济学", "year": 2020, "keywords": ["国有企业", "创新"]},
    ),
    Document(id="d3", title="企业文化建设", fields={"discipline": "经济学", "open": True}),
    Document(id="d4", title='带"引号"与\\反斜杠\n的标题', fields={"discipline": 'a"b\\c\nd'}),
]

Filler = Callable[..., PhysicalName]
"""Writes DOCUMENTS under an alias; keywords: encoder (fingerprint), lexical, analyzer."""


@pytest.fixture(scope="package")
def encoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture(scope="package")
def encoder(encoder_dir: Path) -> Encoder:
    return open_encoder(encoder_dir, PredictorOptions(threads=1, precision="fp32"))


@pytest.fixture(scope="package")
def directories(encoder_dir: Path) -> EncoderDirectories:
    return EncoderDirectories.read(encoder_dir, [])


@pytest.fixture(scope="package")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with milvus_lite(tmp_path_factory.mktemp("milvus")) as server:
        yield server


@pytest.fixture(scope="package")
def fill(encoder: Encoder) -> Filler:
    own = encoder

    def filled(
        uri: str,
        alias: str,
        *,
        fingerprint: str | None = None,
        lexical: bool = True,
        analyzed: str = ANALYZER.identity,
        encoder: Encoder = own,
    ) -> PhysicalName:
        name = PhysicalName(
            alias, fingerprint or encoder.manifest.fingerprint, analyzed, time.time_ns()
        )
        texts = [encoder.manifest.document_text(one.title, one.text) for one in DOCUMENTS]
        rows = [
            document_row(document, vector, ANALYZER)
            for document, vector in zip(DOCUMENTS, encoder.encode(texts), strict=True)
        ]

        async def create(connection: MilvusConnection) -> None:
            schema = collection_schema(encoder.dimension, lexical=lexical)
            indexes = collection_indexes(*IndexChoice().of(0, embedded=True), lexical=lexical)
            await connection.ask(
                "create",
                lambda client: client.create_collection(
                    str(name), schema=schema, index_params=indexes
                ),
                60,
            )

        async def write(index: MilvusVectorIndex) -> None:
            await index.upsert(name, rows, 1)
            await index.point(alias, name)

        on_connection(uri, create)
        on_index(uri, write)
        return name

    return filled


@pytest.fixture(scope="package")
def literature(milvus: Server, fill: Filler) -> PhysicalName:
    return fill(milvus.url, "literature")
