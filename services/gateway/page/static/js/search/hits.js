// The list of hits: cards with highlights, metadata and score bars.

import { Problem } from "../api.js";
import { button, fill, h, icon, single } from "../dom.js";
import { score } from "../format.js";
import { named, t } from "../messages.js";
import { marked, snippets } from "./highlight.js";
import { ORIGINAL, originalLink } from "./original.js";
import { problemLine } from "../states.js";
import { bar } from "./scores.js";

export const SHOWN = 10;
const SNIPPET_CHARS = 180;
const KEYWORDS_SHOWN = 6;

function snippet(hit) {
  const found = snippets(hit, "text");
  if (found) return found.flatMap((one, i) => marked(i ? one.replace(/^…/, "") : one));
  const { text } = hit;
  return text.length > SNIPPET_CHARS ? `${text.slice(0, SNIPPET_CHARS)}…` : text;
}

/**
 * Where the text of a long document stands: its page and the section, with a link to the original
 * where one is kept.
 */
function place(hit, collection) {
  const link = (text, page) => originalLink(collection, hit, text, page);
  if (!hit.passage) {
    const whole = link(t("hit.original"));
    return whole ? h("p.hit-passage", {}, whole) : null;
  }
  const { page, section, number } = hit.passage;
  const passage = t("hit.passage", number + 1, hit.passage_count);
  const at = page ? t("hit.page", page) : "";
  const parts = at ? [link(at, page) ?? at, section] : [section || passage, link(t("hit.original"))];
  return h("p.hit-passage", { title: passage },
    parts.filter(Boolean).flatMap((one, i) => (i ? [" · ", one] : [one])));
}

/**
 * Metadata as chips. A single value is shown as a fact; each word of a list is a button that
 * chooses a filter.
 */
function metadata(hit, onfilter) {
  const facts = [];
  const words = [];
  for (const [field, value] of Object.entries(hit.fields)) {
    if (field === ORIGINAL) continue; // the link tells it
    if (!Array.isArray(value)) {
      const name = named("field", field);
      const text = typeof value === "string" ? value : `${name} ${value}`;
      facts.push(h("span.chip.strong", { title: name }, text));
    } else {
      for (const word of value.slice(0, KEYWORDS_SHOWN)) {
        words.push(typeof word === "string"
          ? h("button.chip", {
              type: "button", title: t("hit.keyword", word), onclick: () => onfilter(field, word),
            }, word)
          : h("span.chip", {}, word));
      }
    }
  }
  return facts.length + words.length ? h("div.hit-meta", {}, facts, words) : null;
}

function card(hit, rank, scale, { collection, onopen, onfilter, chosen, onchoose }) {
  const title = snippets(hit, "title");
  return h("li", {},
    h("article.hit", { data: { id: hit.id } },
      h("div.hit-place.numbers", {},
        h("span", { ariaHidden: "true" }, rank),
        h("input", {
          type: "checkbox", ariaLabel: t("hit.choose", hit.title || hit.id), checked: chosen.has(hit.id),
          onchange: (event) => onchoose(hit.id, event.target.checked),
        })),
      h("div.hit-body", {},
        h("h2", {},
          hit.pinned ? h("span.badge.pinned", { title: t("hit.pinned.text") }, t("hit.pinned")) : null,
          h("button.hit-title", { type: "button", onclick: () => onopen(rank - 1) },
            title ? marked(title[0]) : hit.title || t("hit.untitled"))),
        hit.text ? h("p.hit-text", {}, snippet(hit)) : null,
        place(hit, collection),
        metadata(hit, onfilter)),
      h("div.hit-scores", {},
        h("p.hit-score", {},
          h("span.muted.small", {}, t("hit.score")),
          h("b.numbers", {}, score(hit.score))),
        scale.stages.map((stage) => bar(stage, scale.share(hit, stage), hit.scores[stage])),
        h("button.button.quiet.hit-explain", {
          type: "button", tabIndex: -1, ariaHidden: "true", onclick: () => onopen(rank - 1),
        }, icon("explain"), t("hit.explain")))));
}

/**
 * Draws the list, ten hits at first and more on demand. `onopen(index)` opens a hit,
 * `onfilter(field, value)` chooses a filter, `collection` is the one that they are in, and
 * `following` has the hits after these.
 */
export function drawHits(root, hits, scale, actions) {
  const list = h("ol.hits", { ariaLabel: t("search.hits") });
  const foot = h("div.row.more");
  const { following } = actions;
  const more = single(async () => {
    const from = list.children.length;
    if (from && from === hits.length) {
      try {
        hits.push(...await following.next());
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        const gone = problem.code === "cursor_expired";
        fill(foot, problemLine(problem), gone ? null : button(t("problem.retry"), more, { name: "retry" }));
        foot.querySelector("button")?.focus();
        return;
      }
    }
    const next = hits.slice(from, from + SHOWN);
    list.append(...next.map((hit, i) => card(hit, from + i + 1, scale, actions)));
    const left = Math.min(SHOWN, hits.length - list.children.length);
    if (from) list.children[from]?.querySelector(".hit-title").focus();
    const further = following.left() ? button(t("search.next"), more) : null;
    fill(foot, left > 0 ? button(t("search.more", left), more) : further);
  });
  more();
  fill(root, list, foot);
}

/** Moves the focus by `step` hits; returns false where it would leave the list at the top. */
export function moveFocus(root, step) {
  const titles = [...root.querySelectorAll(".hit-title")];
  const next = titles.indexOf(document.activeElement) + step;
  if (next < 0) return false;
  const target = titles[Math.min(next, titles.length - 1)];
  target?.focus();
  target?.closest(".hit").scrollIntoView({ block: "nearest" });
  return true;
}
