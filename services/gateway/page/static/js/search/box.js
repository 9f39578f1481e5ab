// The search box. While Chinese is being composed by an input method, nothing is searched.

import { button, h, icon } from "../dom.js";
import { t } from "../messages.js";
import { suggestionList } from "./suggest.js";

const MAX_CHARS = 2000; // the longest query that the API takes

/**
 * Makes the search box. It calls `oninput(query)` at each finished keystroke, `onsubmit(query)` on
 * Enter, `ondown()` on ↓ while no suggestions are shown, and `suggest(typed, signal)` to get
 * suggestions.
 */
export function searchBox({ oninput, onsubmit, ondown, suggest }) {
  const input = h("input.search-input", {
    type: "text", name: "q", enterKeyHint: "search", autocomplete: "off", spellcheck: false,
    maxLength: MAX_CHARS, placeholder: t("search.placeholder"), ariaLabel: t("search.label"),
  });
  const suggestions = suggestionList(input, {
    suggest,
    onpick(text) {
      input.value = text;
      clear.hidden = false;
      onsubmit(text);
    },
  });
  const tell = () => {
    clear.hidden = !input.value;
    oninput(input.value);
    suggestions.typed(input.value);
  };
  input.addEventListener("input", (event) => {
    if (!event.isComposing) tell();
  });
  input.addEventListener("compositionend", tell);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || suggestions.key(event)) return;
    if (event.key === "ArrowDown") {
      event.preventDefault();
      ondown();
    } else if (event.key === "Escape" && input.value) {
      event.preventDefault();
      empty();
    }
  });
  const empty = () => {
    input.value = "";
    clear.hidden = true;
    suggestions.close();
    onsubmit("");
    input.focus();
  };
  const clear = button(t("search.clear"), empty, { name: "close", quiet: true, hidden: true });
  const element = h("form.search-box", {
    role: "search",
    onsubmit: (event) => {
      event.preventDefault();
      suggestions.close();
      onsubmit(input.value);
    },
  }, icon("search"), input, clear, h("kbd", { ariaHidden: "true" }, "/"),
  h("button.button.primary", { type: "submit" }, t("view.search")), suggestions.element);
  return {
    element,
    focus() {
      input.focus();
      input.select();
    },
    set(query) {
      if (input.value !== query) input.value = query;
      clear.hidden = !query;
    },
  };
}
