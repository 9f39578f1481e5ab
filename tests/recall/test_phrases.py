"""Which documents hold a phrase, and what a search with phrases answers."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.documents import Content
from services.common.errors import DeadlineExceeded
from services.common.request_context import Deadline
from services.common.wire.passages import Passage, ShownPassages
from services.recall.domain import Found, Index, Wanted
from services.recall.legs.fusion import Fused
from services.recall.query.phrases import BLOCK, Phrases, holding
from tests.recall.legs import FakeIndex
from tests.turns import turns_beside


@pytest.mark.parametrize(
    ("phrase", "title", "held"),
    [
        ("卷积神经网络", "基于卷积神经网络的识别", True),
        ("卷积神经网络", "卷积与神经网络", False),
        ("微积分", "微積分教學", True),
        ("微積分", "微积分教学", True),
        ("ＢＥＲＴ 模型", "BERT模型综述", True),
        ("AI", "AI 与法律", True),
        ("AI", "人工智能AI技术", True),
        ("AI", "RAINFALL", False),
        ("IL-6", "il-6 的表达", True),
        ("IL-6", "IL-60", False),
        ("3.14", "取3.14为", True),
        ("café", "Cafe 文化", True),
        ("CO2", "CO<sub>2</sub> 还原", True),
        ("C++", "C++程序设计", True),
        ("(a|b)", "[a|b]", False),
        ("卷积神经网络", "卷积神经\n网络", True),
        ("卷积神经网络", "卷积　神经 网络", True),
        ("深度 学习", "深度学习", True),
        ("深度 学习", "深度\r\n学习", True),
        ("模型（BERT）的应用", "模型 (BERT) 的应用", True),
        ("α粒子", "α 粒子", True),
        ("深度学习", "深度，学习", False),
        ("deep learning", "deeplearning", False),
        ("deep learning", "deep\nlearning", True),
        ("deeplearning", "deep learning", False),
        ("3 4", "34", False),
        ("C", "C++程序设计", False),
        ("C", "C# 语言", False),
        ("C", "C语言", True),
        ("PM2", "PM2.5浓度", False),
        ("PM2", "PM2。5种", True),
        ("3", "取3.14为", False),
        ("14", "取3.14为", False),
        ("2.8", "v1.2.8", False),
        ("10", "10³个", False),
        ("3", "10³个", False),
        ("2019", "in 2019. The", True),
        ("Fig", "Fig.2", True),
        ("рис", "рисунок", False),
        ("рис", "рис и вода", True),
        ("IL-1", "IL-1β", False),
        ("한국", "한국의 역사", True),
    ],
)
def test_a_title_holds_a_phrase(phrase: str, title: str, held: bool) -> None:
    assert Phrases(Wanted(1, 1, phrases=[phrase])).accept(title, "") is held
    assert Phrases(Wanted(1, 1, phrases=[phrase])).accept("题", f"文。{title}。") is held
    assert Phrases(Wanted(1, 1, exclude=[phrase])).accept(title, "") is not held


@pytest.mark.parametrize("phrase", ["神经网络", "neural network"])
@pytest.mark.parametrize("form", ["{}|{}||", "|{}|{}|", "|{}||{}", "|||{}\n{}"])
async def test_a_phrase_does_not_reach_from_one_part_of_a_document_into_another(
    phrase: str, form: str
) -> None:
    """The passages that a leg found were read as one text with the text and with each other, and
    the text as one with the body."""
    first, second = phrase[: len(phrase) // 2].strip(), phrase[len(phrase) // 2 :].strip()
    title, text, body, passages = form.format(first, second).split("|")
    source = Bodies(members={"d": (title, text, body)}, shown=passages.splitlines())
    assert await source.kept(Wanted(1, 1, phrases=[phrase])) == []
    assert await source.kept(Wanted(1, 1, exclude=[phrase])) == ["d"]


async def test_a_passage_that_holds_a_phrase_decides_before_the_body_is_read() -> None:
    source = Bodies(members={"d": ("题", "文", "体")}, shown=["水稻与小麦"])
    assert await source.kept(Wanted(1, 1, phrases=["小麦"])) == ["d"]
    assert await source.kept(Wanted(1, 1, exclude=["小麦"])) == []
    assert source.bodies_of == []


@pytest.mark.parametrize("nothing", ["\u200b", "<p>", "<sub></sub>", "&shy;", "\u3000\ufeff"])
def test_a_phrase_of_no_character_selects_nothing_and_drops_nothing(nothing: str) -> None:
    assert Phrases(Wanted(1, 1, exclude=[nothing])).accept("水稻", "")
    assert not Phrases(Wanted(1, 1, exclude=[nothing, "水稻"])).accept("水稻", "")
    assert Phrases(Wanted(1, 1, phrases=[nothing])).accept("-AI-", "")
    assert not Phrases(Wanted(1, 1, phrases=[nothing, "小麦"])).accept("水稻", "")


@dataclass
class Bodies(FakeIndex):
    """Documents of title, text and body, with a record of what each read asked for."""

    members: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    shown: Sequence[str] = ()
    """Passages of each document that the legs found."""
    read: list[int] = field(default_factory=list)
    """Number of documents of each read."""
    bodies_of: list[str] = field(default_factory=list)
    """Ids of the documents whose bodies were asked for."""

    async def documents(
        self,
        physical: str,
        keys: Sequence[tuple[str, int | None]],
        server_time: int | None,
        deadline: Deadline,
    ) -> list[Content]:
        self.read.append(len(keys))
        members = self.members
        return [Content(id=one, title=members[one][0], text=members[one][1]) for one, _ in keys]

    async def passages(
        self, index: Index, numbers: Mapping[str, Sequence[int]], deadline: Deadline
    ) -> Mapping[str, ShownPassages]:
        self.read.append(len(numbers))
        return {
            one: ShownPassages(
                count=9,
                passages=[Passage(number=at, start=0, end=9, text=self.shown[at]) for at in some],
            )
            for one, some in numbers.items()
        }

    async def bodies(
        self, index: Index, ids: Sequence[str], deadline: Deadline
    ) -> AsyncIterator[Mapping[str, str]]:
        if ids:
            self.read.append(len(ids))
        self.bodies_of.extend(ids)
        for one in ids:
            if body := self.members[one][2]:
                yield {one: body}

    async def kept(self, wanted: Wanted, seconds: float = 10) -> list[str]:
        places = tuple((place, 1.0) for place in range(len(self.shown)))
        found = [Found(one, 1.0, passages=places) for one in self.members]
        fused = [Fused(one, 1.0, None, 1.0) for one in found]
        index = Index("p", "e", "1", lexical=True)
        kept = await holding(self, index, fused, wanted, Deadline.after(seconds))
        return [one.document.id for one in kept]


SHORT = st.text("水稻 ab1\n", max_size=5)
SOUGHT = st.lists(st.text("水稻 ab1", min_size=1, max_size=2), max_size=2)


@settings(deadline=None)
@given(st.lists(st.tuples(SHORT, SHORT, SHORT), max_size=8), SOUGHT, SOUGHT)
async def test_what_is_kept_is_what_the_whole_documents_hold(
    documents: list[tuple[str, str, str]], phrases: list[str], exclude: list[str]
) -> None:
    source = Bodies(members={f"d{place}": one for place, one in enumerate(documents)})
    wanted = Wanted(10, 10, phrases=phrases, exclude=exclude)
    plain = [
        identity for identity, texts in source.members.items() if Phrases(wanted).accept(*texts)
    ]
    assert await source.kept(wanted) == plain


async def test_no_read_asks_for_more_than_a_block_of_documents() -> None:
    bodies = {
        f"d{place}": ("题", "文" * (place % 2 * 3_000), "水稻" if place % 3 else "小麦")
        for place in range(3 * BLOCK + 7)
    }
    source = Bodies(members=bodies)
    kept = await source.kept(Wanted(10, 10, phrases=["水稻"]))
    assert kept == [one for one, members in bodies.items() if members[2] == "水稻"]
    assert max(source.read) <= BLOCK
    assert source.bodies_of == [*bodies]


@pytest.mark.parametrize(
    ("phrases", "exclude", "asked"),
    [
        (["水稻"], [], ["wheat", "neither"]),
        (["水稻", "小麦"], [], ["rice", "wheat", "neither"]),
        ([], ["水稻"], ["wheat", "neither"]),
        (["小麦"], ["水稻"], ["wheat", "neither"]),
    ],
)
async def test_bodies_are_read_of_undecided_documents_only(
    phrases: list[str], exclude: list[str], asked: list[str]
) -> None:
    source = Bodies(
        members={
            "rice": ("水稻", "", "体"),
            "wheat": ("题", "小麦", "体"),
            "neither": ("", "", "体"),
        }
    )
    await source.kept(Wanted(10, 10, phrases=phrases, exclude=exclude))
    assert source.bodies_of == asked


async def test_a_deadline_that_passes_between_blocks_is_told() -> None:
    class Slow(Bodies):
        async def documents(self, *asked: Any) -> list[Content]:
            await asyncio.sleep(0.05)
            return await super().documents(*asked)

    source = Slow(members={f"d{place}": ("水稻", "", "") for place in range(3 * BLOCK)})
    with pytest.raises(DeadlineExceeded):
        await source.kept(Wanted(10, 10, phrases=["水稻"]), seconds=0.02)
    assert source.read == [BLOCK]


@pytest.mark.parametrize(
    "members",
    [
        {f"d{place}": ("题", "量子计算与超导。" * 2_500, "") for place in range(80)},
        {"d0": ("题", "", "量子计算与超导。" * 160_000)},
    ],
    ids=["texts", "body"],
)
async def test_other_searches_go_on_while_long_documents_are_compared(
    members: Mapping[str, tuple[str, str, str]],
) -> None:
    """Those of one block took recall half a second, in which it answered nobody."""
    async with turns_beside() as turns:
        await Bodies(members=members).kept(Wanted(10, 10, phrases=["深度学习"]))
    assert turns.taken > 1
