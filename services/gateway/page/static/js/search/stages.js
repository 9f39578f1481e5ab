// The timing bar, which shows to scale how long each stage of the cascade took.

import { h } from "../dom.js";
import { count, milliseconds } from "../format.js";
import { named, t } from "../messages.js";

/**
 * Stages that enclose others. Such a stage is shown only if the answer has none of those inside it,
 * as after rank has failed.
 */
const ENCLOSING = {
  recall: ["encode", "dense", "lexical", "fuse"],
  rank: ["coarse", "fine", "rerank"],
};
const KNOWN = new Set(["encode", "dense", "lexical", "fuse", "coarse", "fine", "rerank"]);
const color = (name) => (KNOWN.has(name) ? name : "other");

function innermost(stages) {
  const names = new Set(stages.map(({ name }) => name));
  return stages.filter(({ name }) => !ENCLOSING[name]?.some((inner) => names.has(inner)));
}

/** @param stages [{name, took_ms, candidates}] of an answer; `legend` names them below the bar */
export function stageBar(all, { legend = true } = {}) {
  const stages = innermost(all);
  const total = stages.reduce((sum, stage) => sum + stage.took_ms, 0) || 1;
  return h("figure.stages", { ariaLabel: t("stages") },
    h("div.stage-bar", { ariaHidden: String(legend) }, stages.map((stage) =>
      h("span", {
        data: { stage: color(stage.name) }, vars: { share: stage.took_ms / total },
        title: `${named("stage", stage.name)} ${milliseconds(stage.took_ms)}`,
      }))),
    legend && h("ul.stage-legend", { title: t("stages.note") }, stages.map((stage) =>
      h("li", { data: { stage: color(stage.name) } },
        named("stage", stage.name), " ",
        h("b.numbers", {}, milliseconds(stage.took_ms)),
        stage.candidates > 1
          ? h("span.muted", {}, " ", t("stages.seen", count(stage.candidates)))
          : null))));
}
