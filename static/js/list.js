/** The list: choosing rows by box, by Shift and a whole page at once; the order of the phone's list; a row whose card was changed in the panel.
 * The server decides everything else. */

import { onServerEvent } from "./events.js";

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("bulk-form"));
const whole = /** @type {HTMLInputElement | null} */ (document.getElementById("choose-page"));
/** @type {HTMLInputElement | null} */
let last = null;

/** @returns {HTMLInputElement[]} */
const boxes = () => [...document.querySelectorAll('input[name="card"][form="bulk-form"]')].map((box) => /** @type {HTMLInputElement} */ (box));

function show() {
  if (!form) return;
  const all = boxes();
  const chosen = all.filter((box) => box.checked).length;
  const label = form.querySelector(".bulk-all");
  const every = /** @type {HTMLInputElement | null} */ (form.querySelector('input[name="all"]'));
  const pageWhole = chosen === all.length;
  if (every && !pageWhole) every.checked = false;
  label?.toggleAttribute("data-offered", pageWhole);
  form.toggleAttribute("data-chosen", chosen > 0);
  if (whole) {
    whole.checked = pageWhole && chosen > 0;
    whole.indeterminate = chosen > 0 && !pageWhole;
  }
  const count = /** @type {HTMLElement} */ (form.querySelector(".bulk-count"));
  const { one = "", many = "", all: everything = "" } = count.dataset;
  const words = every?.checked ? everything : chosen === 1 ? one : many.replace("{n}", String(chosen));
  const said = chosen ? words : "";
  if (count.textContent !== said) count.textContent = said;
}

document.addEventListener("click", (event) => {
  const box = /** @type {HTMLInputElement} */ (event.target);
  if (!(box instanceof HTMLInputElement) || box.name !== "card" || box.getAttribute("form") !== "bulk-form") return;
  const all = boxes();
  if (event.shiftKey && last && last !== box) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    for (const between of all.slice(from, to + 1)) between.checked = box.checked;
  }
  last = box;
  show();
});

document.addEventListener("change", (event) => {
  const target = /** @type {HTMLInputElement} */ (event.target);
  if (target === whole) for (const box of boxes()) box.checked = target.checked;
  if (target === whole || target.closest("#bulk-form")) show();
  if (target.closest("[data-follows]")) target.form?.requestSubmit();
});

/** Fetches the page again and takes over the one row and the sums; a card that the filter no longer selects goes.
 * @param {number} card */
async function refresh(card) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const row = document.getElementById(`card-${card}`);
  if (!answer.ok || !row) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(row.id);
  if (fresh) {
    const chosen = row.querySelector("input:checked");
    row.replaceWith(fresh);
    if (chosen) /** @type {HTMLInputElement} */ (fresh.querySelector('input[name="card"]')).checked = true;
  } else row.remove();
  const sums = page.querySelector(".sums");
  if (sums) document.querySelector(".sums")?.replaceWith(sums);
  show();
}

onServerEvent("card-changed", ({ card }) => refresh(card));

addEventListener("pageshow", show);
show();
