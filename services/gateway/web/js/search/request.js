// From what the address says to what the API takes.

import * as api from "../api.js";

/** How many hits are asked for: what the facets count over. */
export const DEPTH = 50;
const COMPARE_DEPTH = 10;

/** The API's structured filter, or undefined where nothing is chosen. */
export function toFilter(filters) {
  const clauses = [...filters].map(([field, { any, ...range }]) =>
    [field, any ? (any.length === 1 ? any[0] : { any }) : range]);
  return clauses.length ? Object.fromEntries(clauses) : undefined;
}

function body({ query, collection, mode, rank, filters }) {
  return { query: query.trim(), collection, mode, rank, top_k: DEPTH, filter: toFilter(filters) };
}

export const search = (state, signal) => api.search(body(state), signal);

/** The same search without filters: what the facets could still offer. */
export const unfiltered = (state, signal) =>
  api.search(body({ ...state, filters: new Map() }), signal);

/**
 * One mode of the side-by-side view: the leg alone, so without the fine ranking. Three are asked
 * at once, which a busy system may refuse; the page then waits instead of showing a gap.
 */
export const leg = (state, mode, signal) => {
  const asked = { ...body({ ...state, mode, rank: false }), top_k: COMPARE_DEPTH };
  return api.patiently(() => api.search(asked, signal), signal);
};

/** The same search again with all features of each hit. */
export const explained = (state, signal) =>
  api.search({ ...body(state), explain: true }, signal);
