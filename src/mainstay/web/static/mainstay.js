// Keys, copying, clickable rows and clocks. Everything works without it, only less quickly.
(() => {
  "use strict";

  const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
  const handle = (row) => row.querySelector("[data-open]") || row;

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.contains(document.activeElement));
    const next = now < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + step, 0), all.length - 1);
    handle(all[next]).focus();
    all[next].scrollIntoView({ block: "nearest" });
  }

  // What a page offers by a key of its own. A key that is held down does it once.
  function offered(event) {
    if (event.repeat || event.shiftKey) return false;
    if (event.key === "Enter" && event.target.closest("a, button, summary, input")) return false;
    const found = document.querySelector(`[data-key~="${CSS.escape(event.key)}"]`);
    if (found) found.click();
    return Boolean(found);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input:not([type=radio]), select, textarea");
    if (typing) {
      if (event.key === "Escape") typing.blur();
      return;
    }
    if (offered(event)) {
      event.preventDefault();
      return;
    }
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search) search.select();
      else return;
    } else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) {
      copy(button);
      return;
    }
    const row = event.target.closest("tr[data-row]");
    if (!row || event.target.closest("a, button, summary, input") || String(getSelection())) return;
    const link = row.querySelector("a[data-open]");
    if (link && (event.ctrlKey || event.metaKey)) open(link.href, "_blank", "noopener");
    else if (link) link.click();
  });

  // A decision is sent once: a second press, before the next page is there, is not one about that page.
  let isSent = false;
  addEventListener("pageshow", () => { isSent = false; });
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (isSent) event.preventDefault();
    isSent = true;
  });

  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Browsers keep the clipboard from pages that did not come over https; the old way still works there.
      const field = document.createElement("textarea");
      field.value = text;
      field.className = "sr";
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.classList.add("copied");
    button.addEventListener("animationend", () => button.classList.remove("copied"), { once: true });
  }

  function relative(moment) {
    const seconds = Math.round((Date.now() - moment) / 1000);
    const size = Math.abs(seconds);
    if (size < 5) return "just now";
    const amount =
      size < 60 ? `${size} s`
      : size < 3600 ? `${Math.floor(size / 60)} min`
      : size < 86400 ? `${Math.floor(size / 3600)} h`
      : size < 172800 ? "1 day"
      : `${Math.floor(size / 86400)} days`;
    return seconds < 0 ? `in ${amount}` : `${amount} ago`;
  }

  setInterval(() => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[datetime]")) {
      const text = relative(Date.parse(time.dateTime));
      if (time.textContent !== text) time.textContent = text;
    }
  }, 10_000);

  // A page that lives is told when there is news, while somebody looks at it; an htmx trigger named "news" asks anew.
  let stream = null;
  let told = 0;
  let due = 0;
  function tell() {
    if (due) return;
    due = setTimeout(() => {
      due = 0;
      told = Date.now();
      document.body.dispatchEvent(new Event("news"));
    }, Math.max(0, told + 2000 - Date.now()));
  }
  const isLive = () => document.querySelector("#page[hx-trigger*=news], #list[hx-trigger*=news]") !== null;
  function follow() {
    if (document.hidden || !isLive()) {
      stream?.close();
      stream = null;
    } else if (!stream) {
      stream = new EventSource(document.getElementById("page").dataset.news);
      stream.addEventListener("news", tell);
      stream.addEventListener("over", () => location.reload());
    }
  }
  // Rows that come above what is being read do not push it away; at the top of the page they are seen to come.
  let held = null;
  document.addEventListener("htmx:before:swap", () => {
    const inView = rows().filter((row) => row.getBoundingClientRect().top >= 0);
    const row = inView.find((each) => each.contains(document.activeElement)) || inView[0];
    held = scrollY > 0 && row ? { row, top: row.getBoundingClientRect().top } : null;
  });
  document.addEventListener("htmx:after:swap", () => {
    if (held?.row.isConnected) scrollBy({ top: held.row.getBoundingClientRect().top - held.top, behavior: "instant" });
    held = null;
  });
  document.addEventListener("visibilitychange", follow);
  document.addEventListener("htmx:after:swap", follow);
  addEventListener("pagehide", () => { stream?.close(); stream = null; });
  addEventListener("pageshow", follow);

  // A page that nobody looks at asks for nothing.
  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden) event.preventDefault();
  });

  // On a phone the places are a strip that may be longer than the screen is wide.
  const strip = document.querySelector(".side nav");
  const here = strip && strip.querySelector("[aria-current]");
  if (here) strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;

  // A step that a link points to is opened at its last attempt.
  const openTarget = () => {
    const step = location.hash.startsWith("#step-") && document.getElementById(location.hash.slice(1));
    const last = step && [...step.querySelectorAll("details")].pop();
    if (last) last.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();
})();
