// Takes files in by drag and drop or the file chooser, and asks for the collection they go into.

import * as api from "../api.js";
import { button, fill, h, icon } from "../dom.js";
import { DEFAULT_COLLECTION } from "../address.js";
import { count } from "../format.js";
import { t } from "../messages.js";
import { partitionInput, partitionKey } from "../partitions.js";
import { problemLine } from "../states.js";
import { bundles, chosen, dropped } from "./bundle.js";
import { askColumns } from "./columns.js";
import { formats } from "./formats.js";
import { columnsOf, speaksForItself } from "./table.js";
import { canBeRead, send } from "./uploads.js";

const NAME = "[a-z]((_|-)?[a-z0-9]){0,47}"; // what the API takes as a collection's name
const WRONG_SHOWN = 5; // complaints about files of no known format
const MODES = ["upsert", "rebuild"];
const EXAMPLE = '{"id": "1", "title": "题目", "text": "摘要…", "fields": {"discipline": "数学", "keywords": ["拓扑"], "year": 2024}}';

/** @returns {{element, offer(known)}} `offer` gives the collections to choose from. */
export function dropzone() {
  let known = [];
  const names = h("datalist", { id: "collection-names" });
  const collection = h("input.input", {
    id: "upload-collection", value: DEFAULT_COLLECTION, list: "collection-names", pattern: NAME,
    required: true, autocomplete: "off", spellcheck: false, "aria-describedby": "collection-note",
    oninput: () => drawPartition(),
  });
  const partition = partitionInput("upload-partition", { "aria-describedby": "partition-note" });
  const partitionNote = h("p.small.muted", { id: "partition-note" });
  const partitionField = h("div.field", { hidden: true },
    h("label", { htmlFor: partition.input.id }, t("upload.partition")), partition.input, partition.list,
    partitionNote);

  /** Asks for a partition if the collection is divided into some. */
  function drawPartition() {
    const name = collection.value.trim();
    const key = partitionKey(known, name);
    partition.of(name, key);
    partitionField.hidden = !key;
    partitionNote.textContent = key ? t("upload.partition.note", key) : "";
  }

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

  /** Sends a file. If a table's header does not tell its columns' roles, the reader is asked first. */
  async function dispatch(file, kind, target) {
    if (!(await canBeRead(file))) {
      complaints.append(h("p", {}, `${file.name}：`, t("problem.file_unreadable")));
      return;
    }
    const table = await columnsOf(file, kind);
    const clear = !table || speaksForItself(table.columns);
    const mapping = clear ? undefined : await askColumns(file.name, table.columns);
    const charset = mapping && table.charset; // the names in the mapping were read in it
    if (clear || mapping) send(file, { ...target, ...kind, mapping, charset, name: file.name });
  }

  /** Takes files as [{file, path}]. Papers go together as one job, tables each as their own. */
  async function take(files) {
    const wrong = [];
    const readable = [];
    const name = collection.value.trim();
    if (!new RegExp(`^${NAME}$`).test(name)) {
      fill(complaints, h("p", {}, t("upload.collection.bad", name)));
      collection.focus();
      return;
    }
    let possible;
    try {
      possible = await formats();
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      fill(complaints, problemLine(problem));
      return;
    }
    for (const { file } of files) {
      const kind = possible.formatOf(file.name);
      if (kind) readable.push([file, kind]);
      else wrong.push(h("p", {}, t("upload.unknown", file.name, possible.endings.join(" "))));
    }
    const target = { collection: name, mode, partition: partitionField.hidden ? "" : partition.value() };
    if (files.length > 1 && readable.some(([, kind]) => kind.whole)) {
      fill(complaints);
      const nameOf = (some) => t("upload.several", count(some.length), some[0].path);
      for (const one of bundles(files, (each) => possible.formatOf(each), nameOf)) send(one, target);
      return;
    }
    fill(complaints, wrong.slice(0, WRONG_SHOWN));
    for (const [file, kind] of readable) await dispatch(file, kind, target); // one question at a time
  }

  const chooser = h("input.visually-hidden", {
    type: "file", multiple: true, tabIndex: -1, ariaLabel: t("upload.choose"),
    onchange: () => {
      take(chosen(chooser.files));
      chooser.value = "";
    },
  });
  const folder = h("input.visually-hidden", {
    type: "file", webkitdirectory: true, tabIndex: -1, ariaLabel: t("upload.folder"),
    onchange: () => {
      take(chosen(folder.files));
      folder.value = "";
    },
  });
  formats().then(({ accept }) => { chooser.accept = accept; }, () => {}); // if this fails, the chooser offers all files
  const zone = h("div.dropzone", {
    ondragover: (event) => {
      event.preventDefault();
      zone.classList.add("over");
    },
    ondragleave: (event) => {
      if (!zone.contains(event.relatedTarget)) zone.classList.remove("over");
    },
    ondrop: async (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      take(await dropped(event.dataTransfer));
    },
  },
  icon("jobs"),
  h("p", {}, h("b", {}, t("upload.drop")), " ", t("upload.or"), " ",
    button(t("upload.choose"), () => chooser.click(), { kind: "primary" }), " ",
    button(t("upload.folder"), () => folder.click())),
  h("p.small.muted", {}, t("upload.formats")), chooser, folder);

  const element = h("section.card.upload", { ariaLabel: t("jobs.title") },
    h("div.upload-target", {},
      h("div.field", {},
        h("label", { htmlFor: "upload-collection" }, t("collection")), collection, names,
        h("p.small.muted", { id: "collection-note" }, t("upload.collection.note"))),
      partitionField,
      h("div.field", {}, h("span.label", {}, t("upload.mode")), modes, note)),
    zone, complaints,
    h("details.upload-example", {}, h("summary", {}, t("upload.example")),
      h("pre", { tabIndex: 0 }, EXAMPLE)));
  return {
    element,
    offer(given) {
      known = given;
      fill(names, known.map(({ name }) => h("option", { value: name })));
      drawPartition();
    },
  };
}
