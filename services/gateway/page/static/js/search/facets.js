// Offers filters with counts, made from the fields of the hits: words to choose, numbers as ranges.

import { readSearch } from "../address.js";
import { button, debounce, fill, h, icon } from "../dom.js";
import { count } from "../format.js";
import { named, t } from "../messages.js";
import { ORIGINAL } from "./original.js";

const SHOWN = 8;
const TYPING_MS = 500;
const open = new Set(); // facets whose long lists the reader opened

/** The order of facets: single values (a discipline), then numbers (a year), then lists (keywords). */
function weight({ values, lists }) {
  if (!values) return 1;
  return lists ? 2 : 0;
}

/**
 * The facets of the hits: [{field, values: [[value, hits]], lists} | {field, low, high}].
 * A text field that differs in every hit (a DOI, say) is no filter and is left out, and so is
 * a word of a list (a keyword) that only one hit has.
 */
function offers(hits) {
  const byField = new Map();
  for (const { fields } of hits) {
    for (const [field, given] of Object.entries(fields)) {
      if (field === ORIGINAL) continue;
      const values = byField.get(field) ?? [];
      byField.set(field, values);
      values.push(...(Array.isArray(given) ? given : [given]));
    }
  }
  const facets = [];
  for (const [field, values] of byField) {
    if (values.every((value) => typeof value === "number")) {
      facets.push({ field, low: Math.min(...values), high: Math.max(...values) });
    } else if (values.every((value) => typeof value === "string")) {
      const tally = new Map();
      for (const value of values) tally.set(value, (tally.get(value) ?? 0) + 1);
      const lists = hits.some(({ fields }) => Array.isArray(fields[field]));
      const sorted = [...tally].sort((a, b) => b[1] - a[1])
        .filter(([, n]) => n > 1 || !lists);
      if (sorted.length && sorted[0][1] > 1) facets.push({ field, values: sorted, lists });
    }
  }
  return facets.sort((a, b) => weight(a) - weight(b));
}

/** The facets from the counts of an answer, which cover all that was found and not only the hits. */
function counted({ facets, total }) {
  const offered = [];
  for (const [field, { values, other, missing, low, high }] of Object.entries(facets)) {
    if (field === ORIGINAL) continue;
    if (values.length && values.every(({ value }) => typeof value === "number")) {
      offered.push({ field, low, high });
    } else if (values.every(({ value }) => typeof value === "string")) {
      const named = values.map(({ value, count: documents }) => [value, documents]);
      const lists = named.reduce((sum, [, n]) => sum + n, other) > total - missing;
      const often = named.filter(([, n]) => n > 1 || !lists);
      if (often.length && often[0][1] > 1) offered.push({ field, values: often, lists, other });
    }
  }
  return offered.sort((a, b) => weight(a) - weight(b));
}

/** What an answer offers to filter by, with the words that say what was counted. */
export function offered(answer) {
  if (!answer.facets) {
    return { facets: offers(answer.hits), note: t("facets.note", answer.hits.length) };
  }
  return { facets: counted(answer), note: t(`facets.note.${answer.counted}`, count(answer.total)) };
}

function toggled(filters, field, value) {
  const next = new Map(filters);
  const any = next.get(field)?.any ?? [];
  const left = any.includes(value) ? any.filter((one) => one !== value) : [...any, value];
  if (left.length) next.set(field, { any: left });
  else next.delete(field);
  return next;
}

function choices({ field, values, other = 0 }, filters, onchange) {
  const chosen = filters.get(field)?.any ?? [];
  const missing = chosen.filter((value) => !values.some(([name]) => name === value));
  const all = [...missing.map((value) => [value, 0]), ...values];
  const cut = open.has(field) ? all : all.filter(([value], i) => i < SHOWN || chosen.includes(value));
  const list = h("ul", {}, cut.map(([value, hits]) =>
    h("li", {}, h("label", {},
      h("input", {
        type: "checkbox", checked: chosen.includes(value), data: { facet: `${field} ${value}` },
        onchange: () => onchange(toggled(filters, field, value)),
      }),
      h("span", {}, value), h("span.count.numbers", {}, count(hits))))));
  const more = all.length > cut.length
    ? button(t("facets.all", all.length), () => { open.add(field); onchange(filters); }, { kind: "quiet" })
    : null;
  return [list, more, other ? h("p.small.muted", {}, t("facets.other", count(other))) : null];
}

