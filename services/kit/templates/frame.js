// The little script of every page. All of it works without, but for two things: a key (no browser sends one by itself) and copying a link.
// A service's own page.js follows it, and hears "shown" whenever another page has taken this one's place.
let key = null;

function ask(url, accept, options = {}) {
  const headers = { Accept: accept, ...(key === null ? {} : { Authorization: `Bearer ${key}` }) };
  return fetch(url, { headers, cache: "no-store", ...options });
}

async function visit(url, body) {
  const reply = await ask(url, "text/html", { method: body ? "POST" : "GET", body });
  if (reply.status === 401) return "The service does not accept this key.";
  if (!reply.headers.get("Content-Type")?.startsWith("text/html")) {
    const said = await reply.json().catch(() => null);
    return said?.error?.message ?? `The service answered with status ${reply.status}.`;
  }
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  document.title = page.title;
  document.body.replaceWith(page.body);
  if (reply.url !== location.href) history.pushState(null, "", reply.url);
  offerCopying();
  document.dispatchEvent(new Event("shown"));
  document.getElementById("main").focus({ preventScroll: true });
  window.scrollTo(0, 0);
  return null;
}

async function visitOrSay(url, body) {
  let said;
  try {
    said = await visit(url, body);
  } catch {
    said = "The service can't be reached.";
  }
  if (said === null) return true;
  const notice = document.querySelector("[role=alert]");
  notice.textContent = said;
  notice.hidden = false;
  return false;
}

async function enter(form) {
  key = form.querySelector("#key").value.trim();
  if (await visitOrSay(location.href)) return;
  key = null;
}

async function download(link) {
  const reply = await ask(link.href, "*/*");
  if (!reply.ok) return;
  const file = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await reply.blob()), download: link.download });
  file.click();
  URL.revokeObjectURL(file.href);
}

function offerCopying() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("button[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).href);
      button.textContent = "Copied";
    });
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const isDoor = form.id === "door";
  if (!isDoor && key === null) return;
  event.preventDefault();
  if (isDoor) enter(form);
  else if (form.method === "get") visitOrSay(`${form.action}?${new URLSearchParams(new FormData(form))}`);
  else visitOrSay(form.action, new URLSearchParams(new FormData(form)));
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='?'], a[href='.'], a[download]");
  if (key === null || !link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (link.hasAttribute("download")) download(link);
  else visitOrSay(link.href);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form?.requestSubmit();
});

window.addEventListener("popstate", () => key !== null && visitOrSay(location.href));

offerCopying();
