// The view of collections and of the actions on them.

import * as api from "../api.js";
import { go, viewHref } from "../address.js";
import { confirm, openDialog } from "../dialogs.js";
import { button, fill, h, icon, submission } from "../dom.js";
import { count } from "../format.js";
import { t } from "../messages.js";
import { toast } from "../notify.js";
import { empty, loading, problemLine, problemState, problemTitle } from "../states.js";
import { collectionCard } from "./card.js";
import { FIELD_NAME } from "../jobs/table.js";
import { openWords } from "./words.js";

/** The types that a line such as "year=number" declares, by field. */
function declared(line) {
  const words = line.trim().split(/\s+/).filter(Boolean);
  return Object.fromEntries(words.map((word) => {
    const place = word.lastIndexOf("=");
    return [word.slice(0, place), word.slice(place + 1)];
  }));
}

export function mount(root) {
  const controller = new AbortController();
  const list = h("div.collections", {}, loading(2));

  async function load() {
    try {
      const known = await api.collections(controller.signal);
      fill(list, known.map((collection) => collectionCard(collection, actions)),
        known.length ? null : empty(t("collections.none"), t("collections.none.text"),
          h("a.button.primary", { href: viewHref("jobs") }, icon("jobs"), t("problem.index"))));
    } catch (problem) {
      if (api.isAbort(problem)) return;
      if (!(problem instanceof api.Problem)) throw problem;
      fill(list, problemState(problem, load));
    }
  }

  async function act(task) {
    try {
      await task();
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      toast(`${problemTitle(problem)} ${problem.detail}`);
    }
    await load();
  }

  const actions = {
    onwords: (collection) => openWords(collection, actions.onrebuild),
    async onrebuild({ name }) {
      const sure = await confirm(t("collections.rebuild.ask", name), t("collections.rebuild.text"),
        t("collections.rebuild"), { danger: false });
      if (!sure) return;
      await act(async () => {
        const { job_id: id } = await api.rebuildCollection(name);
        toast(t("collections.rebuild.started", id));
        go(viewHref("jobs"));
      });
    },
    async onrollback({ name }) {
      const sure = await confirm(t("collections.rollback.ask", name), t("collections.rollback.text"),
        t("collections.rollback"));
      if (!sure) return;
      await act(async () => {
        await api.rollbackCollection(name);
        toast(t("collections.rollback.done", name));
      });
    },
    async ondelete(collection) {
      const { name } = collection;
      const sure = await confirm(t("collections.delete.ask", name),
        t("collections.delete.text", count(collection.count)), t("collections.delete"));
      if (!sure) return;
      await act(async () => {
        await api.deleteCollection(name);
        toast(t("collections.deleted", name));
      });
    },
  };

  function create() {
    const name = h("input.input", {
      id: "new-collection", required: true, pattern: "[a-z]((_|-)?[a-z0-9]){0,47}", autofocus: true,
      autocomplete: "off", spellcheck: false, title: t("upload.collection.note"),
    });
    const types = h("input.input", {
      id: "new-collection-fields", pattern: "\\s*(\\S+=[a-z]+\\s*)*", autocomplete: "off",
      spellcheck: false, title: t("collections.new.fields.note"),
    });
    const key = h("input.input", {
      id: "new-collection-partition", pattern: FIELD_NAME, autocomplete: "off", spellcheck: false,
      title: t("collections.new.partition.note"), "aria-describedby": "new-collection-partition-note",
    });
    const trouble = h("div");
    const form = h("form.stack", {
      onsubmit: submission(async () => {
        try {
          await api.createCollection(name.value, declared(types.value), key.value);
          dialog.close();
          toast(t("collections.created", name.value));
          load();
        } catch (problem) {
          if (!(problem instanceof api.Problem)) throw problem;
          fill(trouble, problemLine(problem));
        }
      }),
    },
    h("div.field", {}, h("label", { htmlFor: "new-collection" }, t("collection")), name,
      h("p.small.muted", {}, t("upload.collection.note"))),
    h("div.field", {},
      h("label", { htmlFor: "new-collection-fields" }, t("collections.new.fields")), types,
      h("p.small.muted", {}, t("collections.new.fields.note"))),
    h("div.field", {},
      h("label", { htmlFor: key.id }, t("collections.new.partition")), key,
      h("p.small.muted", { id: "new-collection-partition-note" },
        t("collections.new.partition.note"))),
    trouble,
    h("div.row.end", {}, h("button.button.primary", { type: "submit" }, t("collections.new.create"))));
    const dialog = openDialog(t("collections.new"), form);
  }

  root.append(
    h("div.page-head", {},
      h("div", {}, h("h1", {}, t("view.collections")), h("p", {}, t("collections.text"))),
      button(t("collections.new"), create, { name: "plus", kind: "primary" })),
    list);
  load();
  return { follow() {}, leave: () => controller.abort() };
}