function range({ field, low, high }, filters, onchange) {
  const now = filters.get(field) ?? {};
  const name = named("field", field);
  const input = (end, label, hint) => {
    const change = debounce((control) => {
      delete control.dataset.typed;
      const next = readSearch().filters; // the other end may have changed since this was drawn
      const { [end]: _, any, ...rest } = next.get(field) ?? {};
      const given = control.value === "" ? {} : { [end]: Number(control.value) };
      const bounds = { ...rest, ...given };
      if (Object.keys(bounds).length) next.set(field, bounds);
      else next.delete(field);
      onchange(next);
    }, TYPING_MS);
    return h("input.input.numbers", {
      type: "number", value: now[end] ?? "", placeholder: String(hint), ariaLabel: label, step: "any",
      data: { facet: `${field} ${end}` },
      oninput: ({ target }) => {
        target.dataset.typed = "";
        change(target);
      },
    });
  };
  return h("div.range", {},
    input("gte", t("facets.from", name), low), h("span", { ariaHidden: "true" }, "–"),
    input("lte", t("facets.to", name), high));
}

/** Draws the panel into `panel`; `onchange(filters)` gets the new choice. */
export function drawFacets(panel, { facets, note, filters, onchange }) {
  const held = panel.contains(document.activeElement) ? document.activeElement : null;
  const expanded = panel.querySelector("details")?.open ?? matchMedia("(min-width: 62rem)").matches;
  const offered = new Set(facets.map(({ field }) => field));
  const lost = [...filters].filter(([field, { any }]) => any && !offered.has(field))
    .map(([field]) => ({ field, values: [] }));
  const groups = [...facets, ...lost].map((facet) =>
    h("fieldset", {},
      h("legend", {}, named("field", facet.field)),
      "low" in facet ? range(facet, filters, onchange) : choices(facet, filters, onchange)));
  fill(panel, h("details", { open: expanded },
    h("summary", {}, icon("filter"), t("facets"),
      filters.size ? h("span.badge.busy", {}, count(filters.size)) : null),
    groups,
    h("p.small.muted", {}, note),
    filters.size ? button(t("facets.clear"), () => onchange(new Map())) : null));
  panel.hidden = groups.length === 0;
  if (!held?.dataset.facet) return;
  const same = panel.querySelector(`[data-facet="${CSS.escape(held.dataset.facet)}"]`);
  if (same && "typed" in held.dataset) same.value = held.value; // it is half typed
  same?.focus();
}

/**
 * The chosen partition and filters as chips that remove themselves; `onchange(part)` gets the part
 * of the state that changed.
 */
export function chosenChips({ partition, filters }, onchange) {
  const chips = [];
  const chip = (label, key, part) => chips.push(h("button.chip.on", {
    type: "button", ariaLabel: t(key, label), onclick: () => onchange(part),
  }, label, " ", icon("close")));
  const filter = (field, text, next) =>
    chip(`${named("field", field)} ${text}`, "facets.remove", { filters: next });
  if (partition) chip(t("partition.chosen", partition), "partition.leave", { partition: "" });
  for (const [field, { any, gte, lte }] of filters) {
    for (const value of any ?? []) filter(field, value, toggled(filters, field, value));
    if (any) continue;
    const next = new Map(filters);
    next.delete(field);
    filter(field, `${gte ?? ""}–${lte ?? ""}`, next);
  }
  return chips;
}

/** The filters with one more value chosen. */
export function withValue(filters, field, value) {
  return filters.get(field)?.any?.includes(value) ? filters : toggled(filters, field, value);
}
