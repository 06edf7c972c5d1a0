/** Says on a list that others changed cards of it; the list itself stays as it is until somebody asks. */

import { ask } from "./events.js";
import { openLine } from "./line.js";
import { say } from "./toast.js";

const note = document.getElementById("list-news");
const { base = "", one = "", many = "" } = note?.dataset ?? {};
/** Cards of the list that others changed. */
const changed = new Set();

/** @param {import("./line.js").News} news @param {boolean} missed */
async function hear({ cards = {} }, missed) {
  const ids = Object.keys(cards);
  if (missed || !ids.length) return;
  const query = new URLSearchParams(location.search);
  query.set("ids", ids.join(","));
  const answer = await ask(`${base}changes/?${query}`);
  if (answer.status !== 200 || !note) return;
  const page = new DOMParser().parseFromString(answer.text, "text/html");
  for (const change of page.querySelectorAll("[data-change]:not([data-said=''])")) {
    const id = `card-${/** @type {HTMLElement} */ (change).dataset.change}`;
    if (page.getElementById(id) || document.getElementById(id)) changed.add(id);
  }
  const words = note.querySelector("span");
  if (!words || !changed.size) return;
  words.textContent = changed.size === 1 ? one : many.replace("{n}", String(changed.size));
  note.hidden = false;
  say(words.textContent);
}

if (note) openLine({ address: () => `${base}events/?tray=1`, position: "", hear, tell: () => {} });
