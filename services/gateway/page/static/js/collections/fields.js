// Text areas whose complaints stand below them.

import { fill, h } from "../dom.js";
import { t } from "../messages.js";
import { BadLine, textOf } from "./lines.js";

/** What a refusal says and about which member and value; null if it names none of `members`. */
export function placed(problem, members) {
  const [, member, place, text] = /^(\w+)(?:\.(\d+))?\S*: (.*)$/s.exec(problem.detail) ?? [];
  return problem.status === 422 && members.includes(member) ? { member, place, text } : null;
}

/** A place for a complaint about a control, which is told when it appears. */
export function complaintOf(control, id) {
  const element = h("div.complaints", { role: "alert", id });
  return {
    element,
    show(text) {
      fill(element, text);
      control.setAttribute("aria-invalid", "true");
      control.focus();
    },
    clear() {
      fill(element);
      control.removeAttribute("aria-invalid");
    },
  };
}

/** A text area of values, one a line in the form `kind`. */
export function linesField(name, values, kind, { rows = 6 } = {}) {
  const id = `words-${name}`;
  const input = h("textarea.input", {
    id, rows, spellcheck: false, autocomplete: "off",
    "aria-describedby": `${id}-note ${id}-complaint`,
  });
  const complaint = complaintOf(input, `${id}-complaint`);
  const keptNote = h("p.small.muted");
  let kept = [];
  let numbers = [];

  function set(given) {
    const { text, kept: others } = textOf(given, kind);
    input.value = text;
    kept = others;
    keptNote.textContent = kept.length ? t("words.kept", kept.length) : "";
    keptNote.hidden = !kept.length;
  }

  set(values);
  return {
    element: h("div.field", {},
      h("label", { htmlFor: id }, t(`words.${name}`)), input,
      h("p.small.muted", { id: `${id}-note` }, t(`words.${name}.note`)), keptNote,
      complaint.element),
    set,
    content: () => input.value,
    clear: complaint.clear,
    /** The values; null after a complaint about a line. */
    values() {
      try {
        const read = kind.read(input.value);
        numbers = read.numbers;
        return [...read.values, ...kept];
      } catch (error) {
        if (!(error instanceof BadLine)) throw error;
        complaint.show(t("words.line", error.number, t("words.synonyms.bad")));
        return null;
      }
    },
    /** Shows what the API says about the value at `place`, or about all if there is no place. */
    complain(text, place) {
      complaint.show(place in numbers ? t("words.line", numbers[place], text) : text);
    },
  };
}
