// The frame around every view: brand, tabs, tools.

import { view, viewHref } from "./address.js";
import { openKey, openShortcuts } from "./dialogs.js";
import { button, h, icon } from "./dom.js";
import { t } from "./messages.js";
import { apiKey, language, setLanguage, setTheme, theme } from "./preferences.js";
import { pulse } from "./pulse.js";

export const VIEWS = ["search", "vectors", "jobs", "collections", "health"];
const THEMES = { auto: "auto", light: "sun", dark: "moon" };

function themeButton() {
  const now = theme();
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(now) + 1) % names.length];
  return button(t(`theme.${now}`), () => setTheme(next), {
    name: THEMES[now], quiet: true, data: { tool: "theme" },
  });
}

function languageButton() {
  const other = language() === "zh" ? "en" : "zh";
  return h("button.button.quiet", {
    type: "button", title: t("language.switch"), ariaLabel: t("language.switch"),
    lang: other === "zh" ? "zh-CN" : "en", data: { tool: "language" },
    onclick: () => setLanguage(other),
  }, t("language.other"));
}

function keyButton() {
  const given = Boolean(apiKey());
  return button(t(given ? "key.set" : "key.button"), openKey, {
    name: "key", quiet: true, kind: given ? "set" : "", data: { tool: "key" },
  });
}

/** The header, which is built anew when theme, language or key change. */
export function header() {
  const light = pulse();
  const element = h("header.shell", {},
    h("a.button.skip", { href: "#content" }, t("skip")),
    h("div.shell-inner", {},
      h("a.brand", { href: viewHref("search") },
        h("img", { src: "favicon.svg", alt: "" }), h("strong", { lang: "zh-CN" }, "寻文")),
      h("nav.tabs", { ariaLabel: t("nav") }, VIEWS.map((name) =>
        h("a", {
          href: viewHref(name), "aria-current": view() === name ? "page" : null,
          data: { view: name, tool: name },
        }, icon(name), t(`view.${name}`)))),
      h("div.tools", {},
        light.element,
        button(t("shortcuts"), openShortcuts, { name: "keyboard", quiet: true, kind: "shortcuts" }),
        keyButton(), themeButton(), languageButton())));
  return { element, stop: light.stop };
}
