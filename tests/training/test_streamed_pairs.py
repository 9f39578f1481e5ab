"""Pairs and judgements that stay in their files."""

import json
import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.ernie import tiny_ernie
from training.data.judged import Form, JudgedExample
from training.data.lines import LineFile, LinesById, lines_by_kind
from training.data.pairs import Pair, shows_paper, texts_of
from training.data.readers import columns, read_lines
from training.data.sources import PairFiles, StreamedPairs, read_pair_source
from training.data.stream import Batching, BatchStream, Position
from training.data.texts import own_texts, read_abstracts, read_documents, read_rows, split_texts
from training.failures import DataInvalid, RecipeInvalid
from training.objectives.inbatch import InbatchObjective, InbatchRecipe
from training.objectives.rank import RankObjective, RankRecipe
from training.run.recipe import ModelSettings
from training.run.trainer import train

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def files(tmp_path: Path) -> PairFiles:
    """Two groups of pairs, one with mined negatives and bad lines, and an evaluation paper."""
    web, own, papers = (tmp_path / name for name in ("web.tsv", "own.tsv", "papers.jsonl"))
    web.write_text("".join(f"问题{n}\t第{n}个问题的回答\n" for n in range(90)), "utf-8")
    lines = [f"钢铁{n}\t钢铁工业{n}\t煤炭{n}\t石油{n}\n" for n in range(60)]
    own.write_text("".join([*lines, "一列\n", "\n"]), "utf-8")
    papers.write_text(json.dumps({"id": "p", "title": "钢铁工业 7"}) + "\n", "utf-8")
    return PairFiles(pairs=(own,), general_pairs=(web,), exclude=(papers,))


