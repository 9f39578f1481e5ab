"""What `helm test` runs: index a document through the gateway, find it, delete it, find it no more.

    python search_test.py http://gateway:8000 240

It waits for so many seconds at most until all parts have started, as right after `helm install`.
Ends with 1 and says why if a step fails.
"""

import os
import sys
import time
import uuid

import httpx

COLLECTION = "helm_test"
TITLE = "部署检查:语义检索系统的安装验证"


def found(gateway: httpx.Client, document: str) -> bool:
    body = {"query": "检索系统装好了吗", "collection": COLLECTION, "top_k": 10}
    answer = gateway.post("/v1/search", json=body).raise_for_status().json()
    return any(hit["id"] == document for hit in answer["hits"])


class Failed(Exception):
    """A step did not do what it promised."""


def put(gateway: httpx.Client, path: str, seconds: float) -> None:
    """Writes the document, and tries again for so many seconds while something is not there yet.

    Raises httpx.HTTPError.
    """
    give_up = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= give_up
        try:
            answer = gateway.put(path, json={"title": TITLE, "text": TITLE})
            if late or answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                answer.raise_for_status()
                return
        except httpx.TransportError:
            if late:
                raise
        time.sleep(2)


def check(address: str, seconds: float) -> None:
    """Raises Failed or httpx.HTTPError at the first step that fails."""
    document = f"helm-test-{uuid.uuid4().hex}"
    path = f"/v1/collections/{COLLECTION}/documents/{document}"
    key = os.environ.get("XUNWEN_API_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=address, headers=headers, timeout=60) as gateway:
        put(gateway, path, seconds)
        if not found(gateway, document):
            raise Failed("a document that was just written is not found")
        gateway.delete(path).raise_for_status()
        if found(gateway, document):
            raise Failed("a document that was just deleted is still found")
        gateway.delete(f"/v1/collections/{COLLECTION}").raise_for_status()


if __name__ == "__main__":
    try:
        check(sys.argv[1], float(sys.argv[2]))
    except (Failed, httpx.HTTPError) as failure:
        sys.exit(f"failed: {failure}")
    sys.stdout.write("indexed, found and deleted a document\n")
