/** The mail part of a sheet: ticking it opens the details, and an address that is typed lets it be ticked. */

export function watchCompose() {
  document.addEventListener("input", (event) => {
    const field = /** @type {HTMLTextAreaElement} */ (event.target);
    const box = field.dataset?.enables && document.getElementById(field.dataset.enables);
    if (!(box instanceof HTMLInputElement) || !("waits" in box.dataset || box.disabled)) return;
    // Only what an address can cure: words that are wrong stay so until the server has seen them again.
    if (field.closest(".compose")?.querySelector(".form-errors")) return;
    box.dataset.waits = "";
    box.disabled = !field.value.trim();
    if (box.disabled) box.checked = false;
  });
  document.addEventListener("change", (event) => {
    const box = /** @type {HTMLInputElement} */ (event.target);
    if (box.id !== "mail-send") return;
    const details = box.closest(".compose")?.querySelector("details");
    if (details) details.open = box.checked || details.open;
  });
}
