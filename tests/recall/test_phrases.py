"""Which documents hold a phrase, and what a search with phrases answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from services.common.documents import Content
from services.common.request_context import Deadline
from services.common.wire.rank import MAX_TEXT_CHARS
from services.recall.domain import Found, Index, Wanted
from services.recall.fused import Fused
from services.recall.phrases import Phrases, holding
from tests.recall.test_recaller import FakeIndex


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
    ],
)
def test_a_title_holds_a_phrase(phrase: str, title: str, held: bool) -> None:
    assert Phrases(Wanted(1, 1, phrases=[phrase])).accept(title, "") is held
    assert Phrases(Wanted(1, 1, phrases=[phrase])).accept("题", f"文。{title}。") is held
    assert Phrases(Wanted(1, 1, exclude=[phrase])).accept(title, "") is not held


def test_a_phrase_does_not_reach_from_the_title_into_the_text() -> None:
    assert not Phrases(Wanted(1, 1, phrases=["神经网络"])).accept("神经", "网络")


@pytest.mark.parametrize("nothing", ["\u200b", "<p>", "<sub></sub>", "&shy;", "\u3000\ufeff"])
def test_a_phrase_of_no_character_selects_nothing_and_drops_nothing(nothing: str) -> None:
    assert Phrases(Wanted(1, 1, exclude=[nothing])).accept("水稻", "")
    assert not Phrases(Wanted(1, 1, exclude=[nothing, "水稻"])).accept("水稻", "")
    assert Phrases(Wanted(1, 1, phrases=[nothing])).accept("-AI-", "")
    assert not Phrases(Wanted(1, 1, phrases=[nothing, "小麦"])).accept("水稻", "")


@dataclass
class Texts(FakeIndex):
    """Documents whose texts are given; rank reads only their beginnings."""

    whole: dict[str, str] = field(default_factory=dict)

    async def with_texts(
        self, index: Index, found: Sequence[Found], deadline: Deadline
    ) -> list[Found]:
        return [one._replace(title="题", text=self.whole[one.id][:MAX_TEXT_CHARS]) for one in found]

    async def documents(
        self,
        physical: str,
        keys: Sequence[tuple[str, int | None]],
        server_time: int | None,
        deadline: Deadline,
    ) -> list[Content]:
        return [Content(id=one, title="题", text=self.whole[one]) for one, _ in keys]


async def test_a_long_text_is_read_to_its_end() -> None:
    whole = {
        "end": "水" * MAX_TEXT_CHARS + "深度学习",
        "none": "水" * MAX_TEXT_CHARS + "学习",
        "short": "深度学习",
    }
    fused = [Fused(Found(one, 1.0), 1.0, None, 1.0) for one in whole]
    index = Index("p", "e", "1", lexical=True)
    wanted = Wanted(10, 10, phrases=["深度学习"])
    kept = await holding(Texts(whole=whole), index, fused, wanted, Deadline.after(10))
    assert [one.document.id for one in kept] == ["end", "short"]
