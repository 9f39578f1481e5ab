"""Keywords of abstracts: any number of them, as a list or as one text."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.data.sources import PairFiles, read_pair_source
from training.data.texts import read_abstracts

_ABSTRACT = "本文研究了高血压患者的饮食。结果表明低盐饮食有效。因此建议推广。"


def _file(folder: Path, *keywords: object) -> Path:
    path = folder / "abstracts.jsonl"
    rows: list[dict[str, Any]] = [
        {"id": str(number), "abstract": f"{number}{_ABSTRACT}", "keywords": given}
        for number, given in enumerate(keywords)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["高血压"], {"高血压"}),
        (["高血压", "低盐饮食"], {"高血压", "低盐饮食"}),
        ("高血压", {"高血压"}),
        ("高血压;低盐饮食； 推广；", {"高血压", "低盐饮食", "推广"}),
        ("高血压,低盐饮食、推广", {"高血压", "低盐饮食", "推广"}),
        ("salt, sodium; diet", {"salt, sodium", "diet"}),
        ("", set()),
        (None, set()),
        ([], set()),
    ],
)
def test_pairs_are_made_of_whole_keywords(given: object, words: set[str], tmp_path: Path) -> None:
    path = _file(tmp_path, given)
    assert {*read_abstracts([path], frozenset())[0]["keywords"]} == words
    source = read_pair_source(PairFiles(abstracts=(path,)), {}, 0.0)
    for seed in range(20):
        pairs, _ = source.split(np.random.default_rng(seed))
        found = [pair for pair in pairs if pair.group == "keywords-abstract"]
        assert len(found) == bool(words)
        for pair in found:
            chosen = [word for word in words if word in pair.query]
            assert len(chosen) >= min(2, len(words))
            assert len(pair.query) == len(" ".join(chosen)), "nothing else is in the query"


@pytest.mark.parametrize("given", [7, {"a": 1}, ["高血压", 3], ["高血压", " "], [["高血压"]]])
def test_other_keywords_are_a_malformed_line(
    given: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = read_abstracts([_file(tmp_path, ["推广"], given)], frozenset())
    assert [row["id"] for row in rows] == ["0"]
    assert "1 read, 1 malformed (line 2: 'keywords' is neither a list of texts nor" in caplog.text


def test_the_text_of_a_document_is_its_abstract(tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl"
    path.write_text(json.dumps({"id": "a", "text": _ABSTRACT}) + "\n", "utf-8")
    (row,) = read_abstracts([path], frozenset())
    assert row["abstract"] == _ABSTRACT
    (document,) = read_pair_source(PairFiles(abstracts=(path,)), {}, 0.0).documents().values()
    assert document == _ABSTRACT
