// Makes elements without a framework. Nothing here parses HTML: text from documents stays text.

const SVG = "http://www.w3.org/2000/svg";

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/**
 * Makes an element: h("button.primary", {onclick, ariaLabel, disabled}, "text", child).
 * Keys that the element knows are set as properties, `data` goes to the dataset,
 * `vars` to custom properties of its style, all else becomes an attribute.
 */
export function h(selector, props = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (key === "data") Object.assign(element.dataset, value);
    else if (key === "vars") {
      for (const [name, v] of Object.entries(value)) element.style.setProperty(`--${name}`, v);
    } else if (key in element && key !== "list") element[key] = value; // list is read-only
    else element.setAttribute(key, value);
  }
  return append(element, children);
}

/** An icon of icons.svg. It is decorative; the control around it carries the name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Replaces all children of an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** A button with an icon, and with its label visible unless `quiet` is set. */
export function button(label, onclick, { name, kind = "", quiet = false, ...props } = {}) {
  return h(
    `button.button${kind ? `.${kind}` : ""}${quiet ? ".quiet" : ""}`,
    { type: "button", onclick, ...(quiet ? { ariaLabel: label, title: label } : {}), ...props },
    name ? icon(name) : null,
    quiet ? null : h("span", {}, label),
  );
}

/** Calls `task` once calls have stopped for `ms`; `.now()` runs it at once, `.cancel()` drops it. */
export function debounce(task, ms) {
  let timer = 0;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => task(...args), ms);
  };
  later.cancel = () => clearTimeout(timer);
  later.now = (...args) => {
    clearTimeout(timer);
    task(...args);
  };
  return later;
}
