"""A bulk job whose state Redis fails over in the middle, by Sentinel."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.indexer.installation import documents, installation
from tests.redis_sets import PASSWORD, SENTINEL_PASSWORD, replicated
from tests.waiting import eventually


@pytest.mark.soak
def test_a_job_survives_the_loss_of_the_master(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with replicated(tmp_path / "redis") as servers:
        nodes = ",".join(f"127.0.0.1:{one.port}" for one in servers.sentinels)
        url = (
            f"redis+sentinel://:{quote(PASSWORD, safe='')}@{nodes}/papers/0"
            f"?sentinel_password={quote(SENTINEL_PASSWORD, safe='')}"
        )
        with installation(tmp_path, XUNWEN_INDEXER_STATE_REDIS_URL=url) as running:
            first = running.submit("papers", documents(800))
            running.indexed(first, 100)
            old = servers.master
            old.kill()
            # What is accepted while there is no master is kept as well.
            second = running.submit("papers", documents(200, "later"))
            servers.replace(old)
            for job in (first, second):
                running.succeeded(job)
            assert len(running.ids("papers")) == 1_000

            # The old master comes back as a replica, and the next failover goes to it.
            old.start()
            eventually(lambda: servers.replicas == 1)
            third = running.submit("papers", documents(400, "again"))
            running.indexed(third, 50)
            now = servers.master
            now.kill()
            assert servers.replace(now) is old
            running.succeeded(third)
            assert len(running.ids("papers")) == 1_400
            answer = running.client.get("/readyz")
            assert answer.status_code == 200, answer.text
