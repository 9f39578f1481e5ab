// One call of the API: its parameters and body as a form, and the answer.

import { button, fill, h } from "../dom.js";
import { apiKey } from "../preferences.js";
import { address, body, command, headers } from "./request.js";
import { example, kinds, members, resolved } from "./schema.js";

const MOST = 200_000; // characters of an answer that are shown
const TOLD = ["content-type", "content-disposition", "x-request-id", "x-cache", "age", "retry-after"];

let count = 0; // of labelled inputs, for their ids

function field(name, about, make) {
  const id = `input-${(count += 1)}`;
  return h("div.field", {}, h("label", { htmlFor: id }, name), make(id), about ? h("small", {}, about) : null);
}

function parameterInput(root, parameter) {
  const schema = resolved(root, parameter.schema);
  const kind = kinds(root, schema);
  const few = kind.includes(" | ") || kind === "boolean";
  const options = kind === "boolean" ? ["true", "false"] : kind.split(" or ")[0].split(" | ");
  const about = [parameter.description, few ? "" : kind].filter(Boolean).join(" · ");
  const name = `${parameter.name}${parameter.required ? " *" : ""}`;
  const data = { place: parameter.in, name: parameter.name };
  const preset = schema.default ?? "";
  return field(name, about, (id) => (few
    ? h("select.input", { id, data },
      parameter.required ? null : h("option", { value: "" }, preset === "" ? "" : `(${preset})`),
      options.map((value) => h("option", { value }, value)))
    : h("input.input", { id, data, required: parameter.required, placeholder: String(preset) })));
}

function table(root, title, schema) {
  const rows = members(root, schema);
  if (!rows.length) return null;
  return h("details", {}, h("summary", {}, title),
    h("div.table-scroll", {}, h("table.table.members", {},
      h("thead", {}, h("tr", {}, ["member", "kind", "meaning"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", {},
        h("td", {}, row.name, row.required ? h("span.required", { title: "required" }, " *") : null),
        h("td", {}, row.kinds),
        h("td", {}, row.about)))))));
}

function filled(form) {
  const values = { path: {}, query: {}, header: {} };
  for (const input of form.querySelectorAll("[data-place]")) {
    if (input.value !== "") values[input.dataset.place][input.dataset.name] = input.value;
  }
  return values;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Shows an answer as it comes, since some never end. */
async function follow(response, output) {
  const type = response.headers.get("content-type") ?? "";
  if (!/json|text|charset/.test(type)) {
    const blob = await response.blob();
    const link = h("a", { href: URL.createObjectURL(blob), download: "answer" }, "save the answer");
    output.replaceChildren(`${blob.size.toLocaleString()} bytes of ${type || "no stated kind"}: `, link);
    return;
  }
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (text.length < MOST) output.textContent = text += decoder.decode(value, { stream: true });
  }
  output.textContent = text.length < MOST ? pretty(text) : `${text.slice(0, MOST)}\n… and more`;
}

/** The body of an opened call. `operation` is that of openapi.json. */
export function callBody(root, path, method, operation) {
  const content = operation.requestBody?.content ?? {};
  const types = Object.keys(content);
  const parameters = (operation.parameters ?? []).map((one) => resolved(root, one));
  const typeChoice = h("select.input", {}, types.map((value) => h("option", { value }, value)));
  const editor = h("textarea.input", { spellcheck: false });
  const files = h("input.input", { type: "file" });
  const slot = h("div", {});
  const said = h("p", { role: "status" });
  const output = h("pre", { tabIndex: 0, hidden: true });
  const curl = h("pre", { hidden: true });
  let running = null;

  function chosen() {
    const type = types.length ? typeChoice.value : "";
    if (!type) return;
    const json = type === "application/json";
    if (json) editor.value = JSON.stringify(example(root, content[type].schema), null, 2);
    files.multiple = type === "multipart/form-data";
    const [label, input] = json ? ["body", editor] : ["file", files];
    fill(slot, field(label, "", (id) => Object.assign(input, { id })));
  }

  async function send(event) {
    event.preventDefault();
    running?.abort();
    running = new AbortController();
    const type = types.length ? typeChoice.value : "";
    const chosenFiles = type && type !== "application/json" ? [...files.files] : [];
    const values = filled(form);
    const url = address(path, values);
    const sent = headers(values, type, apiKey());
    curl.textContent = command(method, new URL(url, document.baseURI).href, sent, type, editor.value, chosenFiles);
    curl.hidden = output.hidden = false;
    output.textContent = "";
    said.textContent = "…";
    const began = performance.now();
    try {
      const response = await fetch(url, {
        method, headers: sent, body: body(type, editor.value, chosenFiles), signal: running.signal,
      });
      const told = TOLD.filter((name) => response.headers.has(name))
        .map((name) => `${name}: ${response.headers.get(name)}`);
      const took = Math.round(performance.now() - began);
      said.textContent = [`${response.status} in ${took} ms`, ...told].join(" · ");
      await follow(response, output);
    } catch (error) {
      const stopped = error.name === "AbortError";
      said.textContent = stopped ? "stopped" : `no answer: ${error.message}`;
    }
  }

  typeChoice.onchange = chosen;
  chosen();
  const form = h("form", { onsubmit: send },
    parameters.length ? h("div.inputs", {}, parameters.map((one) => parameterInput(root, one))) : null,
    types.length > 1 ? field("content type", "", (id) => Object.assign(typeChoice, { id })) : null,
    slot,
    h("div.row", {},
      h("button.button.primary", { type: "submit" }, "Send"),
      button("Stop", () => running?.abort())));
  const answer = Object.entries(operation.responses).find(([status]) => /^2/.test(status))?.[1];
  const schema = Object.values(answer?.content ?? {})[0]?.schema;
  return h("div.call-body", {},
    operation.description ? h("p", {}, operation.description) : null,
    form,
    types.includes("application/json") ? table(root, "Members of the body", content["application/json"].schema) : null,
    schema ? table(root, "Members of the answer", schema) : null,
    said, output, curl);
}
