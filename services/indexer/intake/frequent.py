"""The most frequent Chinese characters.

They tell a text that was rightly decoded as Chinese from one in another language, such as Korean or
Japanese, whose bytes can be decoded as Chinese by accident.
"""

import re

from services.common.text.normalise import HAN, normalise

_SHARE = 0.35
"""Least share of FREQUENT. Of 3,000 titles of papers 99 in 100 have more than 0.5; Korean and
Japanese text that is decoded as GB18030 has 0.05 to 0.17, as random characters have."""
_HAN = re.compile(f"[{HAN}]")
_FEW = 4
"""Number of Chinese characters below which no text is judged."""
FREQUENT = frozenset(
    "的和了分对性用中为在法方度化结有一进与理于行系合研体生制究发以成基能及型量数高学大出地过"
    "应不定种果表是计模析效作动现提水国组明物实要时其程同机统通相关可力特产工构变间并率设文术"
    "测验下上算后本论个重影响建质子主区等式较多流人电标展形业面因年加比新经最值控到优素得解采"
    "技显点具期来件气低会位据内而利目该态原料长平强管题小类自部观试问治疗传速增器层代线之导向"
    "者例全从育前光入复证均市运立好外信品规差三处征源改降保确环含所路空指正维达存岩开参我酸别"
    "公探土段交两离由剂调资养心价单集施取压状条反这病网布预细将风活域道转评无场造海油收积义接"
    "检随图使波各矿求异意热讨此血白情拟干准着像更微选考常权配色针功液境混氧适步当菌染稳引事备"
    "然络二西述近总感且口社群样但置础温政植聚界次济共精供极况药江断金角织著根减认深石察科射家"
    "胞真景致材教整属决片势患密带起抗介联粒格综蛋南元杂级史直核艺广象列非日溶也回策务车叶案思"
    "先报移范序吸城床世花需输医球则粉创识号氨浓照际双查监支持频天少换视林民围仿超估注临限裂北"
    "脉桥越些月东安服径藏护散示边或给益除胶节污受推谱切律语农固快完如盐项游连战培板息争良阶们"
    "山念米破纳壤依都防简浆膜历足消已省装半美酶获初甲损载软放还殖善容台扩易缺清够包曲划升融局"
    "偏就领约他亚满索手氮红互周未草被激概司树富营补想牙再糖议田凝纤趋河航知族滤很藻呈见附斯革"
    "铁演神绿障壳尔阻编梁振措库校误绍险孔仅食湖健弹至键乙第骨何续跟青首择苏它急函落康冲门烟皮"
    "拉早踪排储说轮苗扰几跨季头诊判任儿旅泥克循四鱼失献名篇称摘份版责词字刊专卷页码链址书馆登"
    "记姓话户"
)
"""Frequent characters of titles and abstracts of Chinese papers, and of the usual names of
columns."""


def is_chinese(text: str) -> bool:
    """Whether a text has the frequent characters of Chinese, Simplified or Traditional."""
    found = _HAN.findall(normalise(text))
    return len(found) < _FEW or sum(char in FREQUENT for char in found) >= _SHARE * len(found)
