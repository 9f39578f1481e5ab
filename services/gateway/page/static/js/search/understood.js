// How a query with operators was understood, in words.

import { h } from "../dom.js";
import { named, t } from "../messages.js";

/** Whether the query demands something beside its words. */
export function demands(state, understood) {
  if (!understood) return false;
  const { query, phrases, exclude } = understood;
  const words = (text) => (text ?? "").replace(/\s+/g, " ").trim();
  return phrases.length > 0 || exclude.length > 0 || words(query) !== words(state.query.normalize("NFKC"));
}

function value(given) {
  if (Array.isArray(given)) return [...new Set(given.map(String))].join(" / ");
  return String(given);
}

/** The parts of a filter as short texts. */
function conditions(filter, negated = false) {
  return Object.entries(filter ?? {}).flatMap(([name, given]) => {
    if (name === "and") return given.flatMap((one) => conditions(one, negated));
    if (name === "or") return conditions(given[0], negated); // The others say the same of values of other kinds.
    if (name === "not") return conditions(given, !negated);
    const field = named("field", name);
    const { any, gte, gt, lte, lt } = given;
    let text = `${field}：${value(any ?? given)}`;
    if (any === undefined && typeof given === "object") {
      text = `${field}：${gte ?? (gt === undefined ? "" : `>${gt}`)}–${lte ?? (lt === undefined ? "" : `<${lt}`)}`;
    }
    return [negated ? t("understood.not", text) : text];
  });
}

/** The values that a boost raises or lowers, with their factors; the order that newer years have is not in the query. */
function raised({ field, values = {} }) {
  return Object.entries(values).map(([one, factor]) =>
    t("understood.boost", `${named("field", field)}：${one}`, factor));
}

/** The line below the summary; null for a query of plain words. */
export function understoodLine(state, understood) {
  if (!demands(state, understood)) return null;
  const parts = [
    ...(understood.query ? [understood.query] : []),
    ...understood.phrases.map((phrase) => t("understood.phrase", phrase)),
    ...understood.exclude.map((word) => t("understood.not", word)),
    ...conditions(understood.filter),
    ...(understood.boosts ?? []).flatMap(raised),
  ];
  return h("p.understood.small", {}, h("span.muted", {}, t("understood")), " ",
    parts.map((part) => h("span.chip", {}, part)));
}
