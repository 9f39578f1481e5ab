"""Old jobs go, the newest stay, and no document goes with them."""

from collections.abc import Iterator

import pytest

from tests.indexer.installation import Installation, documents
from tests.waiting import eventually


@pytest.fixture
def forgetful(indexer: Installation) -> Iterator[Installation]:
    """An indexer whose settings of retention a test changes; as before afterwards."""
    before = dict(indexer.env)
    yield indexer
    indexer.env.clear()
    indexer.env.update(before)
    indexer.restart_with_settings(indexer.api)


def gone(indexer: Installation, job: str) -> bool:
    answer = indexer.client.get(f"/index-jobs/{job}")
    return answer.status_code == 404 and not (indexer.folder / "storage" / "jobs" / job).exists()


def listed(indexer: Installation) -> list[str]:
    return [job["id"] for job in indexer.client.get("/index-jobs").json()["jobs"]]


def test_the_newest_are_kept_by_number_and_by_age(forgetful: Installation) -> None:
    jobs = [forgetful.submit("retained", documents(5, prefix)) for prefix in "abcd"]
    for job in jobs:
        forgetful.succeeded(job)

    forgetful.env["XUNWEN_INDEXER_RETAINED_JOBS"] = "2"
    forgetful.restart_with_settings(forgetful.api)
    eventually(lambda: all(gone(forgetful, job) for job in jobs[:2]))
    # Jobs of other tests go in the same sweep, some of them later.
    eventually(lambda: listed(forgetful) == jobs[:1:-1])

    forgetful.env["XUNWEN_INDEXER_RETENTION_DAYS"] = "0.00001"  # less than a second
    forgetful.restart_with_settings(forgetful.api)
    eventually(lambda: all(gone(forgetful, job) for job in jobs))
    assert len(forgetful.ids("retained")) == 20
