// The gateway marks the query's words with <em>; here the marks become elements, never HTML.

import { h } from "../dom.js";

const MARKS = /<em>(.*?)<\/em>/gs;

/** The nodes of a text with marks. */
export function marked(text) {
  return text.split(MARKS).map((piece, i) => (i % 2 ? h("mark", {}, piece) : piece));
}

/** The marked snippets of a field, or null where the query's words do not occur in it. */
export function snippets(hit, field) {
  const found = hit.highlights?.[field];
  return found?.length ? found : null;
}

/** The words that the query and the hit have in common. */
export function commonWords(hit) {
  const words = new Set();
  for (const found of Object.values(hit.highlights ?? {})) {
    for (const snippet of found) {
      for (const [, word] of snippet.matchAll(MARKS)) words.add(word.toLowerCase());
    }
  }
  return [...words];
}

/** A whole text with given words marked. */
export function markWords(text, words) {
  if (!words.length) return [text];
  const pattern = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  pattern.sort((a, b) => b.length - a.length);
  return text.split(new RegExp(`(${pattern.join("|")})`, "gi"))
    .map((piece, i) => (i % 2 ? h("mark", {}, piece) : piece));
}
