// The view of health: the state of each part, asked of /readyz every few seconds.

import * as api from "../api.js";
import { fill, h, refresh } from "../dom.js";
import { messages, named, t } from "../messages.js";
import { loading, problemPart } from "../states.js";

const EVERY_MS = 4000;

function part(name, { ok, detail }) {
  const about = messages[`part.${name}.text`] ? t(`part.${name}.text`) : "";
  return h("li.card.part", { data: { part: name, state: ok ? "ready" : "away" } },
    h("h2.dot", { data: { state: ok ? "ready" : "away" } }, named("part", name)),
    h("span.badge", { className: `badge ${ok ? "good" : "bad"}` }, t(ok ? "health.ok" : "health.away")),
    detail ? h("p.part-detail", {}, detail) : null,
    about ? h("p.small.muted", {}, about) : null);
}

export function mount(root) {
  const controller = new AbortController();
  const body = h("div.stack", {}, loading(3));
  let timer = 0;

  async function ask() {
    clearTimeout(timer);
    try {
      if (!document.hidden) {
        const { checks } = await api.readiness(controller.signal);
        const away = Object.values(checks).filter(({ ok }) => !ok).length;
        const time = new Date().toLocaleTimeString(document.documentElement.lang);
        fill(body,
          h("p.verdict", {},
            h("b", {}, away ? t("health.degraded", away) : t("health.ready")), " ",
            h("span.small.muted.numbers", {}, t("health.checked", time))),
          h("ul.parts", {}, Object.entries(checks).map(([name, check]) => part(name, check))));
      }
    } catch (problem) {
      if (api.isAbort(problem)) return;
      if (!(problem instanceof api.Problem)) throw problem;
      refresh(body, [problemPart(problem, ask)]);
    }
    timer = setTimeout(ask, EVERY_MS);
  }

  root.append(
    h("div.page-head", {},
      h("div", {}, h("h1", {}, t("view.health")), h("p", {}, t("health.text"))),
      h("nav.row", { ariaLabel: t("health.links") },
        h("a.button", { href: "docs" }, t("health.docs")),
        h("a.button", { href: "metrics" }, t("health.metrics")))),
    body);
  ask();
  return {
    follow() {},
    leave() {
      clearTimeout(timer);
      controller.abort();
    },
  };
}
