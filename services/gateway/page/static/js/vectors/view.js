// The view of vectors: the vector of a text, the documents near it, and a comparison of two texts.

import * as api from "../api.js";
import { DEFAULT_COLLECTION, draft, go, params, viewHref } from "../address.js";
import { button, debounce, fill, h } from "../dom.js";
import { t } from "../messages.js";
import { empty, loading, problemLine, problemState } from "../states.js";
import { comparison } from "./cosine.js";
import { nearest } from "./nearest.js";
import { numbers, strip } from "./strip.js";

const TYPING_MS = 350;
const MAX_CHARS = 2000; // the longest text that a search takes
const EXAMPLE = { a: "中西方语言与文化的差异", b: "英汉翻译中的文化因素" };

export function mount(root) {
  let controller = new AbortController();
  const given = () => ({
    a: params().get("a") ?? "", b: params().get("b") ?? "",
    c: params().get("c") || DEFAULT_COLLECTION, p: params().get("p") ?? "",
  });
  const result = h("div.stack.vectors", { ariaBusy: "false" });

  const texts = Object.fromEntries(["a", "b"].map((name) => [name, h("textarea.input", {
    id: `text-${name}`, rows: 3, maxLength: MAX_CHARS, value: given()[name], spellcheck: false,
    placeholder: t(`vectors.placeholder.${name}`),
    oninput: (event) => { if (!event.isComposing) later(); },
    oncompositionend: () => later(),
  })]));

  const later = debounce(() => {
    const { c, p } = given();
    draft(viewHref("vectors", {
      a: texts.a.value, b: texts.b.value, c: c === DEFAULT_COLLECTION ? "" : c, p,
    }));
    run();
  }, TYPING_MS);

  async function showNearest(slot, query, where, signal) {
    try {
      fill(slot, await nearest(query, where, signal));
    } catch (problem) {
      if (api.isAbort(problem)) return;
      fill(slot, problemLine(problem));
    }
  }

  async function run() {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    const { a, b, c, p } = given();
    const named = [["a", a], ["b", b]].filter(([, text]) => text.trim());
    result.ariaBusy = "false";
    if (!named.length) {
      fill(result, empty(t("vectors.start"), t("vectors.start.text"),
        button(t("vectors.example"), () => go(viewHref("vectors", EXAMPLE)), { kind: "primary" })));
      return;
    }
    if (!result.querySelector(".strip")) fill(result, loading(1));
    result.ariaBusy = "true";
    try {
      const { vectors } = await api.embed(named.map(([, text]) => text), signal);
      const slot = h("div", {}, loading(1));
      fill(result,
        vectors.length === 2 ? comparison(vectors[0], vectors[1]) : null,
        h("div.vector-pair", {}, vectors.map((vector, i) => {
          const name = t(`vectors.of.${named[i][0]}`);
          return h("section.card.stack", {},
            h("h2", {}, name), strip(name, vector), numbers(vector));
        })),
        slot);
      await showNearest(slot, named[0][1], { collection: c, partition: p }, signal);
    } catch (problem) {
      if (api.isAbort(problem)) return;
      if (!(problem instanceof api.Problem)) throw problem;
      fill(result, problemState(problem, run));
    }
    result.ariaBusy = "false";
  }

  root.append(
    h("div.page-head", {}, h("div", {},
      h("h1", {}, t("view.vectors")), h("p", {}, t("vectors.text")))),
    h("div.vector-texts", {}, ["a", "b"].map((name) =>
      h("div.field", {}, h("label", { htmlFor: `text-${name}` }, t(`vectors.${name}`)), texts[name]))),
    result);
  run();
  return {
    follow() {
      later.cancel();
      for (const name of ["a", "b"]) texts[name].value = given()[name];
      run();
    },
    leave() {
      later.cancel();
      controller.abort();
    },
  };
}
