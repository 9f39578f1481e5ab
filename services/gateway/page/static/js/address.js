// The address bar is the state: every view is written there, so links and the back button work.
//   ?q=…&mode=dense&c=papers&rank=off&f.discipline=数学&r.year=2010..2015
//   &p=甲   in one partition of the collection
//   &sort=-year   by a field, - for descending; *year by relevance, newer first
//   ?like=p1&c=papers   the documents nearest to one
//   ?view=vectors&a=…&b=…   ?view=jobs   ?view=collections   ?view=health

export const MODES = ["hybrid", "dense", "lexical", "compare"];
export const DEFAULT_COLLECTION = "literature";
/** Before the field of an order: by relevance, but newer years first. No field begins with it. */
export const NEWER = "*";
const SORT = /^[-*]?[^*\s-].*$/;
const VALUE = "f.";
const RANGE = "r.";

/** The parameters in the address. A link whose bytes are no UTF-8 is read as GB18030. */
export function params() {
  if (isUtf8(location.search)) return new URLSearchParams(location.search);
  const pairs = location.search.slice(1).split("&");
  return new URLSearchParams(
    pairs.map((pair) => {
      const [name, ...value] = pair.split("=");
      return [inGb18030(name), inGb18030(value.join("="))];
    }),
  );
}

/** The bytes of a part of an address. A percent sign that encodes nothing stands for itself. */
function bytesOf(encoded) {
  const text = encoded.replace(
    /%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
  return Uint8Array.from(text, (byte) => byte.charCodeAt(0));
}

function isUtf8(encoded) {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytesOf(encoded));
    return true;
  } catch {
    return false;
  }
}

const inGb18030 = (encoded) =>
  new TextDecoder("gb18030").decode(bytesOf(encoded.replaceAll("+", " ")));

export function view() {
  return params().get("view") ?? "search";
}

/**
 * The search that the address describes. `filters` maps a field to {any: [values]} or to
 * {gte, lte} (either may be missing), the same forms that the API's filter has.
 */
export function readSearch() {
  const given = params();
  const filters = new Map();
  for (const [name, value] of given) {
    const field = name.slice(VALUE.length);
    if (name.startsWith(VALUE)) {
      filters.set(field, { any: [...(filters.get(field)?.any ?? []), value] });
    } else if (name.startsWith(RANGE)) {
      const [low, high] = value.split("..");
      const range = {};
      if (low && Number.isFinite(Number(low))) range.gte = Number(low);
      if (high && Number.isFinite(Number(high))) range.lte = Number(high);
      if (Object.keys(range).length) filters.set(field, range);
    }
  }
  const mode = given.get("mode");
  return {
    query: given.get("q") ?? "",
    like: given.get("q") ? "" : given.get("like") ?? "",
    mode: MODES.includes(mode) ? mode : "hybrid",
    collection: given.get("c") || DEFAULT_COLLECTION,
    partition: given.get("p") ?? "",
    rank: given.get("rank") !== "off",
    sort: SORT.test(given.get("sort") ?? "") ? given.get("sort") : "",
    filters,
  };
}

export function searchHref(state) {
  const { query, like, mode, collection, partition, rank = true, sort, filters = new Map() } = state;
  const out = new URLSearchParams();
  if (query) out.set("q", query);
  else if (like) out.set("like", like); // a new query takes the place of a document
  if (mode && mode !== "hybrid") out.set("mode", mode);
  if (collection && collection !== DEFAULT_COLLECTION) out.set("c", collection);
  if (partition) out.set("p", partition);
  if (!rank) out.set("rank", "off");
  if (sort) out.set("sort", sort);
  for (const [field, { any = [], gte, lte }] of filters) {
    for (const value of any) out.append(VALUE + field, value);
    if (gte !== undefined || lte !== undefined) {
      out.set(RANGE + field, `${gte ?? ""}..${lte ?? ""}`);
    }
  }
  return `?${out}`;
}

export function viewHref(name, extra = {}) {
  const out = new URLSearchParams(name === "search" ? {} : { view: name });
  for (const [key, value] of Object.entries(extra)) if (value) out.set(key, value);
  return `?${out}`;
}

const here = () => location.search || "?";

/** Goes to an address, with a step for the back button, and lets the page follow. */
export function go(href) {
  if (href !== here()) history.pushState({}, "", href);
  document.dispatchEvent(new Event("xunwen:address"));
}

/**
 * Writes the address while somebody types. The first keystroke makes one step for the back
 * button, the following ones change that step.
 */
export function draft(href) {
  if (href === here()) return;
  if (history.state?.draft) history.replaceState({ draft: true }, "", href);
  else history.pushState({ draft: true }, "", href);
}

/** Ends a draft: the next keystroke makes a new step. */
export function settle() {
  if (history.state?.draft) history.replaceState({}, "", location.href);
}
