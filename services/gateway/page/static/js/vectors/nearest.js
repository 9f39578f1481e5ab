// Shows the documents nearest to a text by its vector alone.

import * as api from "../api.js";
import { searchHref } from "../address.js";
import { h } from "../dom.js";
import { t } from "../messages.js";
import { bar } from "../search/scores.js";

const NEAREST = 8;

/**
 * Asks for the nearest documents of a collection, or of a partition unless that is empty, and
 * returns the section that shows them.
 */
export async function nearest(query, { collection, partition }, signal) {
  const where = { collection, partition: partition || undefined };
  const answer = await api.search(
    { query, ...where, mode: "dense", rank: false, top_k: NEAREST }, signal);
  const of = partition ? `${collection}${t("separator")}${t("partition.chosen", partition)}` : collection;
  return h("section.stack", {},
    h("div", {},
      h("h2", {}, t("vectors.nearest")),
      h("p.muted.small", {}, t("vectors.nearest.of", of))),
    answer.hits.length
      ? h("ol.nearest", {}, answer.hits.map((hit) => {
          const title = hit.title || hit.text.slice(0, 60);
          return h("li", {},
            h("a", { href: searchHref({ query: title, collection, partition }) }, title),
            bar("dense", Math.max(0, hit.scores.dense ?? 0), hit.scores.dense));
        }))
      : h("p.muted", {}, t("vectors.nearest.none")));
}
