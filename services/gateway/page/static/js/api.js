// The gateway's REST API. Addresses are relative to the page, so a path prefix works too.

import { apiKey } from "./preferences.js";

/** An error of a call, with the members of problem+json; status 0 means that no answer came. */
export class Problem extends Error {
  constructor({ status = 0, code = "unreachable", detail = "", requestId = "", retryAfter = null }) {
    super(detail || code);
    Object.assign(this, { status, code, detail, requestId, retryAfter });
  }

  /** Makes the error from the body and headers of an answer, whoever wrote it. */
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

/** The answer of a call as `read` makes it of the response. Raises Problem, also if it breaks off. */
async function call(path, read, { method = "GET", json, signal } = {}) {
  try {
    const response = await fetch(path, {
      method,
      signal,
      headers: {
        ...authorization(),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
      },
      body: json === undefined ? undefined : JSON.stringify(json),
    });
    if (response.ok) return await read(response);
    throw Problem.of(response.status, await response.text(), (n) => response.headers.get(n));
  } catch (error) {
    throw isAbort(error) ? error : problemOf(error);
  }
}

/** A sign-in page or a proxy's own page in the place of an answer is no JSON. */
function problemOf(error) {
  if (error instanceof Problem) return error;
  return new Problem(error instanceof SyntaxError ? { code: "foreign_answer" } : {});
}

const callJson = (path, options) =>
  call(path, (response) => (response.status === 204 ? null : response.json()), options);
const callText = (path, options) => call(path, (response) => response.text(), options);

const part = encodeURIComponent;

export const search = (body, signal) =>
  callJson("v1/search", { method: "POST", json: body, signal });

export const similar = (body, signal) =>
  callJson("v1/similar", { method: "POST", json: body, signal });
export const readDocument = (collection, id, signal) =>
  callJson(`v1/collections/${part(collection)}/documents/${part(id)}`, { signal });

/** The address of the file of which a document was made. */
export const originalHref = (collection, id) =>
  `v1/collections/${part(collection)}/originals/${part(id)}`;
export const original = (collection, id) =>
  call(originalHref(collection, id), (response) => response.blob());

/** Completions of a query that is being typed: {suggestions: [{text, kind, count}], did_you_mean}. */
export const suggestions = (collection, typed, signal) =>
  callJson(`v1/collections/${part(collection)}/suggestions?q=${part(typed)}`, { signal });

/** Documents as references in a form: ris, bibtex or gbt7714. */
export const cite = (body, signal) =>
  callText("v1/citations", { method: "POST", json: body, signal });

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

/** Calls `ask`, and calls it again, a few times, after a refusal that says how long to wait. */
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

/** The vectors of some texts, each an array of numbers. */
export async function embed(texts, signal) {
  const json = { model: "xunwen", input: texts };
  const answer = await callJson("v1/embeddings", { method: "POST", json, signal });
  return { model: answer.model, vectors: answer.data.map((item) => item.embedding) };
}

export const collections = async (signal) =>
  (await callJson("v1/collections", { signal })).collections;
/** `partitionKey` is the field that divides the collection; empty if none does. */
export const createCollection = (name, fields, partitionKey) =>
  callJson("v1/collections", {
    method: "POST", json: { name, fields, partition_key: partitionKey || undefined },
  });
/** The names of the `top` partitions with the most documents, of a collection with this key. */
export const partitions = async (collection, key, top, signal) => {
  const { facets } = await search({ collection, facets: [{ field: key, top }], top_k: 1 }, signal);
  return (facets?.[key]?.values ?? []).map(({ value }) => value);
};
export const deleteCollection = (name) =>
  callJson(`v1/collections/${part(name)}`, { method: "DELETE" });
export const rebuildCollection = (name) =>
  callJson(`v1/collections/${part(name)}:rebuild`, { method: "POST" });
export const rollbackCollection = (name) =>
  callJson(`v1/collections/${part(name)}:rollback`, { method: "POST" });

/** The query rules of a collection: {synonyms, stop_words, queries, version}. */
export const queryRules = (name, signal) =>
  callJson(`v1/collections/${part(name)}/query-rules`, { signal });
export const putQueryRules = (name, rules) =>
  callJson(`v1/collections/${part(name)}/query-rules`, { method: "PUT", json: rules });

/** The words of a collection that are kept whole: {words, waiting}. */
export const dictionary = (name, signal) =>
  callJson(`v1/collections/${part(name)}/dictionary`, { signal });
export const putDictionary = (name, words) =>
  callJson(`v1/collections/${part(name)}/dictionary`, { method: "PUT", json: { words } });

/** The formats that a job reads: {formats: [{name, suffixes}], compressions: [{name, suffix}]}. */
export const inputFormats = (signal) => callJson("v1/input-formats", { signal });
export const jobs = (after, signal) =>
  callJson(`v1/index-jobs${after ? `?after=${part(after)}` : ""}`, { signal });
export const job = (id, signal) => callJson(`v1/index-jobs/${part(id)}`, { signal });
export const cancelJob = (id) =>
  callJson(`v1/index-jobs/${part(id)}:cancel`, { method: "POST" });
export const retryJob = (id) => callJson(`v1/index-jobs/${part(id)}:retry`, { method: "POST" });
/** The rejected lines of a job, as jsonl text. */
export const jobErrors = (id, signal) => callText(`v1/index-jobs/${part(id)}/errors`, { signal });

/** The readiness of the gateway and its parts; status 503 counts as an answer here. */
export async function readiness(signal) {
  try {
    return await (await fetch("readyz", { signal })).json();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem({});
  }
}

/**
 * Starts a bulk job from a file, or from a bundle of files with a `form`. It uses XMLHttpRequest, because fetch reports no progress of uploads.
 * `onprogress(sent, total)` is called with bytes. Returns {done: promise of {job_id, state}, abort()}.
 */
export function upload(blob, target, onprogress) {
  const {
    collection, partition, mode, format, encoding, charset, mapping, name, idempotencyKey,
  } = target;
  const request = new XMLHttpRequest();
  const query = new URLSearchParams({ collection, mode });
  if (partition) query.set("partition", partition);
  if (format) query.set("format", format);
  if (charset) query.set("charset", charset);
  if (name) query.set("name", name);
  if (mapping) query.set("mapping", JSON.stringify(mapping));
  const done = new Promise((resolve, reject) => {
    request.open("POST", `v1/index-jobs?${query}`);
    if (!blob.form) request.setRequestHeader("content-type", "application/octet-stream");
    request.setRequestHeader("idempotency-key", idempotencyKey);
    if (encoding) request.setRequestHeader("content-encoding", encoding);
    for (const [name, value] of Object.entries(authorization())) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => onprogress(event.loaded, event.total);
    request.onload = () => {
      const header = (name) => request.getResponseHeader(name);
      try {
        if (request.status < 300) resolve(JSON.parse(request.responseText));
        else reject(Problem.of(request.status, request.responseText, header));
      } catch (error) {
        reject(problemOf(error));
      }
    };
    request.onerror = () => reject(new Problem({}));
    request.onabort = () => reject(new DOMException("upload cancelled", "AbortError"));
    request.send(blob.form ?? blob);
  });
  return { done, abort: () => request.abort() };
}
