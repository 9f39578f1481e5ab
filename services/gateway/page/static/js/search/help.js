// The operators that the search box knows.

import { h } from "../dom.js";
import { t } from "../messages.js";

const OPERATORS = ["author:张三", "year:2015..2020", "journal:\"中国科学\"", "\"卷积神经网络\"", "-综述", "-journal:物理学报", "journal:物理学报^3"];

/** A section that unfolds and explains the operators. */
export function queryHelp() {
  return h("details.query-help", {},
    h("summary", {}, t("help.query")),
    h("dl", {}, OPERATORS.map((written, place) =>
      h("div", {}, h("dt", {}, h("code", {}, written)), h("dd", {}, t(`help.query.${place}`))))),
    h("p.small.muted", {}, t("help.query.note")));
}
