// Reads the beginning of a CSV or TSV file: its columns and the likely role of each.

const HEAD_BYTES = 256 * 1024;
const CHARSETS = ["utf-8", "gb18030"]; // of what Excel writes in China, and others
/** The pattern of names that the API accepts for a field. */
export const FIELD_NAME = "[^*\\s\\-\"\\\\](?:[^\"\\\\]{0,62}[^\\s\"\\\\])?";
const WHOLE_FIELD_NAME = new RegExp(`^${FIELD_NAME}$`, "v");
const ROLE_NAMES = {
  id: ["id", "doc_id", "docid", "no", "编号", "文献编号", "序号", "标识", "主键"],
  title: ["title", "name", "subject", "标题", "题目", "题名", "篇名", "名称"],
  text: ["text", "abstract", "content", "body", "summary", "摘要", "正文", "内容", "全文", "文本"],
};

export const isFieldName = (name) => WHOLE_FIELD_NAME.test(name);

/**
 * The columns of a table as {columns: [{name, sample}], charset}, or null if no header can be read
 * here. `charset` is null for UTF-8.
 */
export async function columnsOf(file, { encoding, delimiter }) {
  if (!delimiter || encoding) return null;
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  for (const charset of frequentInGb18030(head) ? CHARSETS : ["utf-8"]) {
    const text = new TextDecoder(charset).decode(head, { stream: true }); // the last character may be cut
    const [header, first = []] = rows(text, delimiter, 2);
    if (!header || [...header, ...first].some((cell) => cell.includes("\uFFFD"))) continue;
    const columns = header.map((name, index) => ({ name: name.trim(), sample: first[index] ?? "" }));
    return { columns, charset: charset === "utf-8" ? null : charset };
  }
  return null; // the API tells what it cannot read
}

/** Whether nearly all characters beyond ASCII would be frequent ones of GB18030; those of Big5 would not. */
function frequentInGb18030(bytes) {
  let [all, frequent] = [0, 0];
  for (let at = 0; at + 1 < bytes.length; at += 1) {
    if (bytes[at] < 0x80) continue;
    all += 1;
    if (bytes[at] >= 0xa1 && bytes[at] <= 0xd7 && bytes[at + 1] >= 0xa1) frequent += 1;
    at += 1;
  }
  return frequent > 0.9 * all;
}

/** The first `count` rows. In TSV a quote is a character like any other. */
function rows(text, delimiter, count) {
  const quotes = delimiter === ",";
  const found = [];
  let row = [""];
  let quoted = false;
  for (let at = 0; at < text.length && found.length < count; at += 1) {
    const char = text[at];
    if (quotes && char === '"') {
      if (quoted && text[at + 1] === '"') row[row.length - 1] += text[at += 1];
      else quoted = !quoted;
    } else if (quoted || ![delimiter, "\r", "\n"].includes(char)) {
      row[row.length - 1] += char;
    } else if (char === delimiter) {
      row.push("");
    } else if (char === "\n") {
      found.push(row);
      row = [""];
    }
  }
  if (found.length < count && row.some(Boolean)) found.push(row);
  return found;
}

/** Whether the indexer understands these columns without a mapping. */
export function speaksForItself(columns) {
  const names = new Set(columns.map(({ name }) => name));
  return names.has("id") && (names.has("title") || names.has("text"))
    && columns.every(({ name }) => isFieldName(name));
}

/** The likely role of each column, in their order: id, title, text or field. */
export function guess(columns) {
  const left = new Set(Object.keys(ROLE_NAMES));
  return columns.map(({ name }) => {
    const role = [...left].find((each) => ROLE_NAMES[each].includes(name.toLowerCase()));
    if (!role) return "field";
    left.delete(role);
    return role;
  });
}
