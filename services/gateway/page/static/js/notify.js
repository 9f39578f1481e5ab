// Messages outside the flow of the page: toasts, and a live region for screen readers alone.

import { h } from "./dom.js";
import { t } from "./messages.js";

const toasts = h("div.toasts", { role: "status" });
const heard = h("div.visually-hidden", { role: "status", ariaLive: "polite" });

/** The regions of toasts and of announcements. They stay on the page for its whole life. */
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

/** Copies a text, and says in a toast whether that worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("copied"));
  } catch {
    toast(t("copy.failed")); // there is no permission, or the page is served without https
  }
}
