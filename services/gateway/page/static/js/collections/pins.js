// The documents that single queries find first and not at all, as rows of controls.

import { button, h } from "../dom.js";
import { t } from "../messages.js";
import { complaintOf } from "./fields.js";

let serial = 0;

const idsOf = (text) => text.split("\n").filter((id) => id.trim());

function row({ query = "", pinned = [], hidden = [] }, onremove) {
  const id = `words-query-${(serial += 1)}`;
  const labelled = (name, control) => h("div.field", {},
    h("label", { htmlFor: control.id }, t(`words.queries.${name}`)), control);
  const asked = h("input.input", {
    id, value: query, required: true, autocomplete: "off", spellcheck: false,
    "aria-describedby": `${id}-complaint`,
  });
  const ids = (name, given) => h("textarea.input.mono", {
    id: `${id}-${name}`, rows: 2, value: given.join("\n"), spellcheck: false, autocomplete: "off",
  });
  const [first, never] = [ids("pinned", pinned), ids("hidden", hidden)];
  const complaint = complaintOf(asked, `${id}-complaint`);
  return {
    element: h("fieldset.pins", {},
      h("legend.visually-hidden", {}, t("words.queries.one")),
      labelled("query", asked), labelled("pinned", first), labelled("hidden", never),
      button(t("words.queries.remove"), onremove, { name: "trash", quiet: true }),
      complaint.element),
    focus: () => asked.focus(),
    value: () => ({ query: asked.value, pinned: idsOf(first.value), hidden: idsOf(never.value) }),
    complaint,
  };
}

/** The rules of single queries. */
export function pinsField(queries) {
  const list = h("div.stack");
  const rows = [];

  function add(given) {
    const one = row(given, () => {
      rows.splice(rows.indexOf(one), 1);
      one.element.remove();
      more.focus();
    });
    rows.push(one);
    list.append(one.element);
    return one;
  }

  const more = button(t("words.queries.add"), () => add({}).focus(), { name: "plus" });
  queries.forEach(add);
  const values = () => rows.map((one) => one.value());
  return {
    element: h("section.stack", { ariaLabel: t("words.queries") },
      h("h4", {}, t("words.queries")), h("p.small.muted", {}, t("words.queries.note")),
      list, h("div.row", {}, more)),
    content: () => JSON.stringify(values()),
    clear: () => rows.forEach(({ complaint }) => complaint.clear()),
    values,
    complain: (text, place) => (rows[place] ?? rows[0])?.complaint.show(text),
  };
}
