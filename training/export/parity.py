"""Measures how far two computations of the same model agree."""

from collections.abc import Sequence

import numpy as np

from services.common.engine.predictor import FloatArray

PROBE = (
    "学术文献检索",
    "国有企业混合所有制改革与创新绩效",
    "semantic search of Chinese text",
    "水稻 抗旱性 基因表达",
    "基于深度学习的遥感图像道路提取方法",
    "论唐代边塞诗中的家国情怀",
    "如何降低糖尿病患者的心血管风险？",
    "采用有限元法分析了高速列车车体在气动载荷下的振动特性，并与实测结果比较。",
    "目的 探讨老年患者术后认知功能障碍的危险因素。方法 回顾性分析三年间收治的病例，"
    "按是否发生障碍分组，比较两组的年龄、手术时间与麻醉方式。"
    "结果 年龄和手术时间是独立的危险因素。结论 应缩短手术时间。",
    "Lyapunov stability of nonlinear systems with time delay 时滞非线性系统的稳定性",
)
"""Texts on which an exported program is compared with its network; they are short, long and
mixed."""

_PAIRS = 3


def probe_pairs(probe: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs for a ranker: each text as a query for itself and for the two texts after it.

    A pair of a text with itself is related and the others are not, so that the scores differ: among
    scores that are nearly equal the correlation would measure rounding alone.
    """
    return [
        (text, other) for at, text in enumerate(probe) for other in [*probe[at:], *probe][:_PAIRS]
    ]


def cosine(expected: FloatArray, got: FloatArray) -> float:
    """The least cosine of two float32 [n, dimension]."""
    scale = np.linalg.norm(expected, axis=1) * np.linalg.norm(got, axis=1)
    return float(((expected * got).sum(axis=1) / scale).min())


def correlation(expected: FloatArray, got: FloatArray) -> float:
    """Pearson's correlation of two float32 [n]."""
    return float(np.corrcoef(expected, got)[0, 1])
