// The description of the API: every call of openapi.json by its tag, each with a form to try it.

import { fill, h } from "../dom.js";
import { apiKey, setApiKey } from "../preferences.js";
import { callBody } from "./call.js";

const anchor = (method, path) => `${method} ${path}`.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/-$/, "");

function call(root, path, method, operation) {
  const details = h("details.call", { id: anchor(method, path) },
    h("summary", {},
      h("span.method", {}, method),
      h("code", {}, path),
      h("span.about", {}, operation.summary)));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) {
      details.append(callBody(root, path, method, operation));
    }
  });
  return details;
}

function keyField() {
  const input = h("input.input", {
    id: "key", type: "password", autocomplete: "off", value: apiKey() ?? "",
    oninput: () => setApiKey(input.value.trim()),
  });
  return h("div.field", {}, h("label", { htmlFor: "key" }, "API key"), input);
}

function open() {
  const chosen = document.getElementById(location.hash.slice(1));
  if (chosen?.matches("details")) {
    chosen.open = true;
    chosen.scrollIntoView();
  }
}

function page(root) {
  const sections = new Map();
  for (const [path, methods] of Object.entries(root.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const [tag = "other"] = operation.tags ?? [];
      if (!sections.has(tag)) sections.set(tag, []);
      sections.get(tag).push(call(root, path, method.toUpperCase(), operation));
    }
  }
  return [
    h("header", {},
      h("h1", {}, "Xunwen API ", h("small.muted", {}, root.info.version)),
      h("a", { href: "./" }, "Search page"),
      h("a", { href: "openapi.json" }, "openapi.json"),
      root.components?.securitySchemes ? keyField() : null),
    [...sections].map(([tag, calls]) => h("section", {}, h("h2", {}, tag), calls)),
  ];
}

const main = document.getElementById("docs");
try {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`the gateway answered ${response.status}`);
  fill(main, page(await response.json()));
  addEventListener("hashchange", open);
  open();
} catch (error) {
  fill(main, h("p", { role: "alert" }, `The description of the API cannot be shown: ${error.message}. Load the page again.`));
}
