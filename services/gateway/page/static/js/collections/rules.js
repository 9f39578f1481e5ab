// The form of a collection's query rules: synonyms, stop words, pinned and hidden documents.

import * as api from "../api.js";
import { button, fill, h, icon, submission } from "../dom.js";
import { t } from "../messages.js";
import { problemLine } from "../states.js";
import { linesField, placed } from "./fields.js";
import { STOP_WORDS, SYNONYMS } from "./lines.js";
import { pinsField } from "./pins.js";

/** The form of `stored` rules. `reread` replaces it by one of the rules that are stored then. */
export function rulesForm(collection, stored, reread) {
  const fields = {
    synonyms: linesField("synonyms", stored.synonyms, SYNONYMS),
    stop_words: linesField("stopwords", stored.stop_words, STOP_WORDS, { rows: 3 }),
    queries: pinsField(stored.queries),
  };
  const members = Object.keys(fields);
  const trouble = h("div");
  const told = h("div.stack", { role: "status" });
  const content = () => JSON.stringify(members.map((member) => fields[member].content()));
  let { version } = stored;
  let saved = content();

  function refused(problem) {
    const about = placed(problem, members);
    if (about) fields[about.member].complain(about.text, about.place);
    else {
      fill(trouble, problemLine(problem),
        problem.status === 409 ? button(t("words.reread"), reread, { name: "retry" }) : null);
    }
  }

  async function save() {
    fill(trouble);
    fill(told);
    for (const member of members) fields[member].clear();
    const rules = Object.fromEntries(members.map((member) => [member, fields[member].values()]));
    if (!members.every((member) => rules[member])) return;
    const sent = content();
    try {
      const written = await api.putQueryRules(collection, { ...rules, version });
      version = written.version;
      saved = sent;
      const unknown = written.unknown_ids.join(t("separator"));
      fill(told, h("p", {}, t("words.rules.saved")), unknown
        ? h("div.notice", {}, icon("warning"), h("p", {}, t("words.unknown", unknown)))
        : null);
      told.scrollIntoView({ block: "nearest" });
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      refused(problem);
    }
  }

  return {
    element: h("form.stack", { onsubmit: submission(save) },
      h("h3", {}, t("words.rules")), h("p.small.muted", {}, t("words.rules.text")),
      members.map((member) => fields[member].element), trouble, told,
      h("div.row.end", {}, h("button.button.primary", { type: "submit" }, t("words.rules.save")))),
    dirty: () => content() !== saved,
  };
}
