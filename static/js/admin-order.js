/** Ordering the rows of a setup table by dragging. Typing the numbers and saving does the same without this. */

import Sortable from "../vendor/sortable/sortable.esm.js";

const help = document.getElementById("order");
const body = document.querySelector("#result_list tbody");

/** @param {Element} row */
const grip = (row) => /** @type {HTMLElement | null} */ (row.querySelector(".drag-handle"));

/** @returns {string[]} the rows' keys from top to bottom */
const order = () => [...body.querySelectorAll(".drag-handle")].map((each) => each.dataset.row);

/** Show the numbers that the server gave the rows, as if they had been loaded so. @param {Record<string, number>} places */
function showNumbers(places) {
  for (const row of body.rows) {
    const input = row.querySelector(".field-sequence input");
    const place = places[grip(row)?.dataset.row];
    if (input && place !== undefined) {
      input.value = String(place);
      input.defaultValue = input.value;
    }
  }
}

async function save() {
  const data = new FormData();
  data.append("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
  for (const row of order()) data.append("row", row);
  const answer = await fetch(help.dataset.url, { method: "POST", body: data, headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
  showNumbers((await answer.json()).order);
}

if (help && body && body.rows.length > 1) {
  const said = document.getElementById("order-said");
  document.body.classList.add("can-drag");
  let before = [];
  const sortable = Sortable.create(body, {
    handle: ".drag-handle",
    dataIdAttr: "data-row",
    animation: 120,
    onStart: () => {
      before = [...body.rows];
    },
    onMove: (event) => grip(event.dragged)?.dataset.group === grip(event.related)?.dataset.group,
    onEnd: async (event) => {
      if (event.oldIndex === event.newIndex) return;
      sortable.option("disabled", true);
      try {
        await save();
        said.textContent = help.dataset.saved;
      } catch {
        body.append(...before);
        said.textContent = help.dataset.failed;
      }
      sortable.option("disabled", false);
    },
  });
}
