/** The bell: a notice whose card is opened counts as read, and focus goes on to the next one that is not. */

import { closeDialog } from "./dialog.js";
import { onSwapped, send } from "./events.js";

/** @type {string | null} */
let following = null;

/** @param {Element} row */
const after = (row) => row.nextElementSibling ?? row.previousElementSibling;

export function watchBell() {
  const bell = document.getElementById("bell");
  if (!bell) return;
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("a[data-read]");
    if (!link) return;
    const row = link.closest(".notice.unread");
    const form = /** @type {HTMLFormElement | null | undefined} */ (row?.querySelector(".notice-read"));
    if (row && form) {
      send("POST", form.action, { source: bell, target: bell, swap: "none" });
      row.classList.remove("unread");
      form.remove();
    }
    // The card opens beside the page, not behind the dialog.
    if (link.closest("#dialog") && event.defaultPrevented) closeDialog();
  });
  document.addEventListener("submit", (event) => {
    const row = /** @type {Element} */ (event.target).closest(".notice");
    following = row ? after(row)?.id ?? row.id : null;
  });
  onSwapped(() => {
    if (following === null || (document.activeElement && document.activeElement !== document.body && !document.activeElement.matches("dialog"))) return;
    const row = document.getElementById(following);
    const next = row?.querySelector(".notice-read button, a");
    if (next instanceof HTMLElement) next.focus();
    following = null;
  });
}
