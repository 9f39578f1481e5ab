// One answer: summary, timing, notices, facets and hits - or the word that nothing was found.

import { button, fill, h } from "../dom.js";
import { count, milliseconds } from "../format.js";
import { t } from "../messages.js";
import { announce, copy } from "../notify.js";
import { empty } from "../states.js";
import { openExplain } from "./explain.js";
import { chosenChips, drawFacets, offers, withValue } from "./facets.js";
import { drawHits } from "./hits.js";
import { degradedBanner } from "./notices.js";
import { scale } from "./scores.js";
import { candidates, stageBar } from "./stages.js";

function summary(result) {
  const seen = candidates(result.stages);
  return h("div.summary", {},
    h("p.numbers", {},
      h("b", {}, t("search.summary", count(result.hits.length), seen ? count(seen) : "")),
      h("span.muted", {}, ` · ${milliseconds(result.took_ms)}`),
      result.cached ? h("span.badge.good", {}, t("search.cached")) : null),
    button(t("search.share"), () => copy(location.href), { name: "copy", quiet: true }));
}

/**
 * Draws into `root`. `offered` are the hits that the facets count over, `onchange(part)` gets
 * a new part of the state, `retry()` asks again.
 */
export function drawAnswer(root, { state, result, offered, onchange, retry }) {
  const onfilters = (filters) => onchange({ filters });
  let panel = root.querySelector(".facets");
  let main = root.querySelector(".results");
  if (!panel) {
    panel = h("aside.facets", { ariaLabel: t("facets") });
    main = h("section.results", { ariaLabel: t("search.hits") });
    fill(root, h("div.columns", {}, panel, main));
  }
  drawFacets(panel, {
    facets: offers(offered), seen: offered.length, filters: state.filters, onchange: onfilters,
  });
  const list = h("div");
  const chips = chosenChips(state.filters, onfilters);
  fill(main,
    degradedBanner(result.degraded, retry),
    summary(result),
    result.stages.length ? stageBar(result.stages) : null,
    chips.length ? h("div.row", {}, chips) : null,
    list);
  if (result.hits.length) {
    const scores = scale(result.hits);
    drawHits(list, result.hits, scores, {
      onopen: (index) => openExplain(state, result.hits, scores, index),
      onfilter: (field, value) => onfilters(withValue(state.filters, field, value)),
    });
    announce(t("search.summary", result.hits.length, ""));
  } else {
    const loosen = state.filters.size
      ? button(t("search.empty.filters"), () => onfilters(new Map()), { kind: "primary" })
      : null;
    fill(list, empty(t("search.empty"), t("search.empty.text"), ...(loosen ? [loosen] : [])));
    announce(t("search.empty"));
  }
}
