// Which input format a file's name stands for.

const BY_ENDING = new Map([
  ["jsonl", "jsonl"], ["ndjson", "jsonl"], ["csv", "csv"], ["tsv", "tsv"],
  ["parquet", "parquet"], ["txt", "lines"],
]);

const COMPRESSIONS = new Map([["gz", "gzip"], ["zst", "zstd"]]);

/** What the file chooser offers. */
export const ACCEPT = [...BY_ENDING.keys()].map((ending) => `.${ending}`)
  .concat([...COMPRESSIONS.keys()].map((ending) => `.${ending}`)).join(",");

/** {format, encoding} of a file name, or null where it tells nothing. */
export function formatOf(name) {
  const endings = name.toLowerCase().split(".").slice(1);
  const encoding = COMPRESSIONS.get(endings.at(-1)) ?? null;
  if (encoding) endings.pop();
  const format = BY_ENDING.get(endings.at(-1));
  return format ? { format, encoding } : null;
}
