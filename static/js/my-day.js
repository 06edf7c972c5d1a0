/** My day: an act on it, in the dialog or in the panel brings the whole up to date; focus stays where the work is. */

import { onServerEvent, send } from "./events.js";

let place = -1;

const day = () => /** @type {HTMLElement} */ (document.getElementById("day"));
/** @returns {HTMLElement[]} */
const ticks = () => [...day().querySelectorAll(".tick")].map((tick) => /** @type {HTMLElement} */ (tick));

async function refresh() {
  const open = document.querySelector("dialog[open]");
  const { pathname, search } = location;
  await send("GET", pathname + search, { source: day(), target: day(), swap: "outerMorph" });
  if (open || place < 0 || document.activeElement !== document.body) return;
  // What was ticked off is gone: on to what stands in its place.
  const left = ticks();
  (left[Math.min(place, left.length - 1)] ?? document.getElementById("main"))?.focus();
  place = -1;
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  const row = form.closest("#day li");
  place = row ? ticks().findIndex((tick) => row.contains(tick)) : -1;
  /** @type {HTMLElement | null} */ (form.closest("[popover]"))?.hidePopover();
});

onServerEvent("card-changed", refresh);
