/** The button of a paper opens the browser's own print dialog. Without script, its menu does. */

for (const button of document.querySelectorAll("[data-prints]")) {
  if (!(button instanceof HTMLElement)) continue;
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
