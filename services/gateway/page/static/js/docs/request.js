// A call as the form of the page fills it: its address, headers and body, and the same for curl.

/** The path with its parameters, relative to the page, so that a path prefix works too. */
export function address(path, values) {
  const named = path.replace(/\{([^}]+)\}/g, (_, name) => encodeURIComponent(values.path[name] ?? ""));
  const query = new URLSearchParams(Object.entries(values.query));
  return named.slice(1) + (query.size ? `?${query}` : "");
}

/** The headers of a call; a form's own is left to the browser, which adds its boundary. */
export function headers(values, type, key) {
  const sent = { ...values.header };
  if (type && type !== "multipart/form-data") sent["Content-Type"] = type;
  if (key) sent.Authorization = `Bearer ${key}`;
  return sent;
}

/** The body that fetch sends; undefined for none. */
export function body(type, text, files) {
  if (!type) return undefined;
  if (type === "multipart/form-data") {
    const form = new FormData();
    for (const file of files) form.append("file", file);
    return form;
  }
  return files.length ? files[0] : text;
}

const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** The same call as a command; the key stays in a variable. */
export function command(method, url, sent, type, text, files) {
  const lines = [`curl ${method === "GET" ? "" : `-X ${method} `}${quoted(url)}`];
  for (const [name, value] of Object.entries(sent)) {
    const shown = name === "Authorization" ? '"Authorization: Bearer $KEY"' : quoted(`${name}: ${value}`);
    lines.push(`-H ${shown}`);
  }
  if (type === "multipart/form-data") {
    for (const file of files) lines.push(`-F ${quoted(`file=@${file.name}`)}`);
  } else if (type && files.length) lines.push(`--data-binary ${quoted(`@${files[0].name}`)}`);
  else if (type) lines.push(`-d ${quoted(text)}`);
  return lines.join(" \\\n  ");
}
