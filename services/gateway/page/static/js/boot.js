// This classic script in the head runs before the first paint, so that neither the theme nor
// the language flashes. js/preferences.js is its counterpart at run time.
(function () {
  let theme = null;
  let language = null;
  try {
    theme = localStorage.getItem("xunwen.theme");
    language = localStorage.getItem("xunwen.language");
  } catch {
    // Storage can be switched off; the defaults below hold.
  }
  const root = document.documentElement;
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  if (language !== "zh" && language !== "en") {
    language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  }
  root.lang = language === "zh" ? "zh-CN" : "en";
})();
