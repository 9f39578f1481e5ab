// The states of a view that has no content to show: loading, empty, error.

import { viewHref } from "./address.js";
import { button, h, icon } from "./dom.js";
import { openKey } from "./dialogs.js";
import { messages, t } from "./messages.js";

/** Grey shapes in the places of `count` cards that are loading. */
export function loading(count = 3) {
  return h("div.skeleton", { role: "status", ariaLabel: t("loading") },
    Array.from({ length: count }, () => h("div", {}, h("i"), h("i"), h("i"), h("i"))));
}

/** A calm page that says what is missing and what to do. */
export function empty(title, text, ...actions) {
  return h("div.state", {},
    icon("empty"), h("h2", {}, title), h("p", {}, text),
    actions.length ? h("div.row", {}, actions) : null);
}

export function problemTitle(problem) {
  const key = `problem.${problem.code}`;
  return messages[key] ? t(key) : t("problem.other", problem.status || "?");
}

const RETRY_SECONDS_MAX = 60;

/** A retry button. If the server said when to come back, it counts down and presses itself. */
function retryButton(problem, retry) {
  let left = Math.min(problem.retryAfter ?? 0, RETRY_SECONDS_MAX);
  let timer = 0;
  const again = () => {
    clearInterval(timer);
    retry();
  };
  const element = button(t("problem.retry"), again, {
    name: "retry", kind: "primary", data: { focus: "problem" },
  });
  if (left === 0) return element;
  const label = element.querySelector("span");
  const tell = () => { label.textContent = t("problem.retry.in", left); };
  tell();
  timer = setInterval(() => {
    left -= 1;
    if (!element.isConnected) clearInterval(timer); // another state took the place of this one
    else if (left === 0) again();
    else tell();
  }, 1000);
  return element;
}

/** An error as a page of words, with the action that helps. */
export function problemState(problem, retry) {
  const detail = problem.code === "unreachable" ? t("problem.unreachable.hint") : problem.detail;
  const away = problem.status === 0 || problem.status >= 500;
  return h("div.state.problem", { role: "alert", data: { code: problem.code } },
    icon("error"),
    h("h2", {}, problemTitle(problem)),
    detail ? h("p", {}, detail) : null,
    h("dl", {},
      h("div", {}, h("dt", {}, t("problem.code")), h("dd.mono", {}, problem.code)),
      problem.requestId
        ? h("div", {}, h("dt", {}, t("problem.request")), h("dd.mono", {}, problem.requestId))
        : null),
    h("div.row", { ariaLive: "off" }, // a countdown is not read out at each second
      problem.status === 401 || problem.status === 403
        ? button(t("problem.key"), openKey, {
            name: "key", kind: "primary", data: { focus: "problem" },
          })
        : retryButton(problem, retry),
      problem.code === "collection_not_found"
        ? h("a.button", { href: viewHref("jobs") }, t("problem.index"))
        : null,
      away ? h("a.button", { href: viewHref("health") }, t("problem.health")) : null));
}

/**
 * An error as a part of `refresh`. One that comes again is not drawn, and so not read out, again,
 * unless it counts down.
 */
export function problemPart(problem, retry) {
  return {
    key: "problem",
    shows: problem.retryAfter ? problem : problem.code,
    draw: () => problemState(problem, retry),
  };
}

/** An error in one line, for a part of a view. */
export function problemLine(problem) {
  const detail = problem.code === "unreachable" ? t("problem.unreachable.hint") : problem.detail;
  return h("div.notice.bad", { role: "alert", data: { code: problem.code } },
    icon("error"), h("p", {}, h("strong", {}, problemTitle(problem)), " ", detail));
}
