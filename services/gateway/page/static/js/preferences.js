// The choices that this browser remembers: theme and language (localStorage) and the API key, which
// lives only as long as the tab (sessionStorage).

function read(storage, name) {
  try {
    return storage.getItem(`xunwen.${name}`);
  } catch {
    return null;
  }
}

function write(storage, name, value) {
  try {
    if (value) storage.setItem(`xunwen.${name}`, value);
    else storage.removeItem(`xunwen.${name}`);
  } catch {
    // Without storage the choice holds until the page is closed.
  }
}

/** The theme: "auto" (that of the system), "light" or "dark". */
export function theme() {
  return document.documentElement.dataset.theme ?? "auto";
}

export function setTheme(value) {
  if (value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
  write(localStorage, "theme", value === "auto" ? null : value);
  document.dispatchEvent(new Event("xunwen:theme"));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.dispatchEvent(new Event("xunwen:theme"));
});

/** The language, "zh" or "en". */
export function language() {
  return document.documentElement.lang.startsWith("zh") ? "zh" : "en";
}

export function setLanguage(value) {
  document.documentElement.lang = value === "zh" ? "zh-CN" : "en";
  write(localStorage, "language", value);
  document.dispatchEvent(new Event("xunwen:language"));
}

let key = read(sessionStorage, "key");

export function apiKey() {
  return key;
}

export function setApiKey(value) {
  key = value || null;
  write(sessionStorage, "key", key);
  document.dispatchEvent(new Event("xunwen:key"));
}
