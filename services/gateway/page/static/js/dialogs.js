// Modal dialogs made of <dialog>, which keeps the focus inside, closes on Esc and makes the page
// behind inert.

import { button, h } from "./dom.js";
import { t } from "./messages.js";
import { toast } from "./notify.js";
import { apiKey, setApiKey } from "./preferences.js";

let serial = 0;

/**
 * Opens a dialog that removes itself when closed and gives the focus back. Returns it.
 * Where the reader wants to leave it, it stays open if `mayClose()` resolves to false.
 */
export function openDialog(title, content, { kind = "", onclose, mayClose = () => true } = {}) {
  const id = `dialog-${(serial += 1)}`;
  const leave = async () => {
    if (await mayClose()) dialog.close();
  };
  const dialog = h(
    `dialog${kind ? `.${kind}` : ""}`,
    { "aria-labelledby": id },
    h("div.dialog-head", {},
      h("h2", { id }, title),
      button(t("close"), leave, { name: "close", quiet: true })),
    content,
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    onclose?.();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) leave(); // a click beside the content
  });
  dialog.addEventListener("cancel", (event) => {
    if (event.target !== dialog) return; // the choice of a file inside was cancelled
    event.preventDefault();
    leave();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Asks before an action that cannot be taken back. Resolves to true if the reader agrees, else to
 * false.
 */
export function confirm(title, text, action, { danger = true } = {}) {
  return new Promise((resolve) => {
    let answer = false;
    const accept = () => {
      answer = true;
      dialog.close();
    };
    const dialog = openDialog(
      title,
      h("div.stack", {},
        h("p", {}, text),
        h("div.row.end", {},
          button(t("cancel"), () => dialog.close()),
          button(action, accept, { kind: danger ? "danger" : "primary" }))),
      { onclose: () => resolve(answer) },
    );
  });
}

const KEY = "\\s*[!-~]+\\s*"; // a browser sends no other characters in the header of the key

export function openKey() {
  const input = h("input.input.mono", {
    id: "api-key", type: "password", autocomplete: "off", spellcheck: false, required: true,
    autofocus: true, value: apiKey() ?? "", pattern: KEY, title: t("key.form"),
  });
  const change = (value) => {
    setApiKey(value);
    toast(t(value ? "key.saved" : "key.forgotten"));
    dialog.close();
  };
  const form = h(
    "form.stack",
    { onsubmit: (event) => { event.preventDefault(); change(input.value.trim()); } },
    h("p.muted", {}, t("key.text")),
    h("div.field", {}, h("label", { htmlFor: "api-key" }, t("key.label")), input),
    h("div.row.end", {},
      apiKey() ? button(t("key.forget"), () => change(null), { kind: "danger" }) : null,
      h("button.button.primary", { type: "submit" }, t("key.save"))),
  );
  const dialog = openDialog(t("key.title"), form);
}

export function openShortcuts() {
  const rows = [
    [["/"], "slash"], [["↑", "↓"], "arrows"], [["Enter"], "enter"], [["Esc"], "escape"],
    [["1", "…", "5"], "views"], [["?"], "help"],
  ];
  openDialog(
    t("shortcuts"),
    h("dl.keys", {}, rows.map(([keys, name]) => [
      h("dt", {}, keys.map((key) => h("kbd", {}, key))),
      h("dd", {}, t(`shortcuts.${name}`)),
    ])),
  );
}
