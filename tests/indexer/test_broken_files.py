"""Broken files: no internal error, and every row of a file is indexed or rejected, none is lost."""

from collections import Counter

import pytest

from services.common.errors import InvalidRequest, SearchError
from services.indexer.intake.about import About
from services.indexer.intake.files.sandbox import Sandbox
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.record import BadInput
from services.indexer.intake.sniff import check_beginning
from services.indexer.intake.sources import STORED_FIRST, check_stored
from tests.indexer.broken_files import TOKEN, BrokenFile, broken_file
from tests.indexer.installation import Installation
from tests.indexer.planning import Case

HEAD_BYTES = 1 << 20


def submitted(file: BrokenFile, case: Case) -> None:
    """What the service checks before it accepts a job, and notes of it."""
    if not file.content:
        raise InvalidRequest("The body is empty.")
    told = check_beginning(file.content[:HEAD_BYTES], file.format, FieldMapping(), file.charset)
    mapping = told.mapping
    if file.format in STORED_FIRST:
        with Sandbox() as sandbox:
            about = About(file.format, mapping, sandbox, "", told.charset)
            mapping = check_stored(lambda: case.files.input("job"), about)
    noted = {"charset": told.charset, "mapping": mapping}
    case.manifest = case.manifest.model_copy(update=noted)


def check(file: BrokenFile, condition: bool, message: str) -> None:
    assert condition, (file.story, message)


def outcome(file: BrokenFile, seed: int) -> str:
    """What becomes of a file: refused, failed or planned. Raises AssertionError for a loss."""
    case = Case(
        f"memory://fuzz/{seed}",
        file.content,
        10,
        format=file.format,
    )
    try:
        submitted(file, case)
    except SearchError as error:
        check(file, error.status < 500 and error.detail.endswith((".", ")")), error.detail)
        return "refused"
    planner = case.planner()
    try:
        plan = planner.plan()
    except BadInput as error:
        check(file, str(error).endswith("."), str(error))
        return "failed"
    rejected = case.rejected() if planner.counts[1] else []
    documents = case.documents(plan)
    assert plan.read == len(documents) + len(rejected) + plan.deduplicated, file.story
    kept = {token for item in documents for token in TOKEN.findall(_text(item.document))}
    told = {token for item in rejected for token in TOKEN.findall(item.content)}
    assert file.tokens <= kept | told, (file.story, sorted(file.tokens - kept - told))
    if file.exact:
        assert plan.read == file.rows, file.story
        assert all(len(TOKEN.findall(item.content)) <= 1 for item in rejected), file.story
    return "planned"


def _text(document: object) -> str:
    return f"{document.id} {document.text}"  # type: ignore[attr-defined]


def run(seeds: range) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        outcomes[outcome(broken_file(seed), seed)] += 1
    return outcomes


def test_no_row_of_a_broken_file_is_lost() -> None:
    outcomes = run(range(400))
    print(f"\n{dict(outcomes)}")
    assert outcomes["planned"] > 100
    assert outcomes["failed"] > 10
    assert outcomes["refused"] > 10


@pytest.mark.soak
def test_no_row_of_thousands_of_broken_files_is_lost() -> None:
    outcomes = run(range(1_000, 6_000))
    print(f"\n5,000 broken files: {dict(outcomes)}")
    assert sum(outcomes.values()) == 5_000


def test_the_service_answers_broken_files_in_words(indexer: Installation) -> None:
    """Through HTTP, storage and worker: accepted files end, and their counts are exact."""
    jobs: list[tuple[BrokenFile, str]] = []
    for seed in range(500, 540):
        file = broken_file(seed)
        params = {"collection": "broken_files", "format": file.format.value}
        if file.charset:
            params["charset"] = file.charset.value
        response = indexer.client.post("/index-jobs", params=params, content=file.content)
        assert response.status_code in (202, 400, 415, 422), (file.story, response.text)
        if response.status_code == 202:
            jobs.append((file, response.json()["job_id"]))
        else:
            assert response.json()["detail"], file.story
    for file, job in jobs:
        ended = indexer.ended(job)
        counts = ended["counts"]
        if ended["state"] == "failed":
            assert ended["message"], file.story
            assert counts["indexed"] == 0
            continue
        settled = counts["indexed"] + counts["rejected"] + counts["deduplicated"]
        assert counts["read"] == settled, (file.story, ended)
        assert len(indexer.errors(job)) == counts["rejected"], file.story
        if file.exact:
            assert counts["read"] == file.rows, (file.story, ended)
