// The view of bulk indexing: uploads and jobs, followed while they run.
// Jobs are polled and not streamed, because an EventSource cannot carry an API key.

import * as api from "../api.js";
import { button, h, refresh, single } from "../dom.js";
import { t } from "../messages.js";
import { announce, toast } from "../notify.js";
import { empty, loading, problemPart, problemTitle } from "../states.js";
import { jobCard, moving, tellAge, tellProgress, uploadCard } from "./cards.js";
import { dropzone } from "./dropzone.js";
import { openErrors } from "./errors.js";
import * as uploads from "./uploads.js";

const BUSY_MS = 700;
const CALM_MS = 6000;

export function mount(root) {
  const controller = new AbortController();
  const { signal } = controller;
  const zone = dropzone();
  const sending = h("div.stack");
  const list = h("div.stack", {}, loading(2));
  let timer = 0;
  let seen = new Map(); // job id -> state, to announce what ended
  let older = []; // jobs of further pages, which are not polled again

  const drawUploads = () => refresh(sending, uploads.list().map((upload) => ({
    key: upload.idempotencyKey,
    shows: upload.problem?.code ?? "",
    draw: () => uploadCard(upload, {
      onstop: (one) => one.abort(), ondismiss: uploads.dismiss, onagain: uploads.again,
    }),
    update: (card) => tellProgress(card, upload),
  })));

  async function act(task) {
    try {
      await task();
    } catch (problem) {
      if (api.isAbort(problem)) return;
      if (!(problem instanceof api.Problem)) throw problem;
      toast(`${problemTitle(problem)} ${problem.detail}`);
    }
    poll();
  }

  const actions = {
    oncancel: (job) => act(() => api.cancelJob(job.id)),
    onretry: (job) => act(() => api.retryJob(job.id)),
    onerrors: openErrors,
  };

  function tellEnds(jobs) {
    for (const job of jobs) {
      if (moving({ state: seen.get(job.id) ?? "" }) && !moving(job)) {
        announce(`${job.collection}: ${t(`job.state.${job.state}`)}`);
      }
    }
    seen = new Map(jobs.map(({ id, state }) => [id, state]));
  }

  function draw({ jobs, next }) {
    tellEnds(jobs);
    const known = new Set(jobs.map(({ id }) => id));
    const all = [...jobs, ...older.flatMap((page) => page.jobs).filter(({ id }) => !known.has(id))];
    const after = older.length ? older.at(-1).next : next;
    const more = single(() => act(async () => older.push(await api.jobs(after, signal))));
    refresh(list, [
      ...all.map((job) => ({
        key: job.id,
        shows: JSON.stringify(job),
        draw: () => jobCard(job, actions),
        update: (card) => tellAge(card, job),
      })),
      ...(all.length ? [] : [{ key: "none", draw: () => empty(t("jobs.none"), t("jobs.none.text")) }]),
      ...(after ? [{
        key: "older",
        shows: after,
        draw: () => h("div.row.more", {}, button(t("jobs.older"), more, { data: { focus: "older" } })),
      }] : []),
    ]);
  }

  async function poll() {
    clearTimeout(timer);
    let wait = CALM_MS;
    try {
      if (!document.hidden) {
        const page = await api.jobs(null, signal);
        draw(page);
        if (page.jobs.some(moving)) wait = BUSY_MS;
      }
    } catch (problem) {
      if (api.isAbort(problem)) return;
      if (!(problem instanceof api.Problem)) throw problem;
      refresh(list, [problemPart(problem, poll)]);
    }
    clearTimeout(timer);
    timer = setTimeout(poll, wait);
  }

  const unwatch = uploads.watch(({ detail: jobId }) => {
    drawUploads();
    if (jobId) {
      toast(t("upload.accepted", jobId));
      poll();
    }
  });

  root.append(
    h("div.page-head", {}, h("div", {},
      h("h1", {}, t("jobs.title")), h("p", {}, t("jobs.text")))),
    h("div.jobs", {},
      zone.element,
      h("section.stack", { ariaLabel: t("jobs.list") },
        h("h2", {}, t("jobs.list")), sending, list)));
  drawUploads();
  poll();
  api.collections(signal).then(
    zone.offer,
    () => {}, // the field then takes a name without suggestions; the list below says what is wrong
  );
  return {
    follow() {},
    leave() {
      clearTimeout(timer);
      controller.abort();
      unwatch();
    },
  };
}
