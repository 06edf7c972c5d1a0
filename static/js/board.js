/** The board page: puts its parts together, shows where there is more, and follows the column on a phone. */

import { watchColumns } from "./columns.js";
import { onDialogClosed } from "./dialog.js";
import { onSwapped } from "./events.js";
import { rove, watchCarry } from "./carry.js";
import { attach, watchDrag } from "./drag.js";
import { watchLive } from "./live.js";
import { board, dropQuestions, wantHeads, watchMoves } from "./moves.js";

function shadows() {
  const edge = document.getElementById("board-edge");
  if (!board || !edge) return;
  const { scrollLeft, scrollWidth, clientWidth } = board;
  edge.classList.toggle("more-before", scrollLeft > 4);
  edge.classList.toggle("more-after", scrollLeft + clientWidth < scrollWidth - 4);
}

/** Marks the column that is on the screen in the bar at the foot of a phone. */
function followColumn() {
  const bar = document.getElementById("stage-bar");
  if (!board || !bar) return;
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      bar.querySelector("[aria-current]")?.removeAttribute("aria-current");
      const link = bar.querySelector(`[href="#${entry.target.id}"]`);
      link?.setAttribute("aria-current", "true");
      if (bar.offsetParent) bar.scrollTo({ left: /** @type {HTMLElement} */ (link)?.offsetLeft - 60 });
    }
  }, { root: board, threshold: 0.6 });
  for (const column of board.querySelectorAll(".column")) seen.observe(column);
  bar.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("a");
    const column = link && document.querySelector(link.hash);
    if (!column) return;
    event.preventDefault();
    column.scrollIntoView({ behavior: "smooth", inline: "start", block: "nearest" });
  });
}

/** A card that came twice (added above, then loaded with the next page) stands once. */
function once() {
  const seen = new Set();
  for (const card of document.querySelectorAll(".card")) {
    if (seen.has(card.id)) card.remove();
    seen.add(card.id);
  }
}

if (board) {
  watchMoves();
  watchColumns(board);
  watchDrag();
  watchCarry();
  watchLive();
  onDialogClosed(dropQuestions);
  board.addEventListener("scroll", shadows, { passive: true });
  new ResizeObserver(shadows).observe(board);
  followColumn();
  onSwapped((target) => {
    if (target instanceof Element && target.closest("#board, #totals, form[hidden]")) {
      once();
      attach();
      rove();
    }
    if (!(target instanceof Element && target.matches(".column"))) return;
    wantHeads();
    // A column that was folded or unfolded came anew: the focus goes on in it.
    const anew = document.getElementById(target.id);
    if (document.activeElement === document.body) /** @type {HTMLElement | null | undefined} */ (anew?.querySelector(".unfold, .column-title button"))?.focus();
  });
  board.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("[data-clear]");
    if (!(button instanceof HTMLElement)) return;
    const box = document.getElementById(button.dataset.clear ?? "");
    box?.replaceChildren();
    /** @type {HTMLElement | null} */ (box?.parentElement?.querySelector(".quick-add") ?? null)?.focus();
  });
  board.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const clear = /** @type {Element} */ (event.target).closest(".adding")?.querySelector("[data-clear]");
    if (clear instanceof HTMLElement) {
      event.preventDefault();
      clear.click();
    }
  });
}
