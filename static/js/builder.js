/** The column editor without page loads: order, add, remove, and which stage is where. What is saved is the form itself. */

import Sortable from "../vendor/sortable/sortable.esm.js";
import { say } from "./toast.js";

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("builder"));
const list = /** @type {HTMLElement} */ (document.getElementById("builder-rows"));
const words = /** @type {HTMLElement} */ (document.getElementById("builder-words"))?.dataset ?? {};
let added = 0;
let saving = false;

/** @param {string | undefined} text @param {Record<string, string | number>} gaps */
const filled = (text, gaps) => (text ?? "").replace(/\{(\w+)\}/g, (_all, name) => String(gaps[name] ?? ""));
/** @returns {HTMLElement[]} */
const rows = () => [...list.querySelectorAll(".builder-row")];
const kept = () => rows().filter((row) => !row.classList.contains("removed"));
/** @param {Element} inside */
const rowOf = (inside) => /** @type {HTMLElement} */ (inside.closest(".builder-row"));
/** @param {Element} row */
const nameOf = (row) => /** @type {HTMLInputElement} */ (row.querySelector(".builder-name input")).value.trim() || (words.new ?? "");
/** @param {Element} row @returns {HTMLInputElement[]} */
const boxes = (row) => [...row.querySelectorAll("input[data-stage]")];
/** @param {Element} box */
const labelOf = (box) => box.closest("label")?.querySelector("[data-name]")?.textContent?.trim() ?? "";
/** @param {string} stage */
const looseOf = (stage) => /** @type {HTMLElement | null} */ (document.querySelector(`[data-loose="${stage}"]`));

function unsaved() {
  if (!form) return;
  form.dataset.unsaved = "";
  const line = document.getElementById("unsaved");
  if (line) line.hidden = false;
}

/** Brings everything that depends on the boxes in line with them. */
function refresh() {
  /** @type {Map<string, HTMLElement>} */
  const holder = new Map();
  for (const row of kept()) for (const box of boxes(row)) if (box.checked) holder.set(box.value, row);
  for (const row of rows()) {
    row.setAttribute("aria-label", nameOf(row));
    for (const box of boxes(row)) {
      const other = holder.get(box.value);
      const line = box.closest("label")?.querySelector("[data-elsewhere]");
      if (line) line.textContent = other && other !== row ? filled(words.elsewhere, { column: nameOf(other) }) : "";
    }
    summarise(row);
  }
  let loose = 0;
  for (const line of document.querySelectorAll("[data-loose]")) {
    const { loose: stage, cards, active } = /** @type {HTMLElement} */ (line).dataset;
    const offered = active !== undefined || Number(cards) > 0 || document.querySelector(`input[data-stage="${stage}"]`);
    const free = !holder.has(stage ?? "") && Boolean(offered);
    /** @type {HTMLElement} */ (line).hidden = !free;
    loose += free ? 1 : 0;
  }
  const section = document.getElementById("loose");
  if (section) section.hidden = loose === 0;
  const none = document.getElementById("builder-none");
  if (none) none.hidden = rows().length > 0;
  rows().forEach((row, place, all) => {
    /** @type {HTMLButtonElement} */ (row.querySelector("[data-up]")).disabled = place === 0;
    /** @type {HTMLButtonElement} */ (row.querySelector("[data-down]")).disabled = place === all.length - 1;
  });
}

/** Shows the ticked stages and the colour of a column.
 * @param {HTMLElement} row */
function summarise(row) {
  const chosen = row.querySelector("[data-chosen]");
  const ticked = boxes(row).filter((box) => box.checked);
  chosen?.replaceChildren(
    ...ticked.map((box) => {
      const badge = document.createElement("span");
      badge.className = "badge";
      const dot = box.closest("label")?.querySelector(".dot")?.cloneNode();
      badge.append(...(dot ? [dot] : []), labelOf(box));
      return badge;
    }),
  );
  if (!ticked.length && chosen) {
    const none = document.createElement("span");
    none.className = "late";
    none.textContent = words.none ?? "";
    chosen.append(none);
  }
  const select = /** @type {HTMLSelectElement} */ (row.querySelector("[data-colour]"));
  const colour = select.value || (ticked[0] && looseOf(ticked[0].value)?.dataset.colour) || "slate";
  row.className = row.className.replace(/colour-\w+/, `colour-${colour}`);
}

/** @param {HTMLElement} row */
function sayPlace(row) {
  const all = rows();
  say(filled(words.place, { column: nameOf(row), place: all.indexOf(row) + 1, count: all.length }));
}

