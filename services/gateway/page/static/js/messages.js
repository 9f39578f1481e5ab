// The texts of the page in both languages. Each entry of messages/*.js is [Chinese, English],
// side by side, so that neither can be forgotten; an entry may be a function of its values.

import { language } from "./preferences.js";
import collections from "./messages/collections.js";
import columns from "./messages/columns.js";
import health from "./messages/health.js";
import jobs from "./messages/jobs.js";
import problems from "./messages/problems.js";
import search from "./messages/search.js";
import shell from "./messages/shell.js";
import vectors from "./messages/vectors.js";
import words from "./messages/words.js";

export const messages = { ...shell, ...search, ...problems, ...vectors, ...jobs, ...columns, ...collections, ...words, ...health };

/** The text for a key. An unknown key is a bug and throws. */
export function t(key, ...values) {
  const pair = messages[key];
  if (!pair) throw new Error(`no message ${key}`);
  const text = pair[language() === "zh" ? 0 : 1];
  return typeof text === "function" ? text(...values) : text;
}

/**
 * The text for a name that the server chose (a stage, a field), or the name itself if there is
 * none.
 */
export function named(prefix, name) {
  return messages[`${prefix}.${name}`] ? t(`${prefix}.${name}`) : name;
}
