// The control that names a partition of a collection: to type, or to choose among those there are.

import * as api from "./api.js";
import { fill, h } from "./dom.js";

const OFFERED = 100; // partitions, those with the most documents

/** The key of a collection among the `known` ones; null if it has none or is not known. */
export const partitionKey = (known, collection) =>
  known.find(({ name }) => name === collection)?.partition_key ?? null;

/**
 * The control, {input, list, of(collection, key), value()}. `of` says which collection's partitions
 * it offers; they are asked for when it gets the focus. `value()` is empty for no partition.
 */
export function partitionInput(id, props = {}) {
  const list = h("datalist", { id: `${id}-known` });
  let from = { collection: "", key: null };
  let controller = new AbortController();

  async function offer() {
    const { collection, key } = from;
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    if (!key) return;
    try {
      const names = await api.partitions(collection, key, OFFERED, signal);
      if (!signal.aborted) fill(list, names.map((value) => h("option", { value })));
    } catch (problem) {
      if (!api.isAbort(problem) && !(problem instanceof api.Problem)) throw problem;
      // A name can be typed all the same; if something is wrong, the answer of the search says it.
    }
  }

  const input = h("input.input", {
    id, list: list.id, maxLength: 512, autocomplete: "off", spellcheck: false, onfocus: offer, ...props,
  });
  return {
    input,
    list,
    of(collection, key) {
      if (collection !== from.collection || key !== from.key) fill(list);
      from = { collection, key };
    },
    value: () => (input.value.trim() ? input.value : ""),
  };
}
