// The view of searching: the box, the toolbar, and the answer in one of its states.

import * as api from "../api.js";
import { draft, go, readSearch, searchHref, settle } from "../address.js";
import { debounce, fill, h } from "../dom.js";
import { t } from "../messages.js";
import { drawAnswer } from "./answer.js";
import { searchBox } from "./box.js";
import { queryHelp } from "./help.js";
import { compare } from "./compare.js";
import { home, intro } from "./home.js";
import { moveFocus } from "./hits.js";
import { showLoosened } from "./loosen.js";
import { showMeant } from "./meant.js";
import { offered } from "./facets.js";
import { partitionChoice } from "./partition.js";
import { search, unfiltered } from "./request.js";
import { loading, problemState } from "../states.js";
import { toolbar } from "./toolbar.js";

const TYPING_MS = 220;

export function mount(root) {
  let state = readSearch();
  let controller = new AbortController();
  let known = []; // collections, once they are known
  let base = { of: null, offers: null }; // what the search without filters offers to filter by

  const box = searchBox({
    oninput: (query) => later(query),
    onsubmit: (query) => {
      later.cancel();
      change({ query });
      settle();
    },
    ondown: () => moveFocus(answer, 1),
    suggest: (typed, signal) => api.suggestions(state.collection, typed, signal),
  });
  const head = h("div.search-head");
  const tools = h("div");
  const partition = partitionChoice((part) => change(part));
  const answer = h("div.answer", { ariaBusy: "false" });
  root.append(head, answer);
  head.append(intro(), box.element, h("div.search-tools", {}, tools, partition.element), queryHelp());

  const later = debounce((query) => {
    if (query.trim() === state.query.trim()) return;
    draft(searchHref({ ...state, query }));
    run();
  }, TYPING_MS);

  function change(part) {
    go(searchHref({ ...state, ...part }));
  }

  function drawTools() {
    const held = tools.contains(document.activeElement) ? document.activeElement.dataset.tool : null;
    fill(tools, toolbar(state, known.map(({ name }) => name), sortable(), change));
    partition.draw(state, known);
    if (held) tools.querySelector(`[data-tool="${held}"]`)?.focus();
  }

  /** Fields that hits can be put in order by: the numbers among the facets, which may be years. */
  function sortable() {
    const numbers = (base.offers?.facets ?? []).filter((facet) => "low" in facet);
    return numbers.map(({ field, low, high }) => ({ name: field, years: low >= 1000 && high <= 2200 }));
  }

  function drawHome() {
    fill(answer, home(state, known.find(({ name }) => name === state.collection) ?? null));
  }

  /** What the search without filters offers; asked for only when it is not at hand. */
  async function offersFor(result, signal) {
    const of = searchHref({ ...state, filters: new Map() });
    if (base.of !== of) {
      const whole = state.filters.size ? await unfiltered(state, signal) : result;
      base = { of, offers: offered(whole) };
    }
    return base.offers;
  }

  async function run() {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    state = readSearch();
    drawTools();
    const asked = state.query.trim() || state.like;
    root.classList.toggle("at-home", !asked);
    document.title = asked ? `${asked} · ${t("title")}` : t("title");
    answer.ariaBusy = "false";
    if (!asked) {
      drawHome();
      return;
    }
    const comparing = state.mode === "compare" && !state.like;
    const shape = comparing ? ".legs" : ".results";
    if (!answer.querySelector(shape)) fill(answer, loading());
    answer.ariaBusy = "true";
    try {
      if (comparing) await compare(answer, state, { signal, onchange: change });
      else {
        const result = await search(state, signal);
        const offers = await offersFor(result, signal);
        drawAnswer(answer, { state, result, offers, onchange: change, retry: run });
        drawTools();
        showMeant(answer.querySelector(".meant"), state, signal, change);
        showLoosened(answer.querySelector(".state .row"), state, signal, change);
      }
    } catch (problem) {
      if (api.isAbort(problem)) return; // a newer search is under way
      if (!(problem instanceof api.Problem)) throw problem;
      fill(answer, problemState(problem, run));
    }
    answer.ariaBusy = "false";
  }

  async function learnCollections() {
    try {
      known = await api.collections();
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      return; // the chooser then offers only the collection of the address
    }
    drawTools();
    if (!state.query.trim() && !state.like) drawHome();
  }

  function keys(event) {
    if (document.querySelector("dialog[open]") || event.altKey || event.metaKey || event.ctrlKey) return;
    const inText = event.target.matches("input:not([type=radio], [type=checkbox]), select, textarea");
    const onHit = event.target.matches(".hit-title");
    if (event.key === "/" && !inText) {
      event.preventDefault();
      box.focus();
    } else if (event.key === "Escape" && !inText) box.focus();
    else if (onHit && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      if (!moveFocus(answer, event.key === "ArrowDown" ? 1 : -1)) box.focus();
    }
  }

  function follow() {
    later.cancel();
    box.set(readSearch().query);
    run();
  }

  document.addEventListener("keydown", keys);
  box.set(state.query);
  run();
  learnCollections();
  // The view may come late: what has the focus by then keeps it.
  const free = document.activeElement === document.body;
  if (free && !state.query && matchMedia("(hover: hover)").matches) box.focus();
  return {
    follow,
    leave() {
      document.removeEventListener("keydown", keys);
      controller.abort();
      later.cancel();
      root.classList.remove("at-home");
    },
  };
}
