// Several files as one upload, and the files that are in dropped folders.

const MOST = 1000; // files that the API takes in one form

/** The dropped files, those in folders too, as [{file, path}]. Hidden ones are left out. */
export async function dropped(transfer) {
  // Entries must all be taken before the first pause: afterwards the list is empty.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = [];
  for (const entry of entries) {
    if (entry instanceof File) found.push({ file: entry, path: entry.name });
    else if (entry) await walk(entry, found);
  }
  return found;
}

/** The chosen files as [{file, path}]; of a folder, with their paths below it. */
export function chosen(files) {
  return [...files]
    .map((file) => ({ file, path: file.webkitRelativePath.split("/").slice(1).join("/") || file.name }))
    .filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")));
}

/** Adds the files of an entry; `above` is the path of its folder, empty for what was dropped. */
async function walk(entry, found, above = "") {
  if (entry.name.startsWith(".")) return;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path: above + entry.name });
    return;
  }
  const reader = entry.createReader();
  for (;;) { // each call gives some of the entries, the last one none
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const inner of some) {
      await walk(inner, found, inner.isFile ? above : `${above}${inner.name}/`);
    }
  }
}

/**
 * Uploads of at most 1,000 files each, as {name, size, form}. A file of no format that is read is
 * sent without its content: the job tells that it was not read.
 */
export function bundles(items, isKnown, nameOf) {
  const all = [];
  for (let start = 0; start < items.length; start += MOST) {
    const some = items.slice(start, start + MOST);
    const form = new FormData();
    let size = 0;
    for (const { file, path } of some) {
      const content = isKnown(file.name) ? file : new Blob([]);
      form.append("file", content, path);
      size += content.size;
    }
    all.push({ name: nameOf(some), size, form });
  }
  return all;
}
