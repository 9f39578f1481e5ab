// Turns the state in the address into requests of the API.

import * as api from "../api.js";
import { NEWER } from "../address.js";

/** Number of hits on a page of a search. */
const DEPTH = 50;
/** Number of best candidates of each leg that take part if hits are sorted by a field. */
const SORTED = 100;
/** How much newer years come first: this year has five times the odds, one five years ago half of that effect. */
const RECENT = { recency: "5y", factor: 5 };
const FACETS = [{ field: "*", top: 50 }];
const COMPARE_DEPTH = 10;

/** The filter in the API's form, or undefined if nothing is chosen. */
export function toFilter(filters) {
  const clauses = [...filters].map(([field, { any, ...range }]) =>
    [field, any ? (any.length === 1 ? any[0] : { any }) : range]);
  return clauses.length ? Object.fromEntries(clauses) : undefined;
}

/** Where a search looks: the collection, its partition if one is chosen, and the filter. */
const scope = ({ collection, partition, filters }) =>
  ({ collection, partition: partition || undefined, filter: toFilter(filters) });

function body(state) {
  const { query, mode, rank, sort } = state;
  const asked = {
    query: query.trim(), ...scope(state), mode, rank, top_k: DEPTH, syntax: "fields",
  };
  if (sort.startsWith(NEWER)) return { ...asked, boosts: [{ field: sort.slice(1), ...RECENT }] };
  return sort ? { ...asked, sort: [sort], recall_k: SORTED } : asked;
}

/** The documents nearest to the one that the address names, in the form of a search's answer. */
async function similar(state, signal) {
  const { like, collection } = state;
  const asked = { id: like, ...scope(state), top_k: DEPTH };
  const [answer, of] = await Promise.all([
    api.similar(asked, signal), api.readDocument(collection, like, signal),
  ]);
  return { ...answer, of, stages: [], degraded: [], cached: false };
}

const ask = (state, signal, more = {}) =>
  state.like ? similar(state, signal) : api.search({ ...body(state), ...more }, signal);

export const search = (state, signal) => ask(state, signal, { facets: FACETS });

/** A search without its filters, whose counts show what the facets could still offer. */
export const unfiltered = (state, signal) =>
  ask({ ...state, filters: new Map(), rank: false }, signal, { facets: FACETS, top_k: 1 });

/** One page of a search, named by a cursor; `*` is the first page. */
export const page = (state, cursor, signal) => ask(state, signal, { cursor });

/**
 * A search in one mode of the side-by-side view, without ranking, so that the leg itself shows.
 * Three of them are sent at once, which a busy system may refuse; then the page waits and sends
 * again.
 */
export const leg = (state, mode, signal) => {
  const asked = { ...body({ ...state, mode, rank: false, sort: "" }), top_k: COMPARE_DEPTH };
  return api.patiently(() => api.search(asked, signal), signal);
};

/** A search whose hits carry all their features. */
export const explained = (state, signal) =>
  ask(state, signal, { explain: true });
