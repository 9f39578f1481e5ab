// The list of hits: cards with highlights, metadata and score bars.

import { button, fill, h, icon } from "../dom.js";
import { score } from "../format.js";
import { named, t } from "../messages.js";
import { marked, snippets } from "./highlight.js";
import { bar } from "./scores.js";

const PAGE = 10;
const SNIPPET_CHARS = 180;
const KEYWORDS_SHOWN = 6;

function snippet(hit) {
  const found = snippets(hit, "text");
  if (found) return found.flatMap((one, i) => marked(i ? one.replace(/^…/, "") : one));
  const { text } = hit;
  return text.length > SNIPPET_CHARS ? `${text.slice(0, SNIPPET_CHARS)}…` : text;
}

/** Metadata as chips: one value of a field is a fact, words of a list choose a filter. */
function metadata(hit, onfilter) {
  const facts = [];
  const words = [];
  for (const [field, value] of Object.entries(hit.fields)) {
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

function card(hit, place, scale, { onopen, onfilter }) {
  const title = snippets(hit, "title");
  return h("li", {},
    h("article.hit", { data: { id: hit.id } },
      h("span.hit-place.numbers", { ariaHidden: "true" }, place),
      h("div.hit-body", {},
        h("h2", {},
          h("button.hit-title", { type: "button", onclick: () => onopen(place - 1) },
            title ? marked(title[0]) : hit.title || t("hit.untitled"))),
        hit.text ? h("p.hit-text", {}, snippet(hit)) : null,
        metadata(hit, onfilter)),
      h("div.hit-scores", {},
        h("p.hit-score", {},
          h("span.muted.small", {}, t("hit.score")),
          h("b.numbers", {}, score(hit.score))),
        scale.stages.map((stage) => bar(stage, scale.share(hit, stage), hit.scores[stage])),
        h("button.button.quiet.hit-explain", {
          type: "button", tabIndex: -1, ariaHidden: "true", onclick: () => onopen(place - 1),
        }, icon("explain"), t("hit.explain")))));
}

/** Draws the list; ten at first, more on demand. `onopen(index)`, `onfilter(field, value)`. */
export function drawHits(root, hits, scale, actions) {
  const list = h("ol.hits", { ariaLabel: t("search.hits") });
  const foot = h("div.row.more");
  const more = () => {
    const from = list.children.length;
    const next = hits.slice(from, from + PAGE);
    list.append(...next.map((hit, i) => card(hit, from + i + 1, scale, actions)));
    const left = Math.min(PAGE, hits.length - list.children.length);
    if (from) list.children[from].querySelector(".hit-title").focus();
    fill(foot, left > 0 ? button(t("search.more", left), more) : null);
  };
  more();
  fill(root, list, foot);
}

/** Moves the focus by `step` hits. False where it would leave the list at the top. */
export function moveFocus(root, step) {
  const titles = [...root.querySelectorAll(".hit-title")];
  const next = titles.indexOf(document.activeElement) + step;
  if (next < 0) return false;
  const target = titles[Math.min(next, titles.length - 1)];
  target?.focus();
  target?.closest(".hit").scrollIntoView({ block: "nearest" });
  return true;
}
