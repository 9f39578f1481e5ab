// The drawer that explains the place of one hit.

import * as api from "../api.js";
import { searchHref, viewHref } from "../address.js";
import { openDialog } from "../dialogs.js";
import { button, fill, h, icon } from "../dom.js";
import { score } from "../format.js";
import { named, t } from "../messages.js";
import { copy } from "../notify.js";
import { problemLine } from "../states.js";
import { commonWords, markWords } from "./highlight.js";
import { explained } from "./request.js";
import { bar } from "./scores.js";

const VECTOR_CHARS = 300;

function path(hit, scale, total) {
  return h("section.stack", {},
    h("h3", {}, t("explain.path")),
    h("div.explain-path", {},
      scale.stages.map((stage) => {
        const place = scale.place(hit, stage);
        return h("div.explain-step", {},
          bar(stage, scale.share(hit, stage), hit.scores[stage]),
          h("span.small.muted", {}, place ? t("explain.place", place) : t("explain.missed")));
      }),
      h("div.explain-step.final", {},
        bar("final", scale.final(hit), hit.score))),
    h("p.small.muted", {}, t("explain.path.note", total)));
}

function features(scores) {
  return h("div.table-scroll", {}, h("table.table", {},
    h("thead", {}, h("tr", {},
      h("th", { scope: "col" }, t("explain.features.name")),
      h("th.number", { scope: "col" }, t("explain.features.value")))),
    h("tbody", {}, Object.entries(scores).map(([name, value]) =>
      h("tr", {}, h("td.mono", {}, name), h("td.number", {}, score(value)))))));
}

function fields(hit) {
  return h("dl.facts", {},
    h("div", {}, h("dt", {}, t("explain.id")), h("dd", {},
      h("code", {}, hit.id), " ",
      button(t("copy"), () => copy(hit.id), { name: "copy", quiet: true }))),
    Object.entries(hit.fields).map(([field, value]) =>
      h("div", {}, h("dt", {}, named("field", field)),
        h("dd", {}, Array.isArray(value) ? value.join(t("separator")) : String(value)))));
}

/**
 * Opens the drawer at hits[index]. The full features are asked for once, for all hits,
 * and looked up by id when the reader steps on.
 */
export function openExplain(state, hits, scale, index) {
  const controller = new AbortController();
  const asked = explained(state, controller.signal);
  asked.catch(() => {}); // the error is shown where this promise is awaited
  const body = h("div.stack");
  let at = index;

  const showFeatures = async (hit, into) => {
    try {
      const answer = await asked;
      const same = answer.hits.find(({ id }) => id === hit.id);
      if (same) fill(into, features(same.scores));
      else fill(into, h("p.muted", {}, t("explain.features.gone")));
    } catch (problem) {
      if (!api.isAbort(problem)) fill(into, problemLine(problem));
    }
  };

  const draw = () => {
    const hit = hits[at];
    const words = commonWords(hit);
    const all = h("div", {}, h("p.muted", {}, t("loading")));
    dialog.querySelector("h2").textContent = t("explain.title", at + 1);
    const text = [hit.title, hit.text].filter(Boolean).join("\n");
    fill(body,
      h("div.row", {},
        button(t("explain.previous"), () => step(-1), { disabled: at === 0, data: { step: "-1" } }),
        button(t("explain.next"), () => step(1), { disabled: at === hits.length - 1, data: { step: "1" } })),
      h("p.explain-title", {}, markWords(hit.title || t("hit.untitled"), words)),
      path(hit, scale, hits.length),
      words.length ? h("section.stack", {}, h("h3", {}, t("explain.terms")),
        h("div.row", {}, words.map((word) => h("span.chip.strong", {}, word)))) : null,
      h("section.stack", {}, h("h3", {}, t("explain.document")),
        hit.text ? h("p.explain-text", {}, markWords(hit.text, words)) : null,
        fields(hit),
        h("div.row", {},
          h("a.button", {
            href: searchHref({ like: hit.id, collection: state.collection, partition: state.partition }),
            onclick: () => dialog.close(),
          }, icon("search"), t("explain.similar")),
          h("a.button", {
            href: viewHref("vectors", {
              a: text.slice(0, VECTOR_CHARS), c: state.collection, p: state.partition,
            }),
            onclick: () => dialog.close(),
          }, icon("vectors"), t("explain.vector")))),
      h("section.stack", {}, h("h3", {}, t("explain.features")), all));
    showFeatures(hit, all);
  };
  const step = (by) => {
    at = Math.min(hits.length - 1, Math.max(0, at + by));
    draw();
    dialog.scrollTop = 0;
    const same = body.querySelector(`[data-step="${by}"]:not(:disabled)`);
    (same ?? body.querySelector("[data-step]:not(:disabled)"))?.focus();
  };

  const dialog = openDialog("", body, { kind: "drawer", onclose: () => controller.abort() });
  draw();
}
