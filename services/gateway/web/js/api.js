// The gateway's REST API. Addresses are relative to the page, so a path prefix works too.

import { apiKey } from "./preferences.js";

/** An answer that is not the wanted one. Mirrors problem+json; status 0 means no answer at all. */
export class Problem extends Error {
  constructor({ status = 0, code = "unreachable", detail = "", requestId = "", retryAfter = null }) {
    super(detail || code);
    Object.assign(this, { status, code, detail, requestId, retryAfter });
  }

  /** From the body text and headers of an error answer, whoever wrote it. */
  static of(status, text, header) {
    let body = {};
    try {
      body = JSON.parse(text) ?? {};
    } catch {
      // A proxy in between may answer in HTML; the status still tells enough.
    }
    return new Problem({
      status,
      code: body.code ?? "http_error",
      detail: body.detail ?? "",
      requestId: body.request_id ?? header("x-request-id") ?? "",
      retryAfter: Number(header("retry-after")) || null,
    });
  }
}

export function isAbort(error) {
  return error?.name === "AbortError";
}

function authorization() {
  return apiKey() ? { authorization: `Bearer ${apiKey()}` } : {};
}

async function call(path, { method = "GET", json, signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      headers: {
        ...authorization(),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
      },
      body: json === undefined ? undefined : JSON.stringify(json),
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem({});
  }
  if (!response.ok) {
    throw Problem.of(response.status, await response.text(), (n) => response.headers.get(n));
  }
  return response;
}

async function callJson(path, options) {
  const response = await call(path, options);
  return response.status === 204 ? null : response.json();
}

const part = encodeURIComponent;

export const search = (body, signal) =>
  callJson("v1/search", { method: "POST", json: body, signal });

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

const RETRIES = 5;

/** The answer of `ask`; a refusal that says when to come back is obeyed. */
export async function patiently(ask, signal) {
  for (let left = RETRIES; ; left -= 1) {
    try {
      return await ask();
    } catch (problem) {
      if (!problem.retryAfter || left === 0) throw problem;
      await pause(problem.retryAfter, signal);
    }
  }
}

/** Vectors of the texts, each an array of numbers. */
export async function embed(texts, signal) {
  const json = { model: "xunwen", input: texts };
  const answer = await callJson("v1/embeddings", { method: "POST", json, signal });
  return { model: answer.model, vectors: answer.data.map((item) => item.embedding) };
}

export const collections = async (signal) =>
  (await callJson("v1/collections", { signal })).collections;
export const createCollection = (name) =>
  callJson("v1/collections", { method: "POST", json: { name } });
export const deleteCollection = (name) =>
  callJson(`v1/collections/${part(name)}`, { method: "DELETE" });
export const rebuildCollection = (name) =>
  callJson(`v1/collections/${part(name)}:rebuild`, { method: "POST" });
export const rollbackCollection = (name) =>
  callJson(`v1/collections/${part(name)}:rollback`, { method: "POST" });

export const jobs = (after, signal) =>
  callJson(`v1/index-jobs${after ? `?after=${part(after)}` : ""}`, { signal });
export const job = (id, signal) => callJson(`v1/index-jobs/${part(id)}`, { signal });
export const cancelJob = (id) =>
  callJson(`v1/index-jobs/${part(id)}:cancel`, { method: "POST" });
export const retryJob = (id) => callJson(`v1/index-jobs/${part(id)}:retry`, { method: "POST" });
/** The rejected lines of a job, as jsonl text. */
export const jobErrors = async (id, signal) =>
  (await call(`v1/index-jobs/${part(id)}/errors`, { signal })).text();

/** Readiness of the gateway and its parts; 503 is an answer here, not a failure. */
export async function readiness(signal) {
  try {
    return await (await fetch("readyz", { signal })).json();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem({});
  }
}

/**
 * Starts a bulk job from a file or blob. fetch reports no upload progress, so this is XMLHttpRequest.
 * `onprogress(sent, total)` in bytes. Returns {done: promise of {job_id, state}, abort()}.
 */
export function upload(blob, target, onprogress) {
  const { collection, mode, format, encoding, mapping, idempotencyKey } = target;
  const request = new XMLHttpRequest();
  const query = new URLSearchParams({ collection, mode, format });
  if (mapping) query.set("mapping", JSON.stringify(mapping));
  const done = new Promise((resolve, reject) => {
    request.open("POST", `v1/index-jobs?${query}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.setRequestHeader("idempotency-key", idempotencyKey);
    if (encoding) request.setRequestHeader("content-encoding", encoding);
    for (const [name, value] of Object.entries(authorization())) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => onprogress(event.loaded, event.total);
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else {
        const header = (name) => request.getResponseHeader(name);
        reject(Problem.of(request.status, request.responseText, header));
      }
    };
    request.onerror = () => reject(new Problem({}));
    request.onabort = () => reject(new DOMException("upload cancelled", "AbortError"));
    request.send(blob);
  });
  return { done, abort: () => request.abort() };
}
