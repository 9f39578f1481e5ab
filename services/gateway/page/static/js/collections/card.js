// The card of a collection: its number of documents, its encoder, the generation that answers.

import { searchHref } from "../address.js";
import { button, h, icon } from "../dom.js";
import { count, moment } from "../format.js";
import { t } from "../messages.js";
import { copy } from "../notify.js";

const GENERATION = /__g([0-9a-f]{16})$/;
const NANOSECONDS_PER_MS = 1_000_000n;

/** The time at which an index was built. Its name ends in that time; null if the name does not. */
export function builtAt(index) {
  const match = GENERATION.exec(index);
  return match ? new Date(Number(BigInt(`0x${match[1]}`) / NANOSECONDS_PER_MS)) : null;
}

/** The declared fields with their types, those that wait for a rebuild marked. */
function declared({ fields, waiting_fields: waiting }) {
  const names = Object.keys(fields);
  if (!names.length) return "–";
  return names.map((name, place) => [place ? ", " : "", name, " ",
    h("span.muted", {}, t(`collections.type.${fields[name].type}`),
      fields[name].weight === 1 ? "" : ` ×${fields[name].weight}`,
      waiting.includes(name) ? ` (${t("collections.waiting")})` : "")]).flat();
}

function facts(collection) {
  const built = builtAt(collection.index);
  return [
    ["encoder", h("code", {}, collection.encoder)],
    ["dimension", count(collection.dimension)],
    ["lexical", t(`collections.lexical.${collection.lexical ? "yes" : "no"}`)],
    ["version", h("code", {}, collection.index_version)],
    ["fields", declared(collection)],
    ...(collection.partition_key ? [["partition", collection.partition_key]] : []),
    ...(collection.problem ? [["problem", collection.problem]] : []),
    ["built", built ? moment(built) : "–"],
    ["index", [h("code", {}, collection.index), " ",
      button(t("copy"), () => copy(collection.index), { name: "copy", quiet: true })]],
  ];
}

/** The card of a collection. `actions` are {onwords, onrebuild, onrollback, ondelete}, each called with the collection. */
export function collectionCard(collection, { onwords, onrebuild, onrollback, ondelete }) {
  return h("article.card.collection", { data: { name: collection.name } },
    h("div.collection-head", {},
      h("h2", {}, collection.name),
      h("p", {}, h("b.numbers", {}, count(collection.count)), " ", t("collections.documents"))),
    h("dl.facts", {}, facts(collection).map(([name, value]) =>
      h("div", {}, h("dt", {}, t(`collections.${name}`)), h("dd.numbers", {}, value)))),
    h("div.row", {},
      h("a.button.primary", { href: searchHref({ query: "", collection: collection.name }) },
        icon("search"), t("collections.search")),
      button(t("words"), () => onwords(collection), { name: "words" }),
      button(t("collections.rebuild"), () => onrebuild(collection), { name: "retry" }),
      button(t("collections.rollback"), () => onrollback(collection), { name: "rollback" }),
      button(t("collections.delete"), () => ondelete(collection), { name: "trash", kind: "danger" })));
}