def test_streamed_pairs_are_the_pairs(files: PairFiles, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng
    held = read_pair_source(files, {}, 0.2).split(rng(1))
    source = StreamedPairs(files, {}, 0.2)
    streamed = source.split(rng(1))
    assert [{*each} for each in streamed] == [{*each} for each in held]
    assert [len(each) for each in streamed] == [len(each) for each in held]
    assert "钢铁工业7" not in [pair.title for pair in streamed[0]]
    assert "own.tsv: 60 read, 1 malformed (line 61: 1 columns, 2 to 32 expected)" in caplog.text
    assert {*source.representatives()} == {pair.key for pair in held[0]}


def test_a_group_of_streamed_pairs_is_drawn_anew(files: PairFiles) -> None:
    source = StreamedPairs(files, {"web": 10}, 0.0)
    epochs = [source.split(np.random.default_rng(seed))[0] for seed in (1, 2)]
    drawn = [{pair.query for pair in pairs if pair.group == "web"} for pairs in epochs]
    assert [len(each) for each in drawn] == [10, 10]
    assert drawn[0] != drawn[1]
    assert len(StreamedPairs(files, {"web": 0}, 0.0).split(np.random.default_rng(1))[0]) == 59
    with pytest.raises(RecipeInvalid, match="per_epoch names webb; the groups of this data"):
        StreamedPairs(files, {"webb": 10}, 0.0)


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_no_text_of_a_pair_is_of_an_evaluation_paper(
    stream: bool, general: bool, tmp_path: Path
) -> None:
    papers, pairs = tmp_path / "papers.jsonl", tmp_path / "pairs.tsv"
    paper = {"id": "p", "title": "钢铁 工业", "abstract": "论钢铁。"}
    papers.write_text(json.dumps(paper) + "\n", "utf-8")
    lines = [f"问{n}\t答{n}\t负{n}\n" for n in range(30)]
    leaking = ["钢铁工业\t煤炭\n", "煤\t《钢铁工业》\n", "矿\t矿石\t论钢铁\n", "论钢铁\t矿\n"]
    pairs.write_text("".join([*lines, *leaking]), "utf-8")
    named = {"general_pairs" if general else "pairs": (pairs,)}
    files = PairFiles(exclude=(papers,), **named)
    reads = StreamedPairs if stream else read_pair_source
    trained, _ = reads(files, {}, 0.0).split(np.random.default_rng(1))
    queries = {pair.query for pair in trained}
    assert queries < {f"问{n}" for n in range(30)} if general else len(queries) == 30
    assert all(query.startswith("问") for query in queries)


def test_no_row_is_an_evaluation_paper(tmp_path: Path) -> None:
    """By one of its texts: an abstract may be printed in two versions."""
    papers, rows, natural = (tmp_path / name for name in ("p.jsonl", "rows.jsonl", "q.tsv"))
    papers.write_text(
        json.dumps({"id": "p", "title": "钢铁", "abstract": "论钢。"}) + "\n", "utf-8"
    )
    texts = [("钢铁", "别的摘要甲乙丙"), ("新题", "论钢"), ("水稻", "论水稻的种植")]
    rows.write_text(
        "".join(
            json.dumps({"id": f"r{at}", "title": title, "abstract": abstract}) + "\n"
            for at, (title, abstract) in enumerate(texts)
        ),
        "utf-8",
    )
    natural.write_text("".join(f"ask\t{q}\tr2\n" for q in ("怎样种稻", "钢铁")), "utf-8")
    held_out = texts_of([papers])
    assert [row["id"] for row in read_abstracts([rows], held_out)] == ["r2"]
    assert [row["id"] for row in read_rows([rows], "title", held_out)] == ["r2"]
    for stream in (False, True):
        trained, _ = split_texts([rows], [papers], 0.0, stream=stream)
        assert [*trained] == ["论水稻的种植"]
    files = PairFiles(natural=(natural,), abstracts=(rows,), exclude=(papers,))
    found = read_pair_source(files, {}, 0.0).fixed
    assert [pair.query for pair in found] == ["怎样种稻"]


@pytest.mark.parametrize(
    ("title", "abstract"),
    [
        ("國有企業的改革", "別的摘要"),
        ("别的题目", "論國有企業的 CO2 排放與 Rényi 熵。"),
        ("<b>国有</b>企业的改革", "别的摘要"),
        ("别的题目", "论国有企业的 CO<sub>2</sub> 排放与 Renyi 熵。"),
        ("国有企业的改&#38761;", "别的摘要"),
        ("国有\u200b企业的改革", "别的摘要"),
    ],
)
def test_a_held_out_paper_is_known_in_every_form_of_its_text(
    title: str, abstract: str, tmp_path: Path
) -> None:
    papers, rows = tmp_path / "papers.jsonl", tmp_path / "rows.jsonl"
    paper = {"id": "p", "title": "国有企业的改革", "abstract": "论国有企业的CO2排放与Rényi熵"}
    papers.write_text(json.dumps(paper), "utf-8")
    row = {"id": "r", "title": title, "abstract": abstract}
    other = {"id": "o", "title": "海洋生态", "abstract": "海洋生态的保护"}
    rows.write_text(f"{json.dumps(row)}\n{json.dumps(other)}", "utf-8")
    held_out = texts_of([papers])
    assert [each["id"] for each in read_rows([rows], "title", held_out)] == ["o"]
    assert [*read_documents([rows], held_out)] == ["o"]
    assert own_texts(rows, ("title",), held_out) == ["海洋生态"]
    shown = title if title != "别的题目" else abstract
    assert shows_paper(Pair("问", shown, "k", "g"), held_out)


def _batching() -> Batching[Pair]:
    return Batching(
        size=8,
        tokens=10_000,
        length=lambda pair: len(pair.title),
        group=lambda pair: pair.group,
        streamed=True,
    )


def test_batches_of_streamed_groups_mix_and_can_be_resumed(files: PairFiles) -> None:
    source = StreamedPairs(files, {}, 0.1)

    def walk(position: Position, count: int) -> list[tuple[list[Pair], Position]]:
        stream = iter(BatchStream(lambda rng: source.split(rng)[0], _batching(), 3, position))
        return [next(stream) for _ in range(count)]

    whole = walk(Position(), 40)
    first = [batch for batch, position in whole if position.epoch == 0 or position == Position(1)]
    expected = source.split(np.random.default_rng(0))[0]
    assert Counter(pair for batch in first for pair in batch) == Counter(expected)
    groups = [{pair.group for pair in batch} for batch in first]
    assert all(len(each) == 1 for each in groups)
    # Neither group comes as one block.
    assert sum(left != right for left, right in pairwise(groups)) > 2
    assert walk(whole[9][1], 30) == whole[10:]


def test_memory_does_not_follow_the_length_of_pairs(tmp_path: Path) -> None:
    path = tmp_path / "long.tsv"
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(f"问{n}\t{str(n) * 400}\n" for n in range(20_000))
    tracemalloc.start()
    try:
        source = StreamedPairs(PairFiles(pairs=(path,)), {}, 0.05)
        batches = _batching().batches(
            source.split(np.random.default_rng(1))[0], np.random.default_rng(2)
        )
        seen = sum(len(batch) for batch in batches)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen > 18_000
    assert peak < 4 << 20 < path.stat().st_size / 8


def test_memory_does_not_follow_the_number_of_malformed_lines(tmp_path: Path) -> None:
    path = tmp_path / "other.tsv"
    path.write_text("一\t二\n" + "一列\n" * 20_000, "utf-8")
    tracemalloc.start()
    try:
        _, report = read_lines(path, columns(2, 2))
        for _ in lines_by_kind([LineFile(path, columns(2, 2))], lambda _: 0):
            pass
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 400_000
    assert str(report).startswith("other.tsv: 1 read, 20000 malformed (line 2: 1 columns, 2 expe")
    assert str(report).endswith("line 21: 1 columns, 2 expected; and 19980 more)")


@pytest.mark.parametrize("content", [b"", b"one\n" * 500, b"\xff" * 2_000], ids=["", "one", "ff"])
def test_a_file_that_changes_under_a_run_is_one_clear_error(
    content: bytes, files: PairFiles
) -> None:
    pairs = StreamedPairs(files, {}, 0.0).split(np.random.default_rng(1))[0]
    (own,) = files.pairs
    with own.open("r+b") as stream:
        stream.truncate(0)
        stream.write(content)
    with pytest.raises(DataInvalid, match=r"own\.tsv has changed while its lines were being read"):
        list(pairs)


def test_documents_are_found_by_id(tmp_path: Path) -> None:
    path, again = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    rows = [{"id": f"d{n}", "title": f"题{n}", "text": f"文{n}"} for n in range(50)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    again.write_text(json.dumps({"id": "d7", "title": "新", "text": "版"}) + "\n", "utf-8")
    held_out = frozenset({"题3", "文4"})
    kept = read_documents([path, again], held_out)
    streamed = read_documents([path, again], held_out, stream=True)
    assert isinstance(streamed, LinesById)
    assert dict(streamed) == kept
    assert streamed["d7"] == "新\n版"
    assert [key in streamed for key in ("d3", "d4", "d5", "d", "zz")] == [False] * 2 + [True] + [
        False
    ] * 2


@pytest.fixture
def judgements(tmp_path: Path) -> dict[str, Any]:
    """Lists by id and by text, and grades."""
    by_id, texts, grades = (tmp_path / name for name in ("ids.tsv", "lists.tsv", "grades.tsv"))
    corpus, papers = tmp_path / "corpus.jsonl", tmp_path / "papers.jsonl"
    corpus.write_text(
        "".join(json.dumps({"id": f"d{n}", "title": f"海洋{n}"}) + "\n" for n in range(30)), "utf-8"
    )
    by_id.write_text("".join(f"问{n}\td{n}\td{n + 1}\td99\n" for n in range(29)), "utf-8")
    texts.write_text("".join(f"查{n}\t正{n}\t负{n}\t又{n}\n" for n in range(40)), "utf-8")
    grades.write_text("".join(f"级{n}\t题{n}\t{n % 3}\n" for n in range(30)), "utf-8")
    papers.write_text(json.dumps({"id": "p", "title": "负5"}) + "\n", "utf-8")
    return {
        "lists": (by_id,),
        "corpus": (corpus,),
        "general_lists": (texts,),
        "graded": (grades,),
        "exclude": (papers,),
    }


def test_streamed_judgements_are_the_judgements(judgements: dict[str, Any], tmp_path: Path) -> None:
    ernie = tiny_ernie(tmp_path / "ernie")
    sides = []
    for stream in (False, True):
        recipe = RankRecipe(
            **judgements,
            output=tmp_path / f"run-{stream}",
            model=ModelSettings(source=str(ernie)),
            steps=3,
            batch_size=4,
            max_tokens=32,
            validation=0.2,
            stream=stream,
        )
        objective = RankObjective.build(recipe)
        sides.append([{*objective.trained}, {*objective.validated}])
        batches = [*objective.batching().batches(objective.trained, np.random.default_rng(1))]
        assert all(len({objective.group(item) for item in batch}) == 1 for batch in batches)
        train(recipe, objective)
    assert sides[0] == sides[1]
    everything = sides[1][0] | sides[1][1]
    assert JudgedExample("问3", ("海洋3", "海洋4"), Form.LISTWISE, key="d3") in everything
    assert not [item for item in everything if "负5" in item.texts]


@pytest.mark.parametrize(("dimension", "fits"), [(8, True), (32, True), (33, False), (None, True)])
def test_a_dimension_beyond_the_states_is_refused(
    dimension: int | None, fits: bool, files: PairFiles, tmp_path: Path
) -> None:
    recipe = InbatchRecipe(
        output=tmp_path / "run",
        model=ModelSettings(source=str(tiny_ernie(tmp_path / "ernie"))),
        pairs=files.pairs,
        dimension=dimension,
        steps=1,
    )
    if fits:
        assert InbatchObjective.build(recipe).network.dimension == (dimension or 32)
        return
    with pytest.raises(RecipeInvalid, match=r"dimension is 33, .* have 32 numbers"):
        InbatchObjective.build(recipe)


def test_streamed_pairs_train(files: PairFiles, tmp_path: Path) -> None:
    recipe = InbatchRecipe(
        pairs=tuple(files.pairs),
        general_pairs=tuple(files.general_pairs),
        output=tmp_path / "run",
        model=ModelSettings(source=str(tiny_ernie(tmp_path / "ernie"))),
        steps=3,
        batch_size=8,
        max_tokens=32,
        dimension=8,
        negatives=1,
        stream=True,
    )
    assert (train(recipe, InbatchObjective.build(recipe)) / "config.json").is_file()
    with pytest.raises(ValueError, match="stream is for pairs and general_pairs"):
        InbatchRecipe.model_validate(recipe.model_dump() | {"alike": "words"})
    with pytest.raises(DataInvalid, match="does not exist"):
        StreamedPairs(PairFiles(pairs=(tmp_path / "absent.tsv",)), {}, 0.1)
