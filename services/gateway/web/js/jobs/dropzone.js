// Where files come in: drag and drop or the file chooser, and where they shall go.

import { button, fill, h, icon } from "../dom.js";
import { DEFAULT_COLLECTION } from "../address.js";
import { t } from "../messages.js";
import { askColumns } from "./columns.js";
import { ACCEPT, formatOf } from "./formats.js";
import { columnsOf, speaksForItself } from "./table.js";
import { send } from "./uploads.js";

const NAME = "[a-z](_?[a-z0-9]){0,47}"; // what the API takes as a collection's name
const MODES = ["upsert", "rebuild"];
const EXAMPLE = '{"id": "1", "title": "题目", "text": "摘要…", "fields": {"discipline": "数学", "keywords": ["拓扑"], "year": 2024}}';

/** @returns {{element, offer(names)}} `offer` gives the collections to choose from. */
export function dropzone() {
  const names = h("datalist", { id: "collection-names" });
  const collection = h("input.input", {
    id: "upload-collection", value: DEFAULT_COLLECTION, list: "collection-names", pattern: NAME,
    required: true, autocomplete: "off", spellcheck: false, "aria-describedby": "collection-note",
  });
  const complaints = h("div.complaints", { role: "alert" });
  const note = h("p.small.muted", {}, t("upload.mode.upsert.note"));
  let mode = "upsert";

  const modes = h("fieldset.segments", { role: "radiogroup", ariaLabel: t("upload.mode") },
    MODES.map((name) => h("label", {},
      h("input", {
        type: "radio", name: "upload-mode", value: name, checked: name === mode,
        onchange: () => {
          mode = name;
          note.textContent = t(`upload.mode.${name}.note`);
        },
      }), h("span", {}, t(`upload.mode.${name}`)))));

  /** Sends a file; a table whose header does not say what is what, once the reader has. */
  async function dispatch(file, kind, target) {
    const columns = await columnsOf(file, kind);
    const clear = !columns || speaksForItself(columns);
    const mapping = clear ? undefined : await askColumns(file.name, columns);
    if (clear || mapping) send(file, { ...target, ...kind, mapping });
  }

  async function take(files) {
    const wrong = [];
    const known = [];
    const name = collection.value.trim();
    if (!new RegExp(`^${NAME}$`).test(name)) {
      fill(complaints, h("p", {}, t("upload.collection.bad", name)));
      collection.focus();
      return;
    }
    for (const file of files) {
      const kind = formatOf(file.name);
      if (kind) known.push([file, kind]);
      else wrong.push(h("p", {}, t("upload.unknown", file.name)));
    }
    fill(complaints, wrong);
    const target = { collection: name, mode };
    for (const [file, kind] of known) await dispatch(file, kind, target); // one question at a time
  }

  const chooser = h("input.visually-hidden", {
    type: "file", multiple: true, accept: ACCEPT, tabIndex: -1, ariaLabel: t("upload.choose"),
    onchange: () => {
      take([...chooser.files]);
      chooser.value = "";
    },
  });
  const zone = h("div.dropzone", {
    ondragover: (event) => {
      event.preventDefault();
      zone.classList.add("over");
    },
    ondragleave: (event) => {
      if (!zone.contains(event.relatedTarget)) zone.classList.remove("over");
    },
    ondrop: (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      take([...event.dataTransfer.files]);
    },
  },
  icon("jobs"),
  h("p", {}, h("b", {}, t("upload.drop")), " ", t("upload.or"), " ",
    button(t("upload.choose"), () => chooser.click(), { kind: "primary" })),
  h("p.small.muted", {}, t("upload.formats")), chooser);

  const element = h("section.card.upload", { ariaLabel: t("jobs.title") },
    h("div.upload-target", {},
      h("div.field", {},
        h("label", { htmlFor: "upload-collection" }, t("collection")), collection, names,
        h("p.small.muted", { id: "collection-note" }, t("upload.collection.note"))),
      h("div.field", {}, h("span.label", {}, t("upload.mode")), modes, note)),
    zone, complaints,
    h("details.upload-example", {}, h("summary", {}, t("upload.example")),
      h("pre", { tabIndex: 0 }, EXAMPLE)));
  return {
    element,
    offer: (known) => fill(names, known.map((name) => h("option", { value: name }))),
  };
}
