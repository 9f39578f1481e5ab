// How to search: mode, collection, fine ranking.

import { MODES } from "../address.js";
import { h } from "../dom.js";
import { t } from "../messages.js";

/** `onchange(part of the state)`. `names` are the collections to choose from. */
export function toolbar(state, names, onchange) {
  const options = names.includes(state.collection) ? names : [state.collection, ...names];
  return h("div.toolbar", {},
    h("fieldset.segments", { ariaLabel: t("search.mode"), role: "radiogroup" }, MODES.map((mode) =>
      h("label", {},
        h("input", {
          type: "radio", name: "mode", value: mode, checked: state.mode === mode,
          data: { tool: `mode ${mode}` }, onchange: () => onchange({ mode }),
        }),
        h("span", {}, t(`mode.${mode}`))))),
    h("select.input", {
      ariaLabel: t("collection"), data: { tool: "collection" },
      onchange: (event) => onchange({ collection: event.target.value, filters: new Map() }),
    }, options.map((name) => h("option", { value: name, selected: name === state.collection }, name))),
    state.mode === "compare" ? null : h("label.switch", {},
      h("input", {
        type: "checkbox", checked: state.rank, data: { tool: "rank" },
        onchange: (event) => onchange({ rank: event.target.checked }),
      }), t("search.rank")));
}
