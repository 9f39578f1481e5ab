"""Each image's install steps, carried out into a clean environment; its entry point; a search.

The steps are read from the Dockerfile. The gateway is proved alone, and all images together with a
real search through them. Installing takes minutes, so `make soak` runs it.
"""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.deploy.dockerfile import Image, read_stages
from tests.deploy.manifests import CHART, ROOT
from tests.servers import free_port, milvus_lite, valkey

pytestmark = pytest.mark.soak

STAGES = read_stages(ROOT / "deploy/Dockerfile")
ENGINES = ("paddle", "paddlenlp", "torch", "transformers")
_SHARED = re.compile(r"\.so(\.\d+)*$")
# What a Debian image with Python has; libgomp1 is installed by the Dockerfile.
BASE_LIBRARIES = {
    *("ld-linux-x86-64.so.2", "libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6"),
    *("libpthread.so.0", "librt.so.1", "libstdc++.so.6", "libutil.so.1", "libz.so.1"),
}


def build(target: str, root: Path) -> Image:
    image = Image(STAGES, target, ROOT, root)
    image.build()
    return image


def importable(image: Image, module: str) -> bool:
    python, (_, environment) = image.program("python"), image.command()
    find = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    done = subprocess.run([python, "-c", find], env=environment, cwd=image.root, check=False)
    return done.returncode == 0


@contextmanager
def started(
    image: Image, settings: Mapping[str, str], *arguments: str, ready: Callable[[], bool]
) -> Iterator[None]:
    """The image's entry point (or its Python with `arguments`), until `ready`."""
    command, environment = image.command()
    if arguments:
        command = [image.program("python"), *arguments]
    log = image.root / f"{image.target}-{len(arguments)}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env={**environment, **settings}, cwd=image.root, stdout=out, stderr=out
        )
    try:
        give_up = time.monotonic() + 120
        while not ready():
            assert process.poll() is None, f"{image.target} ended:\n{log.read_text()[-2000:]}"
            assert time.monotonic() < give_up, f"{image.target}:\n{log.read_text()[-2000:]}"
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert process.returncode in (0, -signal.SIGTERM), log.read_text()[-2000:]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def gateway_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build("gateway", tmp_path_factory.mktemp("gateway"))


def test_gateway_image_installs_and_starts_without_paddle(
    gateway_image: Image, tmp_path: Path
) -> None:
    assert [module for module in ENGINES if importable(gateway_image, module)] == []
    port, nobody = free_port(), f"http://127.0.0.1:{free_port()}"
    settings = {
        "XUNWEN_GATEWAY_HOST": "127.0.0.1",
        "XUNWEN_GATEWAY_PORT": str(port),
        "XUNWEN_GATEWAY_RECALL_URL": nobody,
        "XUNWEN_GATEWAY_RANK_URL": nobody,
        "XUNWEN_GATEWAY_INDEXER_URL": nobody,
    }
    base = f"http://127.0.0.1:{port}"
    with started(gateway_image, settings, ready=lambda: answers(f"{base}/livez")):
        answer = httpx.post(f"{base}/v1/search", json={"query": "语义检索"}, timeout=10)
        # Nothing is behind it: the answer says so in words.
        assert answer.status_code == 503
        assert answer.json()["code"] == "service_unavailable"
        assert httpx.get(f"{base}/", timeout=10).status_code == 200
        python = gateway_image.program("python")
        for path, code in (("/livez", 0), ("/readyz", 1)):
            check = [python, "-m", "services.common.alive", str(port), path]
            assert subprocess.run(check, cwd=tmp_path, check=False).returncode == code


def test_keys_are_made_in_the_gateway_image(gateway_image: Image, tmp_path: Path) -> None:
    """As docs/deployment.md does it: with the environment that the pod has."""
    _, environment = gateway_image.command()
    with valkey(tmp_path) as redis:
        environment |= {"XUNWEN_GATEWAY_STATE_REDIS_URL": redis.url}

        def keys(*words: str) -> str:
            command = [gateway_image.program("xunwen"), "keys", *words]
            return subprocess.run(
                command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
            ).stdout

        given = ("--scope", "search", "--collection", "literature", "--rate", "50")
        assert "xw_" in keys("create", "website", *given)
        assert "website" in keys("list")


