// Reads JSON schemas of openapi.json: what a value may be, in words, and an example of it.

const DEPTH = 4; // members of members are described so deep; schemas may hold themselves

/** The schema itself, in the place of a reference to it. */
export function resolved(root, schema) {
  if (!schema?.$ref) return schema ?? {};
  const { $ref, ...beside } = schema;
  const found = $ref.split("/").slice(1).reduce((at, name) => at?.[name], root);
  return { ...resolved(root, found), ...beside };
}

/** The alternatives of a schema, without null. */
function alternatives(root, schema) {
  const given = schema.anyOf ?? schema.oneOf ?? [schema];
  return given.map((one) => resolved(root, one)).filter((one) => one.type !== "null");
}

/** The kinds of values that a schema takes, in words. */
export function kinds(root, given) {
  const schema = resolved(root, given);
  const words = alternatives(root, schema).map((one) => {
    if (one.anyOf || one.oneOf) return kinds(root, one);
    if (one.enum) return one.enum.join(" | ");
    if (one.const !== undefined) return String(one.const);
    if (one.type === "array") return `list of ${kinds(root, one.items)}`;
    if (one.format === "binary") return "file";
    return one.type ?? "any";
  });
  return [...new Set(words)].join(" or ") || "any";
}

/** The members of an object, those of their objects after them: {name, kinds, required, about}. */
export function members(root, given, prefix = "", depth = 0) {
  const rows = [];
  for (const schema of alternatives(root, resolved(root, given))) {
    if (schema.type === "array") rows.push(...members(root, schema.items, `${prefix}[].`, depth));
    for (const [name, member] of Object.entries(schema.properties ?? {})) {
      const read = resolved(root, member);
      rows.push({
        name: `${prefix}${name}`,
        kinds: kinds(root, member),
        required: (schema.required ?? []).includes(name),
        about: [read.description, preset(read)].filter(Boolean).join(" "),
      });
      if (depth < DEPTH) rows.push(...members(root, member, `${prefix}${name}.`, depth + 1));
    }
  }
  return rows.map((row) => ({ ...row, name: row.name.replaceAll(".[]", "[]") }));
}

function preset(schema) {
  const value = schema.default;
  return value === undefined || value === null ? "" : `Default: ${JSON.stringify(value)}.`;
}

/** A value that the schema takes: its own example, or one of its required members. */
export function example(root, given, depth = 0) {
  const schema = resolved(root, given);
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  const [one] = alternatives(root, schema);
  if (!one || depth > DEPTH) return null;
  if (one !== schema && (one.anyOf || one.examples || one.$ref)) return example(root, one, depth + 1);
  if (one.const !== undefined) return one.const;
  if (one.enum) return one.enum[0];
  if (one.type === "array") return [example(root, one.items, depth + 1)];
  if (one.type === "integer" || one.type === "number") return one.minimum ?? 1;
  if (one.type === "boolean") return false;
  if (one.type !== "object" && !one.properties) return "…";
  const needed = (one.required ?? []).map((name) => [
    name, example(root, one.properties?.[name], depth + 1),
  ]);
  return Object.fromEntries(needed);
}
