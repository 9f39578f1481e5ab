// The search page before the first question: how it works, and examples.

import { searchHref, viewHref } from "../address.js";
import { h, icon } from "../dom.js";
import { count } from "../format.js";
import { t } from "../messages.js";

const STEPS = [["recall", "dense"], ["coarse", "coarse"], ["fine", "fine"], ["rerank", "rerank"]];

/** Questions that the sample literature answers. */
const EXAMPLES = [
  "怎么把照片自动画成不同风格的人像",
  "垃圾场封了以后怎样恢复绿化",
  "中西方语言与文化的差异",
  "怎样减少果蔬采后腐烂",
  "中药复方治疗糖尿病的机制",
  "deep learning 遥感图像分类",
];

export function intro() {
  return h("div.hero", {},
    h("h1", {}, t("search.hero")),
    h("p", {}, t("search.hero.text")));
}

/** The content below the box. `collection` is {name, count}, or null if it is not known. */
export function home(state, collection) {
  const bare = collection?.count === 0;
  return h("div.home", {},
    bare
      ? h("p.home-count", {}, t("search.none.indexed"), " ",
          h("a", { href: viewHref("jobs") }, t("problem.index")))
      : h("section.examples", { ariaLabel: t("search.try") },
          h("h2", {}, t("search.try")),
          h("ul", {}, EXAMPLES.map((query) => h("li", {},
            h("a", { href: searchHref({ ...state, query, filters: new Map() }), lang: "zh-CN" },
              icon("search"), query))))),
    h("ol.steps", {}, STEPS.map(([step, stage]) =>
      h("li", { data: { stage } },
        h("b", {}, t(`step.${step}`)), h("span", {}, t(`step.${step}.text`))))),
    collection && !bare
      ? h("p.home-count.muted", {}, t("search.count", count(collection.count), collection.name))
      : null);
}
