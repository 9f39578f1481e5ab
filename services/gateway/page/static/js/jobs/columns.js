// Asks the reader for the roles of a table's columns when the header does not tell them.

import { openDialog } from "../dialogs.js";
import { button, fill, h } from "../dom.js";
import { t } from "../messages.js";
import { FIELD_NAME, guess, isFieldName } from "./table.js";

const ROLES = ["id", "title", "text", "field", "none"];
const SAMPLE_CHARS = 60;

/** The mapping in the API's form, or null when the reader cancels. */
export function askColumns(fileName, columns) {
  const rows = guess(columns).map((role, index) => row(columns[index], role, index));
  const complaint = h("div.complaints", { role: "alert" });
  return new Promise((resolve) => {
    let mapping = null;
    const onsubmit = (event) => {
      event.preventDefault();
      const wrong = problem(rows);
      fill(complaint, wrong);
      if (wrong) return;
      mapping = mappingOf(rows);
      dialog.close();
    };
    const dialog = openDialog(
      t("columns.title", fileName),
      h("form.stack", { onsubmit, onchange: () => fill(complaint) },
        h("p.muted", {}, t("columns.text")),
        h("div.table-scroll", {},
          h("table.table.mapping", {},
            h("thead", {}, h("tr", {},
              ["columns.column", "columns.sample", "columns.role", "columns.field"].map((key) =>
                h("th", { scope: "col" }, t(key))))),
            h("tbody", {}, rows.map(({ element }) => element)))),
        complaint,
        h("div.row.end", {},
          button(t("cancel"), () => dialog.close()),
          h("button.button.primary", { type: "submit" }, t("columns.upload")))),
      { kind: "wide", onclose: () => resolve(mapping) },
    );
  });
}

function row({ name, sample }, guessed, index) {
  const field = h("input.input", {
    value: isFieldName(name) ? name : `column_${index + 1}`,
    pattern: FIELD_NAME, required: true, title: t("columns.field.note"), autocomplete: "off",
    spellcheck: false, ariaLabel: t("columns.field.of", name),
  });
  const role = h("select.input", {
    ariaLabel: t("columns.role.of", name),
    onchange: () => { field.disabled = role.value !== "field"; },
  }, ROLES.map((each) => h("option", { value: each, selected: each === guessed }, t(`columns.role.${each}`))));
  field.disabled = guessed !== "field";
  return {
    name, role, field,
    element: h("tr", {},
      h("th", { scope: "row" }, name), h("td.muted", {}, sample.slice(0, SAMPLE_CHARS)),
      h("td", {}, role), h("td", {}, field)),
  };
}

const playing = (rows, role) => rows.filter((each) => each.role.value === role);

function problem(rows) {
  if (playing(rows, "id").length !== 1) return t("columns.need.id");
  const [titles, texts] = [playing(rows, "title").length, playing(rows, "text").length];
  if (titles > 1 || texts > 1) return t("columns.need.one");
  if (!titles && !texts) return t("columns.need.words");
  const fields = playing(rows, "field").map(({ field }) => field.value);
  return new Set(fields).size < fields.length ? t("columns.need.names") : null;
}

function mappingOf(rows) {
  const mapping = {
    fields: Object.fromEntries(playing(rows, "field").map(({ name, field }) => [field.value, name])),
  };
  for (const role of ["id", "title", "text"]) {
    const [one] = playing(rows, role);
    if (one) mapping[role] = one.name;
  }
  return mapping;
}
