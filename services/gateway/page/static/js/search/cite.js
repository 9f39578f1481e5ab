// References to chosen hits: to copy, or to save as a file for a reference manager.

import * as api from "../api.js";
import { openDialog } from "../dialogs.js";
import { button, fill, h, icon } from "../dom.js";
import { t } from "../messages.js";
import { copy } from "../notify.js";
import { loading, problemLine } from "../states.js";

const MOST = 100; // documents that the API cites in one call
const FORMS = [["gbt7714", "txt"], ["ris", "ris"], ["bibtex", "bib"]];

/** Opens the dialog for the documents `all` of a collection; the first 100 of more are cited. */
export function openCite(collection, all) {
  const ids = all.slice(0, MOST);
  let controller = new AbortController();
  const shown = h("div.stack", {});
  let address = null;
  const forget = () => {
    if (address) URL.revokeObjectURL(address);
    address = null;
  };

  async function show(form, ending) {
    controller.abort(); // the form chosen before may come later
    controller = new AbortController();
    fill(shown, loading(1));
    try {
      const text = await api.cite({ ids, collection, form }, controller.signal);
      forget();
      address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
      fill(shown,
        h("textarea.input.mono", {
          readOnly: true, rows: 12, value: text, ariaLabel: t("cite.text"), spellcheck: false,
        }),
        h("div.row.end", {},
          button(t("copy"), () => copy(text), { name: "copy" }),
          h("a.button", { href: address, download: `references.${ending}` },
            icon("download"), t("cite.save"))));
    } catch (problem) {
      if (!api.isAbort(problem)) fill(shown, problemLine(problem));
    }
  }

  const forms = h("fieldset.segments", { ariaLabel: t("cite.form"), role: "radiogroup" },
    FORMS.map(([form, ending], place) => h("label", {},
      h("input", {
        type: "radio", name: "cite-form", value: form, checked: place === 0,
        onchange: () => show(form, ending),
      }),
      h("span", {}, t(`cite.${form}`)))));
  const cut = all.length > MOST ? h("p.notice", {}, t("cite.cut", MOST, all.length)) : null;
  openDialog(t("cite.title", ids.length), h("div.stack", {}, forms, cut, shown), {
    kind: "wide",
    onclose: () => {
      controller.abort();
      forget();
    },
  });
  show(...FORMS[0]);
}
