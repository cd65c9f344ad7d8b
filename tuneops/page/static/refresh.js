// Keeps a page current: fetches it anew while it is seen, and changes only what differs.
// Elements with an id and data-live are compared; one whose children all have ids is a list.
"use strict";

(() => {
  const LONGEST = 60000;
  const FOCUSABLE = "a, button, summary, input, select, textarea";
  const connection = document.getElementById("connection");
  const announcement = document.getElementById("announcement");
  let etag = "";
  let failures = 0;
  let timer = 0;
  let busy = false;

  const every = () => 1000 * (Number(document.body.dataset.every) || 10);

  const isList = (element) =>
    element.children.length > 0 && [...element.children].every((child) => child.id);

  function keepOpen(before, after) {
    for (const details of after.querySelectorAll("details[id]")) {
      const known = before.querySelector(`#${CSS.escape(details.id)}`);
      if (known) details.open = known.open;
    }
  }

  // What has the focus loses it when it is moved or replaced: its place is found again after that.
  function focused() {
    const element = document.activeElement;
    const holder = element && element.closest("[id]");
    const place = holder ? [...holder.querySelectorAll(FOCUSABLE)].indexOf(element) : -1;
    return () => {
      if (!holder || document.activeElement === element) return;
      const now = document.getElementById(holder.id);
      const found = element.isConnected ? element
        : now && (place < 0 ? now : now.querySelectorAll(FOCUSABLE)[place]);
      if (found) found.focus({ preventScroll: true });
    };
  }

  function mergeList(before, after) {
    let next = before.firstElementChild;
    for (const child of after.children) {
      const known = document.getElementById(child.id);
      if (known && known.parentElement === before) {
        if (known === next) next = next.nextElementSibling;
        else before.insertBefore(known, next);
        merge(known, child);
      } else {
        before.insertBefore(document.importNode(child, true), next);
      }
    }
    while (next) {
      const gone = next;
      next = next.nextElementSibling;
      gone.remove();
    }
  }

  function merge(before, after) {
    keepOpen(before, after);
    if (before.isEqualNode(after)) return;
    const list = isList(before) && isList(after) && before.tagName === after.tagName;
    if (list) mergeList(before, after);
    else before.replaceWith(document.importNode(after, true));
  }

  function phases(root) {
    const found = new Map();
    for (const each of root.querySelectorAll("[data-project][data-phase]"))
      found.set(each.dataset.project, each.dataset.phase);
    return found;
  }

  function announce(before, after) {
    const said = [];
    for (const [project, phase] of after)
      if (before.has(project) && before.get(project) !== phase)
        said.push(`${project} is ${phase}, was ${before.get(project)}`);
    if (said.length) announcement.textContent = said.join(". ");
  }

  function show(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const before = phases(document);
    const focusAgain = focused();
    for (const after of fresh.querySelectorAll("[data-live][id]")) {
      if (after.parentElement.closest("[data-live][id]")) continue;
      const known = document.getElementById(after.id);
      if (known) merge(known, after);
    }
    focusAgain();
    document.body.dataset.every = fresh.body.dataset.every;
    if (document.title !== fresh.title) document.title = fresh.title;
    announce(before, phases(document));
  }

  function connected(is) {
    failures = is ? 0 : failures + 1;
    const text = is ? "" : "Not connected";
    connection.hidden = is;
    if (connection.textContent !== text) connection.textContent = text;
  }

  async function look() {
    if (document.hidden || busy) return;
    busy = true;
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const answer = await fetch(location.href, {
        headers, cache: "no-store", redirect: "error", signal: AbortSignal.timeout(20000),
      });
      if (answer.status === 200) {
        show(await answer.text());
        etag = answer.headers.get("ETag") || "";
      } else if (answer.status !== 304) {
        throw new Error(`status ${answer.status}`);
      }
      connected(true);
    } catch {
      connected(false);
    }
    busy = false;
    plan();
  }

  function plan() {
    clearTimeout(timer);
    timer = setTimeout(look, Math.min(LONGEST, every() * 2 ** Math.min(failures, 5)));
  }

  if (!document.querySelector("[data-live][id]")) return;
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  plan();
})();
