// The partition that is searched, beside the toolbar of a collection with a partition key.

import { h } from "../dom.js";
import { named, t } from "../messages.js";
import { partitionInput, partitionKey } from "../partitions.js";

/**
 * The choice of a partition: {element, draw(state, known)}. It is drawn once and then changed, so
 * that an answer that comes does not take away what is being typed. `onchange(part)` gets the part
 * of the state that changed, and `known` are the collections.
 */
export function partitionChoice(onchange) {
  const { input, list, of, value } = partitionInput("search-partition", {
    placeholder: t("partition.all"),
    onchange: () => onchange({ partition: value() }),
  });
  const label = h("label", { htmlFor: input.id });
  const element = h("div.partition", { hidden: true }, label, input, list);
  let drawn = null;
  return {
    element,
    draw({ collection, partition }, known) {
      const key = partitionKey(known, collection);
      of(collection, key);
      element.hidden = !key && !partition; // a link may name one that the collection cannot have
      label.textContent = key ? t("partition.of", named("field", key)) : t("partition");
      if (drawn !== partition || element.hidden) input.value = partition;
      drawn = partition;
    },
  };
}
