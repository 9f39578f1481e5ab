// Offers a corrected query, with words of the collection that sound as the typed ones do.

import * as api from "../api.js";
import { fill, h } from "../dom.js";
import { t } from "../messages.js";
import { plain } from "./suggest.js";

/** The place of the corrected query. It is announced when it comes, after the hits. */
export const meantSlot = () => h("div.meant", { role: "status" });

/** Asks for a corrected query and offers it in `slot`. `onchange(part)` gets a new part of the state. */
export async function showMeant(slot, state, signal, onchange) {
  if (!slot || state.like || !plain(state.query)) return;
  try {
    const answer = await api.suggestions(state.collection, state.query.trim(), signal);
    const meant = answer.did_you_mean;
    if (!meant || signal.aborted) return;
    fill(slot, h("p", {}, t("meant"), " ",
      h("button.link", { type: "button", onclick: () => onchange({ query: meant }) }, meant)));
  } catch (problem) {
    if (!api.isAbort(problem) && !(problem instanceof api.Problem)) throw problem;
  }
}
