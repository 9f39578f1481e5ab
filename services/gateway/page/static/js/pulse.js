// A small light in the header that shows whether all parts are ready. It asks every 15 s while the
// page is visible.

import { readiness } from "./api.js";
import { viewHref } from "./address.js";
import { h } from "./dom.js";
import { named, t } from "./messages.js";

const EVERY_MS = 15_000;

export function pulse() {
  const label = h("span");
  const link = h("a.pulse", { href: viewHref("health") }, label);
  const show = (state, text) => {
    link.dataset.state = state;
    label.textContent = text;
    link.ariaLabel = `${t("view.health")}: ${text}`;
  };
  const ask = async () => {
    if (document.hidden) return;
    try {
      const { checks } = await readiness();
      const away = Object.keys(checks).filter((name) => !checks[name].ok);
      const names = away.map((name) => named("part", name)).join(t("separator"));
      if (away.length) show("degraded", t("pulse.degraded", names));
      else show("ready", t("pulse.ready"));
    } catch {
      show("away", t("pulse.away"));
    }
  };
  show("unknown", t("pulse.unknown")); // named at once: on narrow screens the label is not shown
  ask();
  const timer = setInterval(ask, EVERY_MS);
  return { element: link, stop: () => clearInterval(timer) };
}
