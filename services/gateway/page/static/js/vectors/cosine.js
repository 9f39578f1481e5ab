// Compares two vectors: their cosine, and the dimensions that contribute most to it.

import { h } from "../dom.js";
import { t } from "../messages.js";
import { strip } from "./strip.js";

const norm = (vector) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));

/**
 * The product of both vectors at length one in each dimension; the sum of the products is the
 * cosine.
 */
export function products(a, b) {
  const lengths = norm(a) * norm(b) || 1;
  return a.map((value, i) => (value * b[i]) / lengths);
}

export function comparison(a, b) {
  const parts = products(a, b);
  const cosine = parts.reduce((sum, value) => sum + value, 0);
  return h("section.card.stack.comparison", {},
    h("div.cosine", {},
      h("h2", {}, t("vectors.cosine")),
      h("output.numbers", {}, cosine.toFixed(4)),
      h("div.cosine-track", { ariaHidden: "true", vars: { at: (cosine + 1) / 2 } },
        h("i"), h("span", {}, "−1"), h("span", {}, "0"), h("span", {}, "1"))),
    h("p.muted.small", {}, t("vectors.cosine.text")),
    strip(t("vectors.product"), parts));
}
