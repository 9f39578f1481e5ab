"""What jobs leave in milvus-lite, whose BM25 knows the words of one segment only."""

import pyarrow.parquet as pq

from tests.indexer.installation import Installation, literature


def _segments(indexer: Installation, collection: str) -> list[int]:
    """The rows of each segment that is written."""
    data = indexer.folder.glob(f"milvus/collections/{collection}__*/partitions/*/data/*.parquet")
    return [pq.ParquetFile(file).metadata.num_rows for file in data]


def _index(indexer: Installation, collection: str, count: int, prefix: str = "p") -> None:
    job = indexer.submit(collection, literature(count, prefix))
    assert indexer.ended(job)["state"] == "succeeded"


def test_a_job_of_many_parts_leaves_one_segment(indexer: Installation) -> None:
    _index(indexer, "one_segment", 900)
    assert _segments(indexer, "one_segment") == [900]


def test_a_large_job_leaves_no_small_segment_at_its_end(indexer: Installation) -> None:
    _index(indexer, "large_job", 5_050)
    assert _segments(indexer, "large_job") == [5_000]
    assert len(indexer.ids("large_job")) == 5_050


def test_rows_of_small_jobs_wait_for_more(indexer: Installation) -> None:
    _index(indexer, "small_jobs", 50, "few")
    assert _segments(indexer, "small_jobs") == []
    assert len(indexer.ids("small_jobs")) == 50
    _index(indexer, "small_jobs", 160, "more")
    assert _segments(indexer, "small_jobs") == [210]


def test_a_job_that_a_kill_interrupted_leaves_nothing_unflushed(indexer: Installation) -> None:
    # Fewer than the 200 that are flushed are left for the process that ends the job.
    job = indexer.submit("killed_between", literature(250))
    indexer.indexed(job, 100)
    indexer.restart(indexer.api)
    assert indexer.ended(job)["state"] == "succeeded"
    assert sum(_segments(indexer, "killed_between")) == 250
