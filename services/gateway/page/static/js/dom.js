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

const shown = new WeakMap(); // what each element of `refresh` shows

/**
 * Brings the children of an element in step with `parts`, each {key, shows, draw(), update(element)}.
 * A child is drawn anew only if what it shows has changed and nobody is pressing it: a new element
 * would lose the click and the selection. The focus stays on the control with the same `data-focus`;
 * `update`, if there is one, is called for each child.
 */
export function refresh(root, parts) {
  const held = root.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const before = new Map([...root.children].filter((child) => shown.has(child))
    .map((child) => [shown.get(child).key, child]));
  const children = parts.map(({ key, shows, draw, update }) => {
    const old = before.get(key);
    const kept = old && (shown.get(old).shows === shows || old.matches(":active"));
    const child = kept ? old : draw();
    if (!kept) shown.set(child, { key, shows });
    if (old && !kept) old.replaceWith(child);
    update?.(child);
    return child;
  });
  for (const child of [...root.children]) if (!children.includes(child)) child.remove();
  let next = root.firstElementChild;
  for (const child of children) {
    if (child === next) next = next.nextElementSibling;
    else root.insertBefore(child, next);
  }
  if (held && !root.contains(document.activeElement)) {
    root.querySelector(`[data-focus="${CSS.escape(held)}"]`)?.focus();
  }
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

/** An action that does nothing while it is under way. */
export function single(task) {
  let running = false;
  return async () => {
    if (running) return;
    running = true;
    try {
      await task();
    } finally {
      running = false;
    }
  };
}

/**
 * A handler for the submission of a form. A second press while `task` is under way would send the
 * form again, with a version that the first one has outdated.
 */
export function submission(task) {
  const send = single(task);
  return (event) => {
    event.preventDefault();
    send();
  };
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
