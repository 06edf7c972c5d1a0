/** The first setup: guesses the time zone from the browser, and shows the time in the zone that is typed. */

const zone = /** @type {HTMLInputElement} */ (document.getElementById("id_time_zone"));
const clock = /** @type {HTMLElement} */ (document.getElementById("zone-clock"));

function showTime() {
  try {
    const time = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short", timeZone: zone.value.trim() || "?" });
    clock.textContent = (clock.dataset.words ?? "").replace("{time}", time.format(new Date()));
  } catch {
    clock.textContent = "";
  }
}

if ("guess" in clock.dataset) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || zone.value;
// The list offers what matches the words: with all of them marked, typing begins a fresh search.
zone.addEventListener("focus", () => zone.select());
zone.addEventListener("input", showTime);
showTime();
