// Draws a vector as a heat strip: one cell per dimension, cool for negative, warm for positive.

import { button, h } from "../dom.js";
import { score } from "../format.js";
import { t } from "../messages.js";
import { copy } from "../notify.js";

const ROWS_WIDE = 4; // rows of cells on a wide page; a narrow page has more
const CELL_MIN = 9; // least width of a cell in pixels
const GAP = 1;
const STRONG = 0.92; // quantile of |value| that gets the full colour

function colours(element) {
  const style = getComputedStyle(element);
  return ["--cool", "--zero", "--warm"].map((name) => style.getPropertyValue(name).trim());
}

/**
 * The absolute value that gets the full colour, chosen so that one outlier does not pale all
 * others.
 */
function strong(vector) {
  const sizes = vector.map(Math.abs).sort((a, b) => a - b);
  return sizes[Math.floor(sizes.length * STRONG)] || 1;
}

function layout(width, cells) {
  const wide = Math.ceil(cells / ROWS_WIDE);
  const columns = Math.max(8, Math.min(wide, Math.floor(width / (CELL_MIN + GAP))));
  const size = (width + GAP) / columns;
  return { columns, size, rows: Math.ceil(cells / columns) };
}

function paint(canvas, vector, grid) {
  const scale = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = Math.ceil(grid.rows * grid.size * 1.6);
  canvas.style.setProperty("height", `${height}px`);
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const [cool, zero, warm] = colours(canvas);
  const full = strong(vector);
  vector.forEach((value, i) => {
    const x = (i % grid.columns) * grid.size;
    const y = Math.floor(i / grid.columns) * grid.size * 1.6;
    const box = [x, y, grid.size - GAP, grid.size * 1.6 - GAP];
    context.globalAlpha = 1;
    context.fillStyle = zero;
    context.fillRect(...box);
    context.globalAlpha = Math.min(1, Math.abs(value) / full);
    context.fillStyle = value < 0 ? cool : warm;
    context.fillRect(...box);
  });
}

/**
 * The strip of a vector, which repaints itself when its width changes. `name` says what the
 * vector is of.
 */
export function strip(name, vector) {
  const low = Math.min(...vector);
  const high = Math.max(...vector);
  const canvas = h("canvas", {
    role: "img", ariaLabel: t("vectors.strip", name, vector.length, score(low), score(high)),
  });
  const reading = h("span.numbers", {}, t("vectors.hint"));
  let grid = layout(1, vector.length);
  new ResizeObserver(() => {
    if (!canvas.clientWidth) return;
    grid = layout(canvas.clientWidth, vector.length);
    paint(canvas, vector, grid);
  }).observe(canvas);
  document.addEventListener("xunwen:theme", function repaint() {
    if (canvas.isConnected) paint(canvas, vector, grid);
    else document.removeEventListener("xunwen:theme", repaint);
  });
  canvas.addEventListener("pointermove", (event) => {
    const column = Math.floor(event.offsetX / grid.size);
    const i = Math.floor(event.offsetY / (grid.size * 1.6)) * grid.columns + column;
    if (column < grid.columns && i < vector.length) {
      reading.textContent = t("vectors.cell", i + 1, vector[i].toFixed(5));
    }
  });
  canvas.addEventListener("pointerleave", () => { reading.textContent = t("vectors.hint"); });
  return h("figure.strip", {},
    canvas,
    h("figcaption", {},
      h("span.ramp", { ariaHidden: "true" },
        t("vectors.negative"), h("i"), t("vectors.positive")),
      h("span.numbers", {}, t("vectors.meta", vector.length, score(low), score(high))),
      reading));
}

/** The numbers behind a strip, to copy them, and as text for those who cannot see the strip. */
export function numbers(vector) {
  const text = JSON.stringify(vector);
  return h("div.row", {},
    button(t("vectors.copy"), () => copy(text), { name: "copy" }),
    h("details.numbers-text", {},
      h("summary", {}, t("vectors.numbers")),
      h("pre", { tabIndex: 0 }, vector.map((value) => value.toFixed(5)).join(" "))));
}
