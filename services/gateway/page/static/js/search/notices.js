// Notices about an answer: the parts of the system that did not take part in it.

import { button, h, icon } from "../dom.js";
import { messages, t } from "../messages.js";

/** A banner, or null if everything took part. */
export function degradedBanner(degraded, retry) {
  if (!degraded.length) return null;
  const words = degraded.map((name) =>
    messages[`degraded.${name}`] ? t(`degraded.${name}`) : t("degraded.other", name));
  return h("div.notice", { role: "status", data: { degraded: degraded.join(" ") } },
    icon("warning"),
    h("p", {}, h("strong", {}, t("degraded")), "：", words.join(" ")),
    button(t("problem.retry"), retry, { name: "retry" }));
}
