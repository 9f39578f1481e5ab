// Words that appear outside the flow: toasts, and a live region that only screen readers hear.

import { h } from "./dom.js";
import { t } from "./messages.js";

const toasts = h("div.toasts", { role: "status" });
const heard = h("div.visually-hidden", { role: "status", ariaLive: "polite" });

/** The two regions; they stay on the page for its whole life. */
export const regions = [toasts, heard];

const TOAST_MS = 3500;

export function toast(text) {
  const item = h("div.toast", {}, text);
  toasts.append(item);
  setTimeout(() => item.remove(), TOAST_MS);
}

export function announce(text) {
  heard.textContent = text;
}

/** Copies text; says in a toast whether it worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("copied"));
  } catch {
    toast(t("copy.failed")); // no permission, or the page is served without https
  }
}
