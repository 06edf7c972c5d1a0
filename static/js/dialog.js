/** Small dialogs: a link or form with data-dialog opens its answer in <dialog id="dialog">; without script it is a page. */

import { onServerEvent, onSwapped, send } from "./events.js";

const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("dialog"));
/** @type {HTMLElement | null} */
let opener = null;
/** Whether the last form that was sent stands in a message. */
let byMessage = false;
/** What stood in the dialog when it closed. It is taken out a moment later, by the event; until then it is no sheet to show. */
const left = new WeakSet();
const fresh = () => [...dialog.children].some((part) => !left.has(part));
const FIRST = ".sheet-body :is(a[href], button, input:not([type=hidden]), select, textarea):not(:disabled)";

/** Opens the answer of an address as a dialog; focus returns to `from`.
 * @param {string} url @param {HTMLElement} from */
export function openDialog(url, from) {
  opener = from;
  return send("GET", url, { source: dialog, target: dialog, swap: "innerHTML" });
}

/** Shows what an answer has put into the dialog.
 * @param {HTMLElement | null} from */
export function showDialog(from) {
  opener = from ?? opener;
  if (!dialog.open && fresh()) dialog.showModal();
  const heading = dialog.querySelector("h1, h2");
  if (heading) {
    heading.id ||= "dialog-title";
    dialog.setAttribute("aria-labelledby", heading.id);
  }
  const first = dialog.querySelector('[aria-invalid="true"], [autofocus]') ?? dialog.querySelector(FIRST);
  if (first instanceof HTMLElement) first.focus();
}

export function closeDialog() {
  if (!dialog.open) return;
  leave();
  dialog.close();
}

function leave() {
  for (const part of dialog.children) left.add(part);
}

/** Calls back when the dialog closes, however it does.
 * @param {() => void} callback */
export function onDialogClosed(callback) {
  dialog.addEventListener("close", callback);
}

export function watchDialog() {
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest("[data-close]") && target.closest("#dialog")) closeDialog();
    // A message that leads to a card: the card opens beside the board, not behind the dialog.
    if (target.closest("#dialog #toasts a[data-panel]")) closeDialog();
    const link = /** @type {HTMLAnchorElement | null} */ (target.closest("a[data-dialog]"));
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const menu = /** @type {HTMLElement | null} */ (link.closest("[popover]"));
    menu?.hidePopover();
    const invoker = menu && document.querySelector(`[popovertarget="${menu.id}"]`);
    openDialog(link.href, /** @type {HTMLElement} */ (invoker ?? link));
  });
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const inside = form.closest("#dialog") && form.method === "post";
    byMessage = form.closest("#toasts") !== null;
    if (event.defaultPrevented || form.hasAttribute("hx-post") || !(inside || form.matches("[data-dialog]"))) return;
    event.preventDefault();
    const button = /** @type {HTMLButtonElement | null} */ (event.submitter);
    const url = button?.getAttribute("formaction") ?? form.action;
    const verb = form.method === "post" ? "POST" : "GET";
    if (button) button.disabled = true;
    send(verb, url, { source: form, target: dialog, swap: "innerHTML", event }).finally(() => {
      if (button) button.disabled = false;
    });
  });
  onSwapped((target) => {
    // What came in elsewhere on the page does not take the focus from what is being typed.
    if (dialog.open && target !== dialog && (dialog.contains(document.activeElement) || target.closest?.("#board, #totals"))) return;
    if (dialog.open ? dialog.childElementCount : fresh()) showDialog(/** @type {HTMLElement | null} */ (dialog.open ? null : opener ?? document.activeElement));
  });
  // The Undo of a message stands in the dialog, too: it leaves what is being typed there alone.
  onServerEvent("close-dialog", () => {
    if (!byMessage) closeDialog();
  });
  // What was done here leads on: another sheet takes its place, and the focus still returns to where it all began.
  onServerEvent("open-dialog", ({ url }) => openDialog(url, /** @type {HTMLElement} */ (opener)));
  dialog.addEventListener("click", (event) => {
    if (event.target !== dialog) return;
    const box = dialog.getBoundingClientRect();
    const inside = event.clientX > box.left && event.clientX < box.right && event.clientY > box.top && event.clientY < box.bottom;
    if (!inside) closeDialog();
  });
  dialog.addEventListener("cancel", leave);
  dialog.addEventListener("close", () => {
    // Another sheet may have come in the moment since.
    for (const part of [...dialog.children]) if (!dialog.open || left.has(part)) part.remove();
    if (dialog.open) return;
    if (opener?.isConnected) opener.focus();
    opener = null;
  });
}
