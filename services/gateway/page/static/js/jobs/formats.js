// Tells the input format from the name of a file; the gateway says which formats there are.

import * as api from "../api.js";

let asked = null;

/** The formats that can be indexed, asked of the gateway once, and again after a failure. */
export function formats() {
  asked ??= api.inputFormats().then(byName, (problem) => {
    asked = null;
    throw problem;
  });
  return asked;
}

/**
 * {endings, accept, formatOf}: the endings of file names, what the file chooser offers, and
 * {format, encoding, whole, delimiter} of a file name, or null if the name does not tell it. `whole`
 * says that the file is one document; `delimiter` is the sign between cells, null for no table.
 */
function byName({ formats: known, compressions }) {
  const byEnding = new Map(known.flatMap((format) =>
    format.suffixes.map((suffix) => [suffix, format])));
  const compressed = new Map(compressions.map(({ name, suffix }) => [suffix, name]));
  return {
    endings: [...byEnding.keys()],
    accept: [...byEnding.keys(), ...compressed.keys()].join(","),
    formatOf(fileName) {
      const endings = fileName.toLowerCase().split(".").slice(1).map((ending) => `.${ending}`);
      const encoding = compressed.get(endings.at(-1)) ?? null;
      if (encoding) endings.pop();
      const found = byEnding.get(endings.at(-1));
      if (!found) return null;
      return { format: found.name, encoding, whole: found.whole, delimiter: found.delimiter };
    },
  };
}
