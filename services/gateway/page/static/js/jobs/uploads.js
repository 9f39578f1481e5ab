// The uploads under way. They belong to the page, not to the view, so changing the view stops none.

import * as api from "../api.js";

const changed = new EventTarget();
let uploads = [];

export const list = () => uploads;

/**
 * Calls back at each change of an upload; `detail` is the job's id when the upload has become a
 * job.
 */
export function watch(onchange) {
  changed.addEventListener("change", onchange);
  return () => changed.removeEventListener("change", onchange);
}

function tell(jobId = null) {
  changed.dispatchEvent(new CustomEvent("change", { detail: jobId }));
}

// A browser ends uploads with the page that sends them, so it asks the reader first.
addEventListener("beforeunload", (event) => {
  if (uploads.some(({ problem }) => !problem)) event.preventDefault();
});

/** 128 random bits; crypto.randomUUID is missing where the page is served without https. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether a file, or each one of a bundle, can be read; one that was changed since it was chosen cannot. */
export async function canBeRead(file) {
  const files = file.form?.getAll("file") ?? [file];
  try {
    for (const one of files) {
      const reader = one.stream().getReader();
      await reader.read();
      await reader.cancel();
    }
    return true;
  } catch {
    return false;
  }
}

/** Sends a file, or a bundle of several. A repeated attempt keeps the idempotency key, so that no job is started twice. */
export async function send(file, target, idempotencyKey = newKey()) {
  const upload = { file, target, idempotencyKey, sent: 0, total: file.size, problem: null };
  const { done, abort } = api.upload(file, { ...target, idempotencyKey }, (sent, total) => {
    Object.assign(upload, { sent, total });
    tell();
  });
  upload.abort = abort;
  uploads = [upload, ...uploads];
  tell();
  try {
    const { job_id: jobId } = await done;
    uploads = uploads.filter((other) => other !== upload);
    tell(jobId);
  } catch (problem) {
    if (api.isAbort(problem)) {
      dismiss(upload);
      return;
    }
    const unread = problem.code === "unreachable" && !(await canBeRead(file));
    upload.problem = unread ? new api.Problem({ code: "file_unreadable" }) : problem;
    tell();
  }
}

export function dismiss(upload) {
  uploads = uploads.filter((other) => other !== upload);
  tell();
}

export function again(upload) {
  dismiss(upload);
  send(upload.file, upload.target, upload.idempotencyKey);
}
