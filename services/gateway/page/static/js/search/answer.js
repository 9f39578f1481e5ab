// Draws one answer: summary, timing, notices, facets and hits, or the message that nothing was found.

import { button, fill, h } from "../dom.js";
import { count, milliseconds } from "../format.js";
import { t } from "../messages.js";
import { announce, copy } from "../notify.js";
import { empty } from "../states.js";
import { openCite } from "./cite.js";
import { openExplain } from "./explain.js";
import { chosenChips, drawFacets, withValue } from "./facets.js";
import { drawHits, SHOWN } from "./hits.js";
import { loosened } from "./loosen.js";
import { meantSlot } from "./meant.js";
import { degradedBanner } from "./notices.js";
import { page } from "./request.js";
import { scale } from "./scores.js";
import { stageBar } from "./stages.js";
import { understoodLine } from "./understood.js";

function summary(result, cite) {
  const words = result.counted === "exact"
    ? t("search.summary.exact", count(result.hits.length), count(result.total))
    : t("search.summary", count(result.hits.length), result.total ? count(result.total) : "");
  return h("div.summary", {},
    h("p.numbers", {},
      h("b", {}, words),
      h("span.muted", {}, ` · ${milliseconds(result.took_ms)}`),
      result.cached ? h("span.badge.good", {}, t("search.cached")) : null),
    cite,
    button(t("search.share"), () => copy(location.href), { name: "copy", quiet: true }));
}

/**
 * The hits after those of an answer, page by page in one order: {left(), next()}, where `next`
 * gives hits that were not given before, at least as many as are shown at a time unless they end.
 */
function following(state, result) {
  const seen = new Set(result.hits.map(({ id }) => id));
  const fresh = []; // what came before a page that failed waits here
  let cursor = result.total > result.hits.length ? "*" : null;
  return {
    left: () => cursor !== null,
    async next() {
      // The order in pages may differ a little from the first answer's, which read fewer candidates.
      while (cursor !== null && fresh.length < SHOWN) {
        const found = await page(state, cursor);
        cursor = found.next_cursor;
        for (const hit of found.hits) {
          if (seen.has(hit.id)) continue;
          seen.add(hit.id);
          fresh.push(hit);
        }
      }
      return fresh.splice(0);
    },
  };
}

/**
 * Draws an answer into `root`. `offers` are what there is to filter by, `onchange(part)` gets a new
 * part of the state, `retry()` asks again.
 */
export function drawAnswer(root, { state, result, offers, onchange, retry }) {
  const onfilters = (filters) => onchange({ filters });
  let panel = root.querySelector(".facets");
  let main = root.querySelector(".results");
  if (!panel) {
    panel = h("aside.facets", { ariaLabel: t("facets") });
    main = h("section.results", { ariaLabel: t("search.hits") });
    fill(root, h("div.columns", {}, panel, main));
  }
  drawFacets(panel, { ...offers, filters: state.filters, onchange: onfilters });
  const list = h("div");
  const chosen = new Set();
  const ids = () => result.hits.map(({ id }) => id).filter((id) => !chosen.size || chosen.has(id));
  const cite = button(t("cite.all"), () => openCite(state.collection, ids()), { name: "file" });
  const onchoose = (id, whether) => {
    if (whether) chosen.add(id);
    else chosen.delete(id);
    cite.querySelector("span").textContent = chosen.size ? t("cite.some", chosen.size) : t("cite.all");
  };
  const chips = chosenChips(state, onchange);
  fill(main,
    degradedBanner(result.degraded, retry),
    result.of ? h("h2.similar-of", {}, t("similar.of", result.of.title || result.of.id)) : null,
    summary(result, result.hits.length ? cite : null),
    understoodLine(state, result.understood),
    meantSlot(),
    result.stages.length ? stageBar(result.stages) : null,
    chips.length ? h("div.row", {}, chips) : null,
    list);
  if (result.hits.length) {
    const scores = scale(result.hits);
    drawHits(list, result.hits, scores, {
      collection: state.collection,
      chosen,
      onchoose,
      onopen: (index) => openExplain(state, result.hits, scores, index),
      onfilter: (field, value) => onfilters(withValue(state.filters, field, value)),
      following: following(state, result),
    });
    announce(t("search.summary", result.hits.length, ""));
  } else {
    fill(list, empty(t("search.empty"), t("search.empty.text"), ...loosened(state, result, onchange)));
    announce(t("search.empty"));
  }
}
