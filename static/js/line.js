/** The line on which the server tells an open board which cards changed: kept open while somebody looks, found again when it
 * is lost, and caught up from where it broke off. */

const HIDDEN_FOR = 60_000; // a tab in the background listens a minute longer
const SILENT_FOR = 40_000; // two heartbeats missing: the line is dead
const SHORT = 3000; // a shorter break shows nothing

/** @typedef {{cards?: Record<string, number>, everything?: boolean}} News  cards with their versions; or more than can be named */
/** @typedef {{address: () => string, position: string, hear: (news: News, first: boolean) => void, tell: (state: "lost" | "found" | "ended") => void}} Page
 *   address: of the stream, with a query; hear: what came, the first of each connection being what was missed; tell: what people should know */

/** @type {Page} */
let page;
/** @type {AbortController | null} */
let line = null;
let heard = 0;
let failures = 0;
let rest = 0; // milliseconds until the next look, where the server holds no line open: this person has very many boards open
let told = false;
let over = false;
/** @type {number | undefined} */
let again;
/** @type {number | undefined} */
let telling;
/** @type {number | undefined} */
let sleep;

async function listen() {
  clearTimeout(again);
  if (line || over || document.hidden) return;
  const mine = new AbortController();
  line = mine;
  heard = Date.now();
  rest = 0;
  try {
    const answer = await fetch(`${page.address()}&since=${page.position}`, { signal: mine.signal, redirect: "manual", cache: "no-store" });
    if (answer.status === 204) over = true; // this server tells nothing by itself
    if (answer.type === "opaqueredirect" || answer.status === 403 || answer.status === 404) ended();
    if (answer.status === 200 && answer.body) await read(answer.body);
  } catch {
    // Told by what follows: the line is lost.
  }
  if (line === mine) lost();
}

/** @param {ReadableStream<Uint8Array>} body */
async function read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let first = true;
  for (let text = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    heard = Date.now();
    const parts = (text + value).split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      const [, retry = "0", id, data] = /^(?:retry: (\d+)\n)?id: (.*)\ndata: (.*)$/.exec(part) ?? [];
      if (!data) continue;
      rest = Number(retry);
      page.hear(JSON.parse(data), first);
      page.position = id;
      if (first) found();
      first = false;
    }
  }
}

function hangUp() {
  const mine = line;
  line = null;
  mine?.abort();
}

/** Tries again, later each time; or when the server said, where it ended the line itself. */
function lost() {
  line = null;
  if (over || document.hidden) return;
  if (rest) {
    clearTimeout(again);
    again = setTimeout(listen, rest * (0.75 + Math.random() / 2));
    return;
  }
  telling ??= setTimeout(() => {
    told = true;
    page.tell("lost");
  }, SHORT);
  clearTimeout(again);
  again = setTimeout(listen, Math.min(30_000, 400 * 2 ** failures++) * (0.75 + Math.random() / 2));
}

function found() {
  failures = 0;
  clearTimeout(telling);
  telling = undefined;
  if (told) page.tell("found");
  told = false;
}

/** The session has ended, or the board is not there any more. */
export function ended() {
  over = true;
  clearTimeout(telling);
  page.tell("ended");
}

/** Opens the line of this page.
 * @param {Page} of */
export function openLine(of) {
  page = of;
  listen();
  document.addEventListener("visibilitychange", () => {
    clearTimeout(sleep);
    if (document.hidden) sleep = setTimeout(hangUp, HIDDEN_FOR);
    else listen();
  });
  addEventListener("pagehide", hangUp);
  addEventListener("pageshow", (event) => event.persisted && listen());
  addEventListener("offline", () => {
    hangUp();
    lost();
  });
  addEventListener("online", listen);
  // After a sleep, or on a line that died without a word, this notices the silence.
  setInterval(() => {
    if (!line || Date.now() - heard < SILENT_FOR) return;
    hangUp();
    listen();
  }, 5000);
}
