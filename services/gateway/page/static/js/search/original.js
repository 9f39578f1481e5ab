// Links to the files of which documents were made.

import * as api from "../api.js";
import { h } from "../dom.js";
import { bytes } from "../format.js";
import { t } from "../messages.js";
import { toast } from "../notify.js";
import { apiKey } from "../preferences.js";
import { problemTitle } from "../states.js";

/** The name of the metadata with the size of an original. */
export const ORIGINAL = "original_bytes";

const KEPT_MS = 60_000;

/**
 * Gets an original with the API key, which a link cannot carry. A PDF is shown in a window of its
 * own; any other file is stored, since the scripts of a web page would run with the rights of this page.
 */
async function fetched(collection, hit, at) {
  const shown = hit.fields.format === "pdf";
  const view = shown ? window.open("about:blank") : null; // Later it would count as a pop-up.
  try {
    const blob = await api.original(collection, hit.id);
    const address = URL.createObjectURL(
      shown ? new Blob([blob], { type: "application/pdf" }) : blob);
    if (view) view.location = address + at;
    else h("a", { href: address, download: hit.id.split("/").at(-1) }).click();
    setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
  } catch (problem) {
    view?.close();
    if (!(problem instanceof api.Problem)) throw problem;
    toast(problemTitle(problem));
  }
}

/** A link with a text that shows the original of a hit, at a page; null where none is kept. */
export function originalLink(collection, hit, text, page) {
  const size = hit.fields[ORIGINAL];
  if (!size) return null;
  const at = page ? `#page=${page}` : "";
  return h("a.hit-original", {
    href: api.originalHref(collection, hit.id) + at,
    target: "_blank",
    rel: "noopener",
    title: t("hit.original.text", bytes(size)),
    onclick: (event) => {
      if (!apiKey()) return;
      event.preventDefault();
      fetched(collection, hit, at);
    },
  }, text);
}
