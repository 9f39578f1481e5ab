"""Folders of mixed files: each file is indexed or told why, and none stops another."""

import time
from collections import Counter

import pytest

from services.common.wire.input_formats import InputFormat
from tests.indexer.mixed import BROKEN, GOOD, folder
from tests.indexer.papers import zipped
from tests.indexer.planning import Case

TABLES = (".csv", ".json", ".xlsx", ".ris")


def outcomes(seed: int, count: int) -> Counter[str]:
    """What becomes of the files of a folder. Raises AssertionError for one that is not told."""
    files = folder(seed, count)
    assert len(files) == count
    content = zipped({name: content for name, (content, _) in files.items()})
    case = Case(f"memory://mixed/{seed}", content, 500, format=InputFormat.ZIP, charset=None)
    plan = case.plan()
    documents, rejected = case.documents(plan), case.rejected()
    assert plan.read == len(documents) + len(rejected) + plan.deduplicated
    ids = {item.document.id for item in documents}
    told = {item.file: item.reason for item in rejected}
    rows = sum(identity not in files for identity in ids)
    found: Counter[str] = Counter()
    for name, (_, kind) in files.items():
        assert not name.endswith(TABLES) or name not in ids
        indexed = name in ids or (name.endswith(TABLES) and name not in told)
        assert indexed or told[name], name
        assert kind != "good" or indexed, (name, told.get(name))
        assert kind != "broken" or not indexed, name
        found["indexed" if indexed else "told"] += 1
    good_tables = sum(k == "good" and n.endswith(TABLES) for n, (_, k) in files.items())
    assert rows >= good_tables
    print(Counter(reason.split(";")[0][:60] for reason in told.values()))
    return found


def test_a_folder_of_mixed_files_is_indexed_or_told() -> None:
    found = outcomes(1, len(GOOD) + len(BROKEN))
    assert found["told"] == len(BROKEN)
    assert found["indexed"] == len(GOOD)


@pytest.mark.soak
def test_two_hundred_mixed_files_are_indexed_or_told() -> None:
    for seed in (2, 3):
        begun = time.monotonic()
        found = outcomes(seed, 200)
        print(f"\n200 files: {dict(found)} in {time.monotonic() - begun:.1f} s")
        assert sum(found.values()) == 200
