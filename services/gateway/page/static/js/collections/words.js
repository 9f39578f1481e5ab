// The dialog of a collection's words: query rules and dictionary, each a form of its own.

import * as api from "../api.js";
import { confirm, openDialog } from "../dialogs.js";
import { fill, h } from "../dom.js";
import { t } from "../messages.js";
import { loading, problemState } from "../states.js";
import { dictionaryForm } from "./dictionary.js";
import { rulesForm } from "./rules.js";

/** A part that is read by `read` and then shown by the form that `form(stored, again)` makes. */
function section(read, form) {
  const element = h("section.words", {}, loading(1));
  let shown = null;
  const show = async () => {
    try {
      shown = form(await read(), show);
      fill(element, shown.element);
    } catch (problem) {
      if (api.isAbort(problem)) return;
      if (!(problem instanceof api.Problem)) throw problem;
      fill(element, problemState(problem, show));
    }
  };
  show();
  return { element, dirty: () => shown?.dirty() ?? false };
}

/** Opens the words of a collection; `onrebuild(collection)` asks for a rebuild. */
export function openWords(collection, onrebuild) {
  const { name } = collection;
  const controller = new AbortController();
  const { signal } = controller;
  const mayClose = async () => !parts.some((part) => part.dirty())
    || confirm(t("words.leave"), t("words.leave.text"), t("words.leave.yes"));
  const rebuild = async () => {
    if (!(await mayClose())) return;
    dialog.close();
    onrebuild(collection);
  };
  const parts = [
    section(() => api.queryRules(name, signal), (stored, again) => rulesForm(name, stored, again)),
    section(() => api.dictionary(name, signal), (stored) => dictionaryForm(name, stored, rebuild)),
  ];
  const dialog = openDialog(t("words.title", name),
    h("div.stack", {}, parts.map(({ element }) => element)),
    { kind: "wide", mayClose, onclose: () => controller.abort() });
}
