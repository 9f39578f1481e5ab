// Compares the scores of one hit with those of the others, for each stage.

import { h } from "../dom.js";
import { score } from "../format.js";
import { named } from "../messages.js";

/** The stages that give scores, in the order of the cascade. */
export const SCORED = ["dense", "lexical", "recall", "coarse", "fine"];
const BOUNDED = new Set(["dense", "coarse", "fine"]);

/**
 * The place of each hit's scores among all hits: `share(hit, stage)` is 0 to 1 for a bar,
 * `place(hit, stage)` its rank by that score alone, null where the stage has no score;
 * `final(hit)` is the share of the final score: of 1 when ranked, else of the best hit's.
 */
export function scale(hits) {
  const columns = new Map(SCORED.map((stage) => {
    const values = hits.map((hit) => hit.scores[stage]).filter(Number.isFinite);
    return [stage, values.sort((a, b) => b - a)];
  }));
  const fits = (stage) => columns.get(stage).every((value) => value >= -1 && value <= 1);
  const ranked = columns.get("coarse").length > 0;
  const best = Math.max(...hits.map((hit) => hit.score));
  return {
    stages: SCORED.filter((stage) => columns.get(stage).length > 0),
    share(hit, stage) {
      const value = hit.scores[stage];
      if (!Number.isFinite(value)) return 0;
      const top = BOUNDED.has(stage) && fits(stage) ? 1 : columns.get(stage)[0];
      return top > 0 ? Math.min(1, Math.max(0, value / top)) : 0;
    },
    final: (hit) => Math.max(0, hit.score) / (ranked ? 1 : best || 1),
    place(hit, stage) {
      const value = hit.scores[stage];
      return Number.isFinite(value) ? columns.get(stage).indexOf(value) + 1 : null;
    },
  };
}

/** One bar with its name, its track and its value. */
export function bar(stage, share, value) {
  return h("div.bar", { data: { stage }, vars: { share } },
    h("span.bar-name", {}, named("score", stage)),
    h("span.bar-track", { ariaHidden: "true" }, h("span")),
    h("span.bar-value.numbers", {}, Number.isFinite(value) ? score(value) : "–"));
}
