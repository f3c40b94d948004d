
// Follows the jobs that are not over: at each event the page is asked for again, and its live parts take the places of the old ones.
let following = new AbortController();
let refreshing = false;
let stale = false;

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

async function refresh() {
  stale = true;
  if (refreshing) return;
  refreshing = true;
  while (stale) {
    stale = false;
    await bringUpToDate(following.signal).catch(() => {});
    await pause(0.7);
  }
  refreshing = false;
}

async function bringUpToDate(signal) {
  const reply = await ask(location.href.split("#")[0], "text/html", { signal });
  if (!reply.ok) return;
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  if (signal.aborted) return;
  for (const old of document.querySelectorAll("[data-live]")) {
    const replacement = fresh.getElementById(old.id);
    if (!replacement || old.outerHTML === replacement.outerHTML) continue;
    if (old.contains(document.activeElement) && document.activeElement.matches("select")) continue;
    for (const field of old.querySelectorAll("select")) replacement.querySelector(`#${field.id}`).value = field.value;
    const open = old.querySelector("details")?.open;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceWith(replacement);
    if (open) replacement.querySelector("details")?.setAttribute("open", "");
    if (focused) replacement.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }
}

async function listen(url, signal) {
  while (!signal.aborted) {
    try {
      const reply = await ask(url, "text/event-stream", { signal });
      if (!reply.ok) return;
      let rest = "";
      for await (const text of reply.body.pipeThrough(new TextDecoderStream())) {
        const events = (rest + text).split("\n\n");
        rest = events.pop();
        if (!events.some((event) => event.startsWith("data:"))) continue;
        refresh();
        const last = JSON.parse(events.findLast((event) => event.startsWith("data:")).slice(5));
        if (last.finished_at) return;
      }
    } catch {
      if (signal.aborted) return;
    }
    await pause(2);
  }
}

function follow() {
  following.abort();
  following = new AbortController();
  for (const place of document.querySelectorAll("[data-events]")) listen(place.dataset.events, following.signal);
}

document.addEventListener("shown", follow);
follow();
