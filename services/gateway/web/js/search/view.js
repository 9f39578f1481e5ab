// The search page: the box, how to search, and the answer in one of its states.

import * as api from "../api.js";
import { draft, go, readSearch, searchHref, settle } from "../address.js";
import { debounce, fill, h } from "../dom.js";
import { t } from "../messages.js";
import { drawAnswer } from "./answer.js";
import { searchBox } from "./box.js";
import { compare } from "./compare.js";
import { home, intro } from "./home.js";
import { moveFocus } from "./hits.js";
import { search, unfiltered } from "./request.js";
import { loading, problemState } from "../states.js";
import { toolbar } from "./toolbar.js";

const TYPING_MS = 220;

export function mount(root) {
  let state = readSearch();
  let controller = new AbortController();
  let known = []; // collections, once they are known
  let base = { of: null, hits: [] }; // the unfiltered hits that the facets count over

  const box = searchBox({
    oninput: (query) => later(query),
    onsubmit: (query) => {
      later.cancel();
      change({ query });
      settle();
    },
    ondown: () => moveFocus(answer, 1),
  });
  const head = h("div.search-head");
  const tools = h("div");
  const answer = h("div.answer", { ariaBusy: "false" });
  root.append(head, answer);
  head.append(intro(), box.element, tools);

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
    fill(tools, toolbar(state, known.map(({ name }) => name), change));
    if (held) tools.querySelector(`[data-tool="${held}"]`)?.focus();
  }

  function drawHome() {
    fill(answer, home(state, known.find(({ name }) => name === state.collection) ?? null));
  }

  /** Hits without filters, for the facets; asked for only when they are not at hand. */
  async function facetHits(result, signal) {
    const of = searchHref({ ...state, filters: new Map() });
    if (base.of === of) return base.hits;
    const hits = state.filters.size ? (await unfiltered(state, signal)).hits : result.hits;
    base = { of, hits };
    return hits;
  }

  async function run() {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    state = readSearch();
    drawTools();
    root.classList.toggle("at-home", !state.query.trim());
    document.title = state.query.trim() ? `${state.query} · ${t("title")}` : t("title");
    answer.ariaBusy = "false";
    if (!state.query.trim()) {
      drawHome();
      return;
    }
    const shape = state.mode === "compare" ? ".legs" : ".results";
    if (!answer.querySelector(shape)) fill(answer, loading());
    answer.ariaBusy = "true";
    try {
      if (state.mode === "compare") await compare(answer, state, { signal, onchange: change });
      else {
        const result = await search(state, signal);
        const offered = await facetHits(result, signal);
        drawAnswer(answer, { state, result, offered, onchange: change, retry: run });
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
    if (!state.query.trim()) drawHome();
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
  if (!state.query && matchMedia("(hover: hover)").matches) box.focus();
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
