// Shows jobs and uploads as cards: state, progress, counts and actions.

import { searchHref } from "../address.js";
import { button, h, icon } from "../dom.js";
import { ago, bytes, count, duration, moment } from "../format.js";
import { t } from "../messages.js";
import { problemLine } from "../states.js";

const TONE = {
  queued: "busy", running: "busy", cancelling: "warn", succeeded: "good",
  succeeded_with_errors: "warn", failed: "bad", cancelled: "",
};

/** Whether a job can still change by itself. */
export const moving = ({ state }) => ["queued", "running", "cancelling"].includes(state);

function progress(job) {
  const { indexed, rejected, deduplicated } = job.counts;
  const done = indexed + rejected + deduplicated;
  const bar = h("progress", { ariaLabel: t("job.progress"), max: job.total || 1 });
  if (job.total) bar.value = Math.min(done, job.total); // a bar without a value shows that work goes on
  return h("div.progress", {}, bar,
    h("span.numbers.small", {},
      [
        job.total ? `${count(done)} / ${count(job.total)}` : null,
        job.rate ? t("job.rate", count(Math.round(job.rate))) : null,
        job.eta_seconds !== null ? t("job.eta", duration(job.eta_seconds)) : null,
      ].filter(Boolean).join(" · ")));
}

function counts(job) {
  return h("dl.counts", {}, ["read", "indexed", "rejected", "deduplicated"].map((name) =>
    h("div", { data: { count: name } },
      h("dt", {}, t(`job.${name}`)), h("dd.numbers", {}, count(job.counts[name])))));
}

function took(job) {
  if (!job.started_at || !job.finished_at) return null;
  return t("job.took", duration((new Date(job.finished_at) - new Date(job.started_at)) / 1000));
}

/** Says in the card of a job how long ago the job was made. */
export function tellAge(card, job) {
  const time = card.querySelector("time");
  const text = ago(job.created_at);
  if (time.textContent !== text) time.textContent = text;
}

/** The card of a job, without its age. `actions` are {oncancel, onretry, onerrors}, each called with the job. */
export function jobCard(job, actions) {
  const can = (name, label, iconName, kind = "") =>
    button(t(label), () => actions[name](job), { name: iconName, kind, data: { focus: `${job.id} ${name}` } });
  return h("article.card.job", { data: { id: job.id, state: job.state } },
    h("div.job-head", {},
      h("h3", {}, job.collection),
      h("span.badge", { className: `badge ${TONE[job.state]}` }, t(`job.state.${job.state}`)),
      h("p.small.muted", {},
        [`${t(`job.mode.${job.mode}`)} · ${job.format}`, took(job)].filter(Boolean).join(" · "),
        " · ", h("time", { dateTime: job.created_at, title: moment(job.created_at) }),
        " · ", h("code", {}, job.id))),
    moving(job) ? progress(job) : null,
    job.message ? h("p.notice", { className: job.state === "failed" ? "notice bad" : "notice" }, job.message) : null,
    h("div.job-foot", {},
      counts(job),
      h("div.row.end", {},
        job.counts.rejected ? can("onerrors", "job.errors", "file") : null,
        ["failed", "cancelled", "succeeded_with_errors"].includes(job.state)
          ? can("onretry", "job.retry", "retry") : null,
        ["queued", "running"].includes(job.state) ? can("oncancel", "job.cancel", "close", "danger") : null,
        job.state.startsWith("succeeded")
          ? h("a.button", {
              href: searchHref({ query: "", collection: job.collection }),
              data: { focus: `${job.id} search` },
            }, icon("search"), t("job.search"))
          : null)));
}

/** Shows in the card of an upload how much of it is sent. */
export function tellProgress(card, { sent, total }) {
  const bar = card.querySelector("progress");
  if (!bar) return; // it shows why the upload failed
  bar.max = total || 1;
  bar.value = sent;
  card.querySelector(".progress span").textContent = sent < total
    ? t("upload.sending", bytes(sent), bytes(total)) : t("upload.accepting");
}

/** The card of an upload that has not become a job yet, without its progress. */
export function uploadCard(upload, { onstop, ondismiss, onagain }) {
  const { file, problem } = upload;
  const focus = (name) => ({ data: { focus: `${upload.idempotencyKey} ${name}` } });
  return h("article.card.job", { data: { upload: file.name } },
    h("div.job-head", {}, h("h3", {}, file.name), h("p.small.muted", {}, bytes(file.size))),
    problem
      ? problemLine(problem)
      : h("div.progress", {},
          h("progress", { ariaLabel: t("job.progress") }), h("span.numbers.small")),
    h("div.row.end", {}, problem
      ? [problem.code === "file_unreadable"
           ? null : button(t("upload.again"), () => onagain(upload), { name: "retry", ...focus("again") }),
         button(t("upload.dismiss"), () => ondismiss(upload), focus("dismiss"))]
      : button(t("upload.stop"), () => onstop(upload), { name: "close", kind: "danger", ...focus("stop") })));
}
