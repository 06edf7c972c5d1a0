/** Messages at the foot of the page, and sentences for screen readers. */

import { onSwapped, onSwapping } from "./events.js";

const region = /** @type {HTMLElement} */ (document.getElementById("toasts"));
const announcer = /** @type {HTMLElement} */ (document.getElementById("announcer"));
const words = /** @type {HTMLElement} */ (document.getElementById("words")).dataset;
const LASTS = 9000;

/** Says a sentence to screen readers.
 * @param {string} sentence */
export function say(sentence) {
  const line = document.createElement("p");
  line.textContent = sentence;
  announcer.replaceChildren(line);
}

/** Shows a message; the bad ones stay until they are dismissed.
 * @param {string} sentence @param {"" | "bad"} tone */
export function toast(sentence, tone = "") {
  if ([...region.querySelectorAll("p")].some((line) => line.textContent === sentence)) return;
  const box = document.createElement("div");
  box.className = `toast ${tone}`;
  const line = document.createElement("p");
  line.textContent = sentence;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "icon-button";
  button.dataset.closeToast = "";
  button.setAttribute("aria-label", words.dismiss ?? "");
  button.append(icon("x"));
  box.append(line, button);
  region.append(box);
}

/** An icon of the sprite.
 * @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${words.icons}#${name}`);
  svg.append(use);
  return svg;
}

/** What went wrong with a request, in words.
 * @param {number} status @param {string} said */
export function failure(status, said) {
  if (said) return said;
  if (status === 0) return words.offline ?? "";
  if (status === 403) return words.forbidden ?? "";
  if (status === 404) return words.gone ?? "";
  if (status === 429) return words.busy ?? "";
  return words.broken ?? "";
}

/** @param {Element} box */
function leave(box) {
  if (box.matches(":hover, :focus-within")) {
    setTimeout(leave, 2000, box);
    return;
  }
  box.classList.add("leaving");
  setTimeout(() => box.remove(), 220);
}

/** Puts the messages where they can be clicked and heard: a modal dialog makes everything outside it inert.
 * @param {Element} host */
function live(host) {
  if (region.parentElement === host && announcer.parentElement === host) return;
  host.append(announcer, region);
  if (region.childElementCount && !region.matches(":popover-open")) region.showPopover();
}

/** What stands in front: the modal dialog, if one is open, or the page. */
const front = () => [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.body;

/** @param {Element} box */
function arrived(box) {
  const lines = box.querySelectorAll("p, li");
  say([...lines].map((line) => line.textContent?.trim()).join(" "));
  // Shown anew, the region stands above a dialog that was opened meanwhile.
  if (region.matches(":popover-open")) region.hidePopover();
  region.showPopover();
  const bad = box.classList.contains("bad");
  const before = [...region.querySelectorAll(bad ? ".toast.bad" : ".toast:not(.bad)")].filter((other) => other !== box);
  // What was done last is what Undo is about; of what went wrong, three are enough.
  for (const other of bad ? before.slice(0, -2) : before) other.remove();
  if (!bad) setTimeout(leave, LASTS, box);
}

export function watchToasts() {
  region.popover = "manual";
  // An answer that is put into the dialog would sweep the messages away with what was there.
  onSwapping(() => live(document.body));
  onSwapped(() => live(front()));
  const opened = new MutationObserver(() => live(front()));
  for (const dialog of document.querySelectorAll("dialog")) opened.observe(dialog, { attributeFilter: ["open"] });
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) {
        if (node instanceof Element && node.matches(".toast")) arrived(node);
      }
    }
  }).observe(region, { childList: true });
  region.querySelectorAll(".toast").forEach(arrived);
  region.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("[data-close-toast]");
    button?.closest(".toast")?.remove();
  });
  region.addEventListener("submit", (event) => {
    const box = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".toast"));
    box?.classList.add("leaving");
    // It stays in the page until the next message: the answer to a form that is gone would be heard by nobody.
    setTimeout(() => box && (box.hidden = true), 300);
  });
}