/** @param {HTMLElement} row @param {-1 | 1} by @param {HTMLElement} button */
function shift(row, by, button) {
  const all = rows();
  const other = all[all.indexOf(row) + by];
  if (!other) return;
  if (by < 0) other.before(row);
  else other.after(row);
  changed();
  const opposite = /** @type {HTMLElement} */ (row.querySelector(by < 0 ? "[data-down]" : "[data-up]"));
  (/** @type {HTMLButtonElement} */ (button).disabled ? opposite : button).focus();
  sayPlace(row);
}

/** @param {HTMLElement} row @param {boolean} gone */
function setRemoved(row, gone) {
  if (gone && row.dataset.row?.startsWith("x")) {
    const next = rows()[rows().indexOf(row) + 1] ?? rows()[rows().indexOf(row) - 1];
    row.remove();
    changed();
    const focus = next?.querySelector(".builder-name input") ?? form?.querySelector("[data-add]");
    /** @type {HTMLElement | null} */ (focus ?? null)?.focus();
    return;
  }
  row.classList.toggle("removed", gone);
  /** @type {HTMLInputElement} */ (row.querySelector("[data-removed]")).value = gone ? "1" : "";
  changed();
  /** @type {HTMLElement} */ (row.querySelector(gone ? "[data-keep]" : "[data-remove]")).focus();
  const cards = boxes(row).filter((box) => box.checked && looseOf(box.value)?.hidden === false);
  const count = cards.reduce((sum, box) => sum + Number(looseOf(box.value)?.dataset.cards ?? 0), 0);
  say(filled(gone ? words.removed : words.kept, { column: nameOf(row), cards: count }));
}

/** Adds a column; with a stage, one for that stage.
 * @param {HTMLElement | null} stage */
function add(stage) {
  const blank = /** @type {HTMLTemplateElement} */ (document.getElementById("blank-row"));
  const row = /** @type {HTMLElement} */ (blank.content.firstElementChild?.cloneNode(true));
  added += 1;
  const key = `x${added}`;
  row.dataset.row = key;
  for (const element of [row, ...row.querySelectorAll("*")]) {
    for (const name of ["id", "name", "for", "value"]) {
      const value = element.getAttribute(name);
      if (value?.endsWith("blank")) element.setAttribute(name, value.replace(/blank$/, key));
    }
  }
  list.append(row);
  if (stage) {
    /** @type {HTMLInputElement} */ (row.querySelector(".builder-name input")).value = stage.dataset.name ?? "";
    /** @type {HTMLSelectElement} */ (row.querySelector("[data-colour]")).value = stage.dataset.colour ?? "";
    for (const box of boxes(row)) box.checked = box.value === stage.dataset.loose;
    /** @type {HTMLDetailsElement} */ (row.querySelector("details")).open = false;
  }
  changed();
  /** @type {HTMLElement} */ (row.querySelector(".builder-name input")).focus();
  say(words.added ?? "");
}

/** A stage that is ticked here leaves the column that it was in.
 * @param {HTMLInputElement} box */
function takeStage(box) {
  const here = rowOf(box);
  for (const row of box.checked ? kept() : []) {
    for (const other of boxes(row)) {
      if (row === here || other.value !== box.value || !other.checked) continue;
      other.checked = false;
      say(filled(words.moved, { stage: labelOf(box), column: nameOf(row) }));
    }
  }
}

function changed() {
  unsaved();
  refresh();
}

/** @param {Event} event */
function clicked(event) {
  const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("button"));
  if (!button || !form?.contains(button)) return;
  const act = button.dataset;
  const does = {
    up: () => shift(rowOf(button), -1, button),
    down: () => shift(rowOf(button), 1, button),
    remove: () => setRemoved(rowOf(button), true),
    keep: () => setRemoved(rowOf(button), false),
    add: () => add(null),
    addStage: () => add(button.closest("li")),
    addEach: () => document.querySelectorAll("[data-loose][data-active]:not([hidden])").forEach((line) => add(/** @type {HTMLElement} */ (line))),
  };
  const found = Object.entries(does).find(([name]) => name in act);
  if (!found) return;
  event.preventDefault();
  found[1]();
}

if (form) {
  new Sortable(list, { handle: "[data-grip]", animation: 150, delay: 150, delayOnTouchOnly: true, onEnd: (/** @type {any} */ event) => {
    if (event.oldIndex === event.newIndex) return;
    changed();
    sayPlace(event.item);
  } });
  form.addEventListener("click", clicked);
  form.addEventListener("input", changed);
  form.addEventListener("change", (event) => {
    const box = /** @type {HTMLInputElement} */ (event.target);
    if (box.matches("input[data-stage]")) takeStage(box);
    changed();
  });
  form.addEventListener("submit", () => (saving = true));
  form.querySelector("[data-leave]")?.addEventListener("click", () => (saving = true));
  window.addEventListener("beforeunload", (event) => {
    if (!saving && form.dataset.unsaved !== undefined) event.preventDefault();
  });
  window.addEventListener("pageshow", () => (saving = false));
  refresh();
}
