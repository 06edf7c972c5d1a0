/** A button with data-copies="id of a field" copies what stands in it. Without script, the field can be marked by hand. */

import { say } from "./toast.js";

document.addEventListener("click", async (event) => {
  const button = /** @type {Element} */ (event.target).closest("[data-copies]");
  if (!(button instanceof HTMLElement)) return;
  const field = /** @type {HTMLInputElement} */ (document.getElementById(button.dataset.copies ?? ""));
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    // Over plain http a browser has no clipboard of its own; the old way works there.
    if (!document.execCommand("copy")) return;
  }
  const words = button.querySelector("[data-copied]");
  if (words instanceof HTMLElement) words.textContent = words.dataset.copied ?? "";
  say(words?.textContent ?? "");
});
