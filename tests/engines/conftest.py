"""Every engine that Xunwen claims, each as a real server."""

from collections.abc import Iterator

import pytest

from tests.engines.cluster import ClusterSystem, cluster_system
from tests.milvus_standalone import available, milvus_standalone
from tests.servers import Server, milvus_lite

ENGINES = ["embedded", *(["standalone"] if available() else [])]


@pytest.fixture(scope="package")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Milvus 2.3.5, which may run once on a machine."""
    if not available():
        pytest.skip("the binary is made for x86-64 only")
    with milvus_standalone(tmp_path_factory.mktemp("standalone") / "data") as server:
        yield server


@pytest.fixture(scope="package")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The compiled milvus-lite."""
    with milvus_lite(tmp_path_factory.mktemp("embedded") / "data") as server:
        yield server


@pytest.fixture(scope="package", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Server:
    """The compiled milvus-lite, and Milvus 2.3.5 for what it has: the dense half."""
    name = {"embedded": "lite", "standalone": "standalone"}[request.param]
    server: Server = request.getfixturevalue(name)
    return server


@pytest.fixture(scope="package")
def cluster(
    standalone: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterSystem]:
    """The system on Milvus 2.3.5, whose reads miss fresh writes as those of a cluster do.

    A second encoder is installed, and Milvus imports files from a directory.
    """
    folder = tmp_path_factory.mktemp("cluster")
    place = {"XUNWEN_INDEXER_IMPORT_URL": str(folder / "imports")}
    with cluster_system(folder, standalone, **place) as running:
        yield running


@pytest.fixture
def embedded(engine: Server, request: pytest.FixtureRequest) -> bool:
    """Whether the engine is the embedded one."""
    return bool(request.node.callspec.params["engine"] == "embedded")


@pytest.fixture(scope="package")
def local(lite: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSystem]:
    """The same on the embedded engine."""
    with cluster_system(tmp_path_factory.mktemp("local"), lite) as running:
        yield running


@pytest.fixture(params=ENGINES)
def system(request: pytest.FixtureRequest) -> ClusterSystem:
    """The system on each engine."""
    name = {"embedded": "local", "standalone": "cluster"}[request.param]
    running: ClusterSystem = request.getfixturevalue(name)
    return running
