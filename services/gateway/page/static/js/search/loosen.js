// What could be loosened where nothing was found: filters, the partition, operators, the mode.

import * as api from "../api.js";
import { button } from "../dom.js";
import { count } from "../format.js";
import { named, t } from "../messages.js";
import { search } from "./request.js";
import { demands } from "./understood.js";

const MOST_FILTERS = 4;

/** The actions that widen a search; `onchange(part)` gets a new part of the state. */
export function loosened(state, { understood }, onchange) {
  const actions = [];
  if (state.filters.size) {
    actions.push(button(t("search.empty.filters"), () => onchange({ filters: new Map() }), { kind: "primary" }));
  }
  if (state.partition) {
    actions.push(button(t("search.empty.partition"), () => onchange({ partition: "" })));
  }
  if (demands(state, understood) && understood.query) {
    actions.push(button(t("search.empty.operators"), () => onchange({ query: understood.query })));
  }
  if (state.mode === "lexical") {
    actions.push(button(t("search.empty.mode"), () => onchange({ mode: "hybrid" })));
  }
  return actions;
}

/** Of several filters, adds to `row` each without which something is found, and how much. */
export async function showLoosened(row, state, signal, onchange) {
  if (!row || state.like || state.filters.size < 2) return;
  for (const field of [...state.filters.keys()].slice(0, MOST_FILTERS)) {
    const filters = new Map(state.filters);
    filters.delete(field);
    try {
      const { total } = await search({ ...state, filters, rank: false }, signal);
      if (signal.aborted) return;
      if (!total) continue;
      const label = t("search.empty.without", named("field", field), count(total));
      row.append(button(label, () => onchange({ filters })));
    } catch (problem) {
      if (!api.isAbort(problem) && !(problem instanceof api.Problem)) throw problem;
      return;
    }
  }
}
