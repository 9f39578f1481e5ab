// Shows hybrid, dense and lexical answers side by side, and each document's place in the others.

import { isAbort } from "../api.js";
import { fill, h } from "../dom.js";
import { count, milliseconds, score } from "../format.js";
import { t } from "../messages.js";
import { loading, problemLine } from "../states.js";
import { chosenChips } from "./facets.js";
import { marked, snippets } from "./highlight.js";
import { leg } from "./request.js";
import { stageBar } from "./stages.js";

const LEGS = ["hybrid", "dense", "lexical"];

function places(answers, id) {
  return LEGS.map((mode) => [mode, answers.get(mode)?.hits.findIndex((hit) => hit.id === id) + 1])
    .filter(([, place]) => place > 0);
}

function row(hit, place, mode, answers) {
  const others = places(answers, hit.id).filter(([other]) => other !== mode);
  const complete = answers.size === LEGS.length;
  const title = snippets(hit, "title");
  return h("li.leg-hit", { data: { id: hit.id }, tabIndex: 0 },
    h("span.hit-place.numbers", { ariaHidden: "true" }, place),
    h("div", {},
      h("p", {}, title ? marked(title[0]) : hit.title || t("hit.untitled")),
      h("p.small.muted.numbers", {}, score(hit.score), " ",
        others.map(([other, at]) => h("span.badge", {}, t("compare.elsewhere", t(`mode.${other}`), at))),
        complete && !others.length ? h("span.badge.warn", {}, t("compare.only")) : null)));
}

function column(mode, answer, answers) {
  return [
    h("p.small.muted.numbers", {},
      t("compare.took", milliseconds(answer.took_ms), answer.total ? count(answer.total) : "")),
    stageBar(answer.stages, { legend: false }),
    h("ol", {}, answer.hits.map((hit, i) => row(hit, i + 1, mode, answers))),
    answer.hits.length ? null : h("p.muted", {}, t("search.empty")),
  ];
}

function overlap(answers) {
  const [dense, lexical] = [answers.get("dense"), answers.get("lexical")];
  if (!dense || !lexical) return null;
  const ids = new Set(dense.hits.map(({ id }) => id));
  const shared = lexical.hits.filter(({ id }) => ids.has(id)).length;
  return t("compare.overlap", shared, Math.max(dense.hits.length, lexical.hits.length));
}

/** Highlights one document in every column. */
function pointing(root) {
  return (event) => {
    const id = event.target.closest?.(".leg-hit")?.dataset.id;
    for (const item of root.querySelectorAll(".leg-hit")) {
      item.classList.toggle("same", event.type !== "pointerleave" && item.dataset.id === id);
    }
  };
}

/** Runs the three searches and draws each as it comes. Resolves when all have ended. */
export async function compare(root, state, { signal, onchange }) {
  const answers = new Map();
  const problems = new Map();
  const before = new Map([...root.querySelectorAll(".leg")].map((element) =>
    [element.dataset.mode, element.querySelector(".leg-body")]));
  const share = h("p.badge.busy", { hidden: true });
  const columns = new Map(LEGS.map((mode) => [mode, before.get(mode) ?? h("div.leg-body", {}, loading(2))]));
  const legs = h("div.legs", {}, LEGS.map((mode) =>
    h("section.leg", { ariaLabel: t(`mode.${mode}`), data: { mode } },
      h("h2", {}, t(`mode.${mode}`)), columns.get(mode))));
  for (const type of ["pointerover", "pointerleave", "focusin"]) {
    legs.addEventListener(type, pointing(legs));
  }
  const chips = chosenChips(state, onchange);
  fill(root,
    h("div.compare-head", {}, h("p.muted", {}, t("compare.text")), chips, share), legs);
  for (const body of columns.values()) body.ariaBusy = "true"; // it shows hits of the last query
  const draw = () => {
    for (const [mode, body] of columns) {
      body.ariaBusy = String(!answers.has(mode) && !problems.has(mode));
      if (answers.has(mode)) fill(body, column(mode, answers.get(mode), answers));
      else if (problems.has(mode)) fill(body, problemLine(problems.get(mode)));
    }
    share.textContent = overlap(answers) ?? "";
    share.hidden = !share.textContent;
  };
  await Promise.all(LEGS.map(async (mode) => {
    try {
      answers.set(mode, await leg(state, mode, signal));
    } catch (problem) {
      if (isAbort(problem)) throw problem;
      problems.set(mode, problem);
    }
    draw();
  }));
}
