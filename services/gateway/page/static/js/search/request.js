// Turns the state in the address into requests of the API.

import * as api from "../api.js";

/** Number of hits that a page of a search has. */
const DEPTH = 50;
/** Candidates of each leg that are put in order by a field: the best ones, and not all. */
const SORTED = 100;
const FACETS = [{ field: "*", top: 50 }];
const COMPARE_DEPTH = 10;

/** The filter in the API's form, or undefined if nothing is chosen. */
export function toFilter(filters) {
  const clauses = [...filters].map(([field, { any, ...range }]) =>
    [field, any ? (any.length === 1 ? any[0] : { any }) : range]);
  return clauses.length ? Object.fromEntries(clauses) : undefined;
}

function body({ query, collection, mode, rank, filters, sort }) {
  const asked = {
    query: query.trim(), collection, mode, rank, top_k: DEPTH, filter: toFilter(filters), syntax: "fields",
  };
  return sort ? { ...asked, sort: [sort], recall_k: SORTED } : asked;
}

/** The documents nearest to the one that the address names, in the form of a search's answer. */
async function similar({ like, collection, filters }, signal) {
  const asked = { id: like, collection, top_k: DEPTH, filter: toFilter(filters) };
  const [answer, of] = await Promise.all([
    api.similar(asked, signal), api.readDocument(collection, like, signal),
  ]);
  return { ...answer, of, stages: [], degraded: [], cached: false };
}

const ask = (state, signal, more = {}) =>
  state.like ? similar(state, signal) : api.search({ ...body(state), ...more }, signal);

export const search = (state, signal) => ask(state, signal, { facets: FACETS });

/** The same search without filters; its counts show what the facets could still offer. */
export const unfiltered = (state, signal) =>
  ask({ ...state, filters: new Map(), rank: false }, signal, { facets: FACETS, top_k: 1 });

/** A page of the same search: that of a cursor, `*` for the first. */
export const page = (state, cursor, signal) => ask(state, signal, { cursor });

/**
 * The request of one mode in the side-by-side view: the leg alone, without the fine ranking. Three are asked
 * at once, which a busy system may refuse; the page then waits instead of showing a gap.
 */
export const leg = (state, mode, signal) => {
  const asked = { ...body({ ...state, mode, rank: false, sort: "" }), top_k: COMPARE_DEPTH };
  return api.patiently(() => api.search(asked, signal), signal);
};

/** The same search with all features of each hit. */
export const explained = (state, signal) =>
  ask(state, signal, { explain: true });
