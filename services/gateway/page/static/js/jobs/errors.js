// Shows the rejected lines of a job as a table, and offers them as a file.

import * as api from "../api.js";
import { openDialog } from "../dialogs.js";
import { fill, h, icon } from "../dom.js";
import { count } from "../format.js";
import { t } from "../messages.js";
import { loading, problemLine } from "../states.js";

const SHOWN = 500; // rows a browser draws without a pause; the file has them all

function table(rejections) {
  return h("div.table-scroll", {}, h("table.table", {},
    h("thead", {}, h("tr", {},
      h("th.number", { scope: "col" }, t("job.errors.line")),
      h("th", { scope: "col" }, t("job.errors.reason")),
      h("th", { scope: "col" }, t("job.errors.content")))),
    h("tbody", {}, rejections.slice(0, SHOWN).map(({ file, line, reason, content }) =>
      h("tr", {},
        h("td.number", {}, [file, line ? count(line) : null].filter(Boolean).join(" · ")),
        h("td", {}, reason),
        h("td", {}, h("code", {}, content)))))));
}

export async function openErrors(job) {
  const body = h("div.stack", {}, loading(1));
  const controller = new AbortController();
  let address = null;
  openDialog(t("job.errors.title", job.id), body, {
    kind: "wide",
    onclose: () => {
      controller.abort();
      if (address) URL.revokeObjectURL(address);
    },
  });
  try {
    const text = await api.jobErrors(job.id, controller.signal);
    const rejections = text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
    address = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
    fill(body,
      h("div.row", {},
        h("p.small.muted", {}, rejections.length
          ? t("job.errors.shown", count(Math.min(SHOWN, rejections.length)), count(rejections.length))
          : t("job.errors.none")),
        h("a.button", { href: address, download: `${job.id}-errors.jsonl` },
          icon("download"), t("job.errors.download"))),
      rejections.length ? table(rejections) : null);
  } catch (problem) {
    if (!api.isAbort(problem)) fill(body, problemLine(problem));
  }
}
