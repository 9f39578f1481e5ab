// The toolbar of a search: mode, collection, fine ranking.

import { MODES, NEWER } from "../address.js";
import { h } from "../dom.js";
import { named, t } from "../messages.js";

/**
 * The toolbar. `onchange(part)` gets the part of the state that changed; `names` are the
 * collections to choose from, `sortable` the fields that hits can be put in order by: names,
 * and whether their values are years.
 */
export function toolbar(state, names, sortable, onchange) {
  const options = names.includes(state.collection) ? names : [state.collection, ...names];
  const modes = h("fieldset.segments", { ariaLabel: t("search.mode"), role: "radiogroup" },
    MODES.map((mode) =>
      h("label", {},
        h("input", {
          type: "radio", name: "mode", value: mode, checked: state.mode === mode,
          data: { tool: `mode ${mode}` }, onchange: () => onchange({ mode }),
        }),
        h("span", {}, t(`mode.${mode}`)))));
  return h("div.toolbar", {},
    state.like ? null : modes, // documents near another one are found by its vector, so there is no mode to choose
    h("select.input", {
      ariaLabel: t("collection"), data: { tool: "collection" },
      onchange: (event) => onchange({
        collection: event.target.value, partition: "", filters: new Map(), like: "",
      }),
    }, options.map((name) => h("option", { value: name, selected: name === state.collection }, name))),
    state.mode === "compare" || state.like ? null : order(state, sortable, onchange),
    state.mode === "compare" || state.like || (state.sort && !state.sort.startsWith(NEWER)) ? null : h("label.switch", {},
      h("input", {
        type: "checkbox", checked: state.rank, data: { tool: "rank" },
        onchange: (event) => onchange({ rank: event.target.checked }),
      }), t("search.rank")));
}

/** The choice of an order: by relevance, with newer years first, or by a field in either direction. */
function order({ sort }, sortable, onchange) {
  const field = sort.replace(/^[-*]/, "");
  const known = !sort || sortable.some(({ name }) => name === field);
  const fields = known ? sortable : [{ name: field, years: sort.startsWith(NEWER) }, ...sortable];
  if (!fields.length) return null;
  const option = (value, text) => h("option", { value, selected: value === sort }, text);
  return h("select.input", {
    ariaLabel: t("sort"), data: { tool: "sort" },
    onchange: (event) => onchange({ sort: event.target.value }),
  }, option("", t("sort.relevance")), fields.flatMap(({ name, years }) => [
    years ? option(`${NEWER}${name}`, t("sort.newer", named("field", name))) : null,
    option(`-${name}`, t("sort.descending", named("field", name))),
    option(name, t("sort.ascending", named("field", name))),
  ]));
}
