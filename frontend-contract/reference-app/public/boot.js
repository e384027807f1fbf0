// Runs before the first paint, so that a remembered theme or language does not flash.
// A file of its own, because the content security policy allows no inline scripts.
(function () {
  try {
    var theme = localStorage.getItem('sicerdas.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
    var language = localStorage.getItem('sicerdas.language');
    if (language) document.documentElement.lang = language;
  } catch (error) {
    // Storage may be forbidden; the system's own preferences hold then.
  }
})();