def missing_libraries(image: Image) -> dict[str, str]:
    """Shared libraries that neither the packages nor the base image bring, and who needs them."""
    packages = image.root / "opt/xunwen/lib"
    objects = [path for path in packages.rglob("*.so*") if _SHARED.search(path.name)]
    brought = {path.name for path in objects} | BASE_LIBRARIES
    missing: dict[str, str] = {}
    for path in objects:
        listed = subprocess.run(
            ["readelf", "-d", path], capture_output=True, text=True, check=True
        ).stdout
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", listed):
            if name not in brought:
                missing[name] = path.name
    return missing


def test_all_images_together_index_and_search(tmp_path: Path) -> None:
    images = {
        name: build(name, tmp_path / name)
        for name in ("gateway", "recall", "rank", "indexer", "trainer")
    }
    for name in ("recall", "rank", "indexer"):
        assert importable(images[name], "paddle")
        assert not importable(images[name], "paddlenlp"), name
    assert importable(images["trainer"], "paddlenlp")
    command, environment = images["trainer"].command()
    usage = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "xunwen train [OPTIONS] COMMAND" in usage.stdout
    # runtime-paddle installs libgomp1 for exactly this.
    assert set(missing_libraries(images["gateway"])) == set()
    for name in ("recall", "rank", "indexer"):
        assert set(missing_libraries(images[name])) == {"libgomp.so.1"}, name

    ports = {name: free_port() for name in ("gateway", "recall", "rank", "indexer", "worker")}
    url = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    (tmp_path / "milvus").mkdir()
    (tmp_path / "redis").mkdir()
    with ExitStack() as stack:
        milvus = stack.enter_context(milvus_lite(tmp_path / "milvus"))
        redis = stack.enter_context(valkey(tmp_path / "redis"))
        shared = {
            "XUNWEN_GATEWAY_RECALL_URL": url["recall"],
            "XUNWEN_GATEWAY_RANK_URL": url["rank"],
            "XUNWEN_GATEWAY_INDEXER_URL": url["indexer"],
            "XUNWEN_GATEWAY_STATE_REDIS_URL": redis.url,
            "XUNWEN_GATEWAY_CACHE_REDIS_URL": redis.url,
            "XUNWEN_RECALL_MILVUS_URI": milvus.url,
            "XUNWEN_INDEXER_MILVUS_URI": milvus.url,
            "XUNWEN_INDEXER_STATE_REDIS_URL": redis.url,
            "XUNWEN_INDEXER_STORAGE_URL": str(tmp_path / "jobs"),
            "XUNWEN_INDEXER_URL": url["indexer"],
            "XUNWEN_INDEXER_RECALL_URL": url["recall"],
            "XUNWEN_INDEXER_WORKER_PORT": str(ports["worker"]),
        }
        for name in ("recall", "rank", "indexer", "gateway"):
            own = {
                f"XUNWEN_{name.upper()}_HOST": "127.0.0.1",
                f"XUNWEN_{name.upper()}_PORT": str(ports[name]),
            }
            ready = partial(answers, f"{url[name]}/readyz")
            stack.enter_context(started(images[name], {**shared, **own}, ready=ready))
        worker = ("-m", "services.indexer.worker")
        ready = partial(answers, f"{url['worker']}/livez")
        stack.enter_context(started(images["indexer"], shared, *worker, ready=ready))

        helm_test = [
            str(images["gateway"].program("python")),
            str(CHART / "files/search_test.py"),
            url["gateway"],
            "60",
        ]
        assert subprocess.run(helm_test, check=False).returncode == 0
        lines = "\n".join(
            json.dumps({"id": str(n), "title": f"论文{n}", "text": "深度学习"}) for n in range(50)
        )
        job = httpx.post(
            f"{url['gateway']}/v1/index-jobs?collection=papers&format=jsonl",
            content=lines.encode(),
            headers={"content-type": "application/x-ndjson"},
            timeout=30,
        ).raise_for_status()
        state = f"{url['gateway']}/v1/index-jobs/{job.json()['job_id']}"
        give_up = time.monotonic() + 120
        while (seen := httpx.get(state).json())["state"] in ("queued", "running"):
            assert time.monotonic() < give_up, seen
            time.sleep(0.2)
        assert (seen["state"], seen["counts"]["indexed"]) == ("succeeded", 50)
