// Builds the frame and shows the view that the address names. Each view's module exports
// mount(root), which returns {follow(), leave()}: `follow` is called when the address changes within
// the view, `leave` when another view takes its place.

import { go, view, viewHref } from "./address.js";
import { Problem, readiness } from "./api.js";
import { openShortcuts } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { t } from "./messages.js";
import { announce, regions } from "./notify.js";
import { header, VIEWS } from "./shell.js";
import { problemState } from "./states.js";

const content = h("main.page", { id: "content", tabIndex: -1 });
let frame = null;
let turns = 0;
let shown = { name: null, follow() {}, leave() {} };

function drawFrame() {
  const held = frame?.element.contains(document.activeElement)
    ? document.activeElement.dataset.tool
    : null;
  frame?.stop();
  const next = header();
  if (frame) frame.element.replaceWith(next.element);
  frame = next;
  if (held) next.element.querySelector(`[data-tool="${held}"]`)?.focus();
}

/**
 * Stands for a view whose code did not come. Browsers do not ask again for a module that failed, so
 * the page is loaded anew, once the gateway answers: before, the browser's own error would replace it.
 */
const missing = {
  mount(root) {
    const draw = () => fill(root, problemState(new Problem({}), again));
    const again = () => readiness().then(() => location.reload(), draw);
    draw();
    return { follow: draw, leave() {} };
  },
};

async function show({ anew = false } = {}) {
  const turn = (turns += 1);
  const name = VIEWS.includes(view()) ? view() : "search";
  drawFrame();
  if (shown.name === name && !anew) {
    shown.follow();
    return;
  }
  const module = await import(`./${name}/view.js`).catch((error) => {
    if (error instanceof TypeError) return missing; // so browsers report what did not come
    throw error;
  });
  if (turn !== turns) return; // somebody went on while the module loaded
  document.title = `${t(`view.${name}`)} · ${t("title")}`;
  if (shown.name && shown.name !== name) announce(t(`view.${name}`));
  shown.leave();
  content.dataset.view = name;
  shown = { name, ...module.mount(fill(content)) };
}

/** Links within the page change the address without loading it again. */
function followLink(event) {
  const link = event.target.closest("a[href^='?']");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
  scrollTo(0, 0);
}

function shortcut(event) {
  const typing = event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select");
  if (typing || event.metaKey || event.ctrlKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  const place = Number(event.key) - 1;
  if (event.key === "?") openShortcuts();
  else if (event.key === "/" && shown.name !== "search") {
    event.preventDefault();
    go(viewHref("search"));
  } else if (VIEWS[place]) go(viewHref(VIEWS[place]));
}

document.addEventListener("click", followLink);
document.addEventListener("keydown", shortcut);
document.addEventListener("xunwen:address", () => show());
addEventListener("popstate", () => show());
document.addEventListener("xunwen:theme", drawFrame);
document.addEventListener("xunwen:key", () => show({ anew: true }));
document.addEventListener("xunwen:language", () => show({ anew: true }));

drawFrame();
document.getElementById("app").append(frame.element, content, ...regions);
show();
