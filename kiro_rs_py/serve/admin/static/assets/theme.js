// Runs before the first paint, so that a dark page never flashes white. Classic script on purpose: modules come later.
"use strict";
(function () {
  let theme = null;
  try {
    theme = localStorage.getItem("kiro-admin-theme");
  } catch {
    // Storage may be forbidden; then the system decides.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
