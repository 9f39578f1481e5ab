"""Sentences and key terms of Chinese scholarly text, found by rules without a model."""

import re

_SENTENCE = re.compile(r"[^。！？!?；;]*?(?:[。！？!?；;]|(?<![A-Za-z0-9])\.|\.(?![A-Za-z0-9])|$)")
_LABEL = re.compile(r"^\s*[\[【(（]?(?:目的|方法|结果|结论|背景|摘要|意义)[\]】)）]?\s*[:：]?\s*")
_OPENING = re.compile(
    r"^(?:(?:本文|文章|该文|本研究|本论文|作者|论文|主要|重点|首先|旨在|拟|并|通过|为了?|针对|结合|"
    r"进一步|初步|系统地?|详细地?|深入|对)*"
    r"(?:探讨|研究|分析|提出|介绍|讨论|阐述|论述|总结|评价|观察|比较|了解|探索|建立|考察|综述|报道|设计|"
    r"给出|描述|概述|揭示|回顾|评估|明确|调查)(?:了|和探讨|和研究|和分析|并分析)?(?:一种|一个|一类)?)"
)
_FUNCTION = re.compile(
    r"的|了|与|和|及其?|在|对|以及?|为|从|中(?=[的之])|之|于|是|基于|关于|浅谈|试论|论|"
    r"初探|探讨|研究|分析|应用|影响|方法|进展|问题|对策|措施|思考|启示|综述|评价|比较|探析|"
    r"[\s,，.。:：;；、()（）\"“”'《》【】\[\]——\-/?？!！]+"
)
_GENERIC = frozenset(
    [
        "我国",
        "中国",
        "本文",
        "不同",
        "一种",
        "一个",
        "进行",
        "采用",
        "通过",
        "结果",
        "表明",
        "目的",
        "结论",
        "作用",
        "情况",
        "发展",
        "关系",
        "特点",
        "因素",
        "过程",
        "条件",
        "具有",
        "主要",
        "以下",
        "可以",
        "同时",
        "提出",
        "建立",
        "相关",
        "重要",
        "我们",
        "他们",
        "其中",
        "因此",
        "所以",
        "但是",
    ]
)
TITLE_CHARS = (8, 50)
TERM_CHARS = (2, 14)


def sentences(text: str) -> list[str]:
    """The sentences of `text` with their closing marks; joined, they are the text again."""
    return [match.group() for match in _SENTENCE.finditer(text) if match.group().strip()]


def title_like(sentence: str) -> str | None:
    """The topic of a scholarly sentence in the form of a title; None if it has none.

    「本文探讨了甲对乙的影响。」 gives 「甲对乙的影响」.
    """
    bare = _LABEL.sub("", sentence).strip(" 。.！？!?；;")
    subject = _OPENING.sub("", bare, count=1)
    if subject == bare:
        return None
    subject = re.split(r"[,，。:：;；]", subject, maxsplit=1)[0].strip()
    return subject if TITLE_CHARS[0] <= len(subject) <= TITLE_CHARS[1] else None


def key_terms(text: str) -> list[str]:
    """The stretches between function words and marks, in order, each once; they resemble
    keywords."""
    terms = (part.strip() for part in _FUNCTION.split(text) if part)
    return [
        term
        for term in dict.fromkeys(terms)
        if TERM_CHARS[0] <= len(term) <= TERM_CHARS[1] and term not in _GENERIC
    ]
