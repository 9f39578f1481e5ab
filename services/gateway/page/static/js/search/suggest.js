// The suggestions below the search box: an ARIA combobox with a list, for keyboard and pointer.

import * as api from "../api.js";
import { debounce, fill, h } from "../dom.js";
import { t } from "../messages.js";

const TYPING_MS = 90;
const MAX_CHARS = 100; // the longest text that the API completes
const OPERATORS = /["“”„＂:：]|(?:^|\s)-\S/;
const LIST = "suggestions";

/** Whether a query is plain words, which alone have suggestions. */
export const plain = (query) => query.trim() !== "" && query.length <= MAX_CHARS && !OPERATORS.test(query);

/** The text with the part that was typed set apart. */
function emphasised(text, typed) {
  const at = text.toLowerCase().indexOf(typed.toLowerCase());
  if (at < 0) return text;
  const end = at + typed.length;
  return [text.slice(0, at), h("b", {}, text.slice(at, end)), text.slice(end)];
}

/**
 * Makes a text input suggest. `suggest(typed, signal)` asks the API, `onpick(text)` gets the chosen
 * text. `typed(value)` is to be called after each keystroke, `key(event)` returns whether the list
 * took a key.
 */
export function suggestionList(input, { suggest, onpick }) {
  const list = h("ul.suggestions", { id: LIST, role: "listbox", ariaLabel: t("suggest.label"), hidden: true });
  let controller = new AbortController();
  let texts = [];
  let active = -1;
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-controls", LIST);
  input.ariaAutoComplete = "list";
  input.ariaExpanded = "false";

  function activate(index) {
    active = index;
    for (const [place, option] of [...list.children].entries()) {
      option.ariaSelected = String(place === active);
      if (place === active) option.scrollIntoView({ block: "nearest" });
    }
    if (active < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[active].id);
  }

  function close() {
    later.cancel();
    controller.abort();
    list.hidden = true;
    input.ariaExpanded = "false";
    activate(-1);
  }

  function pick(index) {
    const text = texts[index];
    close();
    onpick(text);
  }

  function draw(typed, suggestions) {
    const chosen = texts[active]; // a list that comes late leaves the choice where it was
    const others = suggestions.filter(({ text }) => text !== typed);
    texts = others.map(({ text }) => text);
    fill(list, others.map(({ text, kind }, place) =>
      h("li", {
        id: `${LIST}-${place}`, role: "option", ariaSelected: "false", onclick: () => pick(place),
      }, h("span.suggestion", {}, emphasised(text, typed)), h("span.muted.small", {}, t(`suggest.${kind}`)))));
    list.hidden = !texts.length;
    input.ariaExpanded = String(!list.hidden);
    activate(texts.indexOf(chosen));
  }

  async function ask(typed) {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    try {
      const { suggestions } = await suggest(typed, signal);
      if (!signal.aborted) draw(typed, suggestions);
    } catch (problem) {
      if (!api.isAbort(problem) && !(problem instanceof api.Problem)) throw problem;
      // Suggestions that fail are left out; if something is wrong, the answer of the search says it.
    }
  }

  const later = debounce(ask, TYPING_MS);
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the box
  input.addEventListener("blur", close);
  return {
    element: list,
    close,
    typed(value) {
      if (plain(value)) later(value.trim());
      else close();
    },
    key(event) {
      if (list.hidden) return false;
      const steps = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key in steps) {
        const places = texts.length + 1; // the search box is one of the places
        activate((active + 1 + steps[event.key] + places) % places - 1);
      } else if (event.key === "Enter" && active >= 0) pick(active);
      else if (event.key === "Escape") close();
      else return false;
      event.preventDefault();
      event.stopPropagation();
      return true;
    },
  };
}
