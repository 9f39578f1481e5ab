"""Candidates as recall sends them."""

from itertools import product
from pathlib import Path
from typing import Any

from services.common.blend import FittedWeights
from services.rank.features import NAMES

QUERY = "国有企业引入非国有资本对创新绩效的影响"
_SUBJECTS = ("国有企业", "民营经济", "海洋生态", "水稻种植", "量子计算", "城市交通", "文学翻译")
_ASPECTS = ("改革路径", "创新绩效", "保护机制", "发展战略", "评价方法", "历史变迁", "区域差异")
_METHODS = ("实证", "比较", "模型", "案例", "综述", "实验", "调查", "仿真")


def candidates(count: int, text: str = "") -> list[dict[str, Any]]:
    """Different papers in falling order; the first one's title is QUERY."""
    titles = [
        QUERY,
        *(f"{subject}{aspect}的{method}研究" for method, subject, aspect in
          product(_METHODS, _SUBJECTS, _ASPECTS)),
    ]  # fmt: skip
    return [
        {
            "id": f"p{number}",
            "title": title,
            "text": text and f"{title}。{text}",
            "dense": 0.9 - number / 1000,
            "lexical": 30.0 - number / 20 if number % 2 == 0 else None,
            "score": 1.0 - number / 1000,
        }
        for number, title in enumerate(titles[:count])
    ]


def write_blend(path: Path) -> Path:
    """A file of weights in which every phase counts, fitted for no model in particular."""
    weights = FittedWeights(
        dense_weight=0.6,
        coarse=dict.fromkeys(NAMES, 1.0),
        coarse_bias=-5.0,
        fine=20.0,
        fine_coarse=1.0,
        fine_bias=-10.0,
    )
    path.write_text(weights.model_dump_json(), "utf-8")
    return path
