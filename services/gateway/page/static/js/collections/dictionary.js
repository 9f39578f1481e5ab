// The form of a collection's dictionary: the words that the segmenter keeps whole.

import * as api from "../api.js";
import { button, fill, h, icon, submission } from "../dom.js";
import { t } from "../messages.js";
import { problemLine } from "../states.js";
import { linesField, placed } from "./fields.js";
import { DICTIONARY } from "./lines.js";

/** The form of a `stored` dictionary. `onrebuild` offers the rebuild that the words wait for. */
export function dictionaryForm(collection, stored, onrebuild) {
  const field = linesField("dictionary", stored.words, DICTIONARY);
  const trouble = h("div");
  const told = h("div.stack", { role: "status" });
  let now = stored;
  let saved = field.content();

  const tell = (text = null) => fill(told, text ? h("p", {}, text) : null, now.waiting
    ? h("div.notice", {}, icon("warning"), h("p", {}, t("words.waiting")),
        button(t("collections.rebuild"), onrebuild, { name: "retry" }))
    : null);

  async function save() {
    fill(trouble);
    field.clear();
    tell();
    const sent = field.content();
    try {
      await api.putDictionary(collection, field.values());
      now = await api.dictionary(collection); // the words in the form in which texts are compared
      saved = sent;
      if (field.content() === sent) { // what was typed meanwhile stays
        field.set(now.words);
        saved = field.content();
      }
      tell(t("words.dictionary.saved"));
      told.scrollIntoView({ block: "nearest" });
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      const about = placed(problem, ["words"]);
      if (about) field.complain(about.text, about.place);
      else fill(trouble, problemLine(problem));
    }
  }

  tell();
  return {
    element: h("form.stack", { onsubmit: submission(save) },
      h("h3", {}, t("words.whole")), h("p.small.muted", {}, t("words.whole.text")),
      field.element, trouble, told,
      h("div.row.end", {},
        h("button.button.primary", { type: "submit" }, t("words.dictionary.save")))),
    dirty: () => field.content() !== saved,
  };
}
