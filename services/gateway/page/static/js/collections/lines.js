// The text forms of synonyms, stop words and dictionaries, the same that `xunwen rules` reads from
// files.

/** A line that is no group of synonyms; `number` counts from 1. */
export class BadLine extends Error {
  constructor(number) {
    super(`line ${number}`);
    this.number = number;
  }
}

/** The lines of a text that are not blank, without white space around them: [[line, number]]. */
function lines(text) {
  return text.split("\n").map((line, place) => [line.trim(), place + 1]).filter(([line]) => line);
}

function synonymsOf(line, number) {
  const sides = line.replaceAll("，", ",").split("=>")
    .map((side) => side.split(",").map((word) => word.trim()).filter(Boolean));
  const [words, also] = sides;
  const short = sides.some((side) => !side.length) || (sides.length === 1 && words.length < 2);
  if (short || sides.length > 2) throw new BadLine(number);
  return also ? { words, also } : { words };
}

/**
 * A form: `read(text)` returns {values, numbers}, the values with the numbers of their lines, and
 * may throw BadLine; `write(value)` is the line of a value.
 */
function form(of, write, { comments = false } = {}) {
  const read = (text) => {
    const written = lines(text).filter(([line]) => !(comments && line.startsWith("#")));
    return {
      values: written.map(([line, number]) => of(line, number)),
      numbers: written.map(([, number]) => number),
    };
  };
  return { read, write };
}

export const SYNONYMS = form(
  synonymsOf,
  ({ words, also }) => words.join(", ") + (also ? ` => ${also.join(", ")}` : ""),
  { comments: true },
);
export const STOP_WORDS = form((line) => line, (word) => word);
/**
 * A word on each line of a dictionary. In jieba's format a frequency and a part of speech follow the
 * word; they do not count.
 */
export const DICTIONARY = form((line) => line.split(/\s/)[0], (word) => word);

function survives({ read, write }, value) {
  try {
    return JSON.stringify(read(write(value)).values) === JSON.stringify([value]);
  } catch (error) {
    if (error instanceof BadLine) return false;
    throw error;
  }
}

/**
 * The text of some values, and in `kept` those that no line can hold, such as a synonym with a comma
 * in it.
 */
export function textOf(values, kind) {
  const [held, kept] = [[], []];
  for (const value of values) (survives(kind, value) ? held : kept).push(value);
  return { text: held.map(kind.write).join("\n"), kept };
}
