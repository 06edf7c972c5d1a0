/** Tables of rows in a form (lines, recipients): add, move and delete without page loads. What is saved is the form itself. */

import { say } from "./toast.js";

let added = 0;

/** @param {HTMLElement} editor @returns {HTMLElement} */
const listOf = (editor) => /** @type {HTMLElement} */ (editor.querySelector("[data-rows]"));
/** @param {HTMLElement} editor @returns {HTMLElement[]} */
const rowsOf = (editor) => /** @type {HTMLElement[]} */ ([...listOf(editor).children]);
/** @param {Element} row @returns {HTMLElement[]} */
const fieldsOf = (row) => [...row.querySelectorAll("input:not([type=hidden]), select")].map((field) => /** @type {HTMLElement} */ (field));

/** @param {string} name @param {Record<string, number>} gaps */
function tell(name, gaps = {}) {
  const words = document.getElementById("lines-words")?.dataset[name] ?? "";
  say(words.replace(/\{(\w+)\}/g, (_all, gap) => String(gaps[gap] ?? "")));
}

/** Lets the server work out what the lines come to. @param {HTMLElement} editor */
const changed = (editor) => editor.dispatchEvent(new CustomEvent("rows-changed"));

/** @param {HTMLElement} editor */
function add(editor) {
  const blank = /** @type {HTMLTemplateElement} */ (editor.querySelector("template[data-blank]"));
  const row = /** @type {HTMLElement} */ (blank.content.firstElementChild?.cloneNode(true));
  added += 1;
  const key = `${editor.dataset.key}${Date.now().toString(36).slice(-5)}${added}`;
  row.dataset.row = key;
  for (const element of row.querySelectorAll("*")) {
    for (const name of ["id", "name", "for", "value", "aria-describedby"]) {
      const value = element.getAttribute(name);
      if (value?.endsWith("blank")) element.setAttribute(name, value.replace(/blank$/, key));
    }
  }
  listOf(editor).append(row);
  fieldsOf(row)[0]?.focus();
  tell("added");
}

/** @param {HTMLElement} editor @param {HTMLElement} row @param {-1 | 1} by */
function shift(editor, row, by) {
  const rows = rowsOf(editor);
  const other = rows[rows.indexOf(row) + by];
  if (!other) return;
  const held = /** @type {HTMLElement | null} */ (document.activeElement);
  if (by < 0) other.before(row);
  else other.after(row);
  if (held && row.contains(held)) held.focus();
  changed(editor);
  tell("place", { place: rowsOf(editor).indexOf(row) + 1, count: rows.length });
}

/** @param {HTMLElement} editor @param {HTMLElement} row */
function remove(editor, row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  tell("removed");
  if (next) fieldsOf(next)[0]?.focus();
  else add(editor);
  changed(editor);
}

/** @param {MouseEvent} event */
function clicked(event) {
  const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("button"));
  const editor = /** @type {HTMLElement | null} */ (button?.closest("[data-rows-editor]"));
  if (!button || !editor) return;
  const row = /** @type {HTMLElement | null} */ (button.closest("[data-row]"));
  if ("add" in button.dataset) add(editor);
  else if (row && "up" in button.dataset) shift(editor, row, -1);
  else if (row && "down" in button.dataset) shift(editor, row, 1);
  else if (row && "remove" in button.dataset) remove(editor, row);
  else return;
  event.preventDefault();
}

/** Enter goes on to the next field and, from the last one, to a new row; Alt with an arrow moves the row.
 * @param {KeyboardEvent} event */
function pressed(event) {
  const field = /** @type {HTMLElement} */ (event.target);
  const row = /** @type {HTMLElement | null} */ (field.closest("[data-rows-editor] [data-row]"));
  if (!row || event.isComposing) return;
  const editor = /** @type {HTMLElement} */ (row.closest("[data-rows-editor]"));
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    shift(editor, row, event.key === "ArrowUp" ? -1 : 1);
  } else if (event.key === "Enter" && field.matches("input, select")) {
    event.preventDefault();
    const fields = rowsOf(editor).flatMap(fieldsOf);
    const next = fields[fields.indexOf(field) + 1];
    if (next) next.focus();
    else add(editor);
  }
}

export function watchLines() {
  const form = document.querySelector("[data-document-form]");
  if (!form) return;
  form.addEventListener("click", (event) => clicked(/** @type {MouseEvent} */ (event)));
  form.addEventListener("keydown", (event) => pressed(/** @type {KeyboardEvent} */ (event)));
  form.addEventListener("input", (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    const editor = form.querySelector(".lines-edit");
    if (editor && (field.closest(".lines-edit [data-row]") || field.name === "discount_percent")) changed(/** @type {HTMLElement} */ (editor));
  });
}
