// What only the browser can do: keys, scrolling, the clipboard, and keeping what was typed until it is stored.
const courseUi = (() => {
  const DRAFT = "course draft ";
  const NEAR_END_PX = 80;
  let atEnd = true;
  let keptFromEnd = null;

  const field = () => document.querySelector("textarea.composer-input");
  const thread = () => document.getElementById("thread");
  const draftKey = () => DRAFT + location.pathname;

  function put(text) {
    const area = field();
    if (!area) return;
    area.value = text;
    area.dispatchEvent(new Event("input", { bubbles: true }));
    area.focus();
  }

  function send() {
    const text = field()?.value ?? "";
    if (text.trim()) emitEvent("course_send", text);
  }

  function accepted(text) {
    localStorage.removeItem(draftKey());
    localStorage.removeItem(DRAFT + "/");
    if (field()?.value === text) put("");
    toEnd();
  }

  function address(path) {
    if (location.pathname === path) return;
    const draft = field()?.value ?? "";
    history.pushState({}, "", path);
    const kept = localStorage.getItem(draftKey());
    if (kept !== null && !draft) put(kept);
  }

  function toEnd() {
    atEnd = true;
    const area = thread();
    if (area) area.scrollTop = area.scrollHeight;
  }

  // After older messages are put above, the ones that were seen stay where they are.
  function keepPlace() {
    const area = thread();
    if (area) keptFromEnd = area.scrollHeight - area.scrollTop;
  }

  function grew() {
    const area = thread();
    if (!area) return;
    if (keptFromEnd !== null) {
      area.scrollTop = area.scrollHeight - keptFromEnd;
      keptFromEnd = null;
    } else if (atEnd) {
      area.scrollTop = area.scrollHeight;
    }
  }

  // The block that is being written; the HTML was sanitised on the server, like all of it.
  function live(id, html) {
    const block = document.getElementById(`c${id}`);
    if (block) block.innerHTML = html;
  }

  function watch() {
    const area = thread();
    if (!area || !field()) return setTimeout(watch, 30);
    let top = 0;
    area.addEventListener("scroll", () => {
      // Only the user scrolls up; that the end moves away while an answer grows is no wish to stay behind.
      if (area.scrollHeight - area.scrollTop - area.clientHeight < NEAR_END_PX) atEnd = true;
      else if (area.scrollTop < top) atEnd = false;
      top = area.scrollTop;
    });
    new ResizeObserver(grew).observe(area.querySelector(".column-of-messages"));
    const kept = localStorage.getItem(draftKey());
    if (kept && !field().value) put(kept);
    toEnd();
  }

  async function copyText(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Over plain HTTP from another machine there is no clipboard for scripts; the old way still works.
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (location.pathname === "/" || location.pathname.startsWith("/c/")) watch();
  });

  document.addEventListener("input", (event) => {
    if (event.target !== field() || !event.isTrusted) return;
    if (event.target.value) localStorage.setItem(draftKey(), event.target.value);
    else localStorage.removeItem(draftKey());
  });

  document.addEventListener("click", async (event) => {
    if (event.target.closest?.(".conversation-title, .new-conversation")) {
      // On a narrow screen the drawer lies over the conversation that was chosen.
      document.querySelector(".q-drawer__backdrop:not(.hidden)")?.click();
    }
    const button = event.target.closest?.("button.copy");
    if (!button) return;
    await copyText(button.closest(".code").querySelector("pre").innerText);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });

  document.addEventListener(
    "keydown",
    (event) => {
      const area = field();
      if (!area || document.querySelector(".q-dialog")) return;
      const inField = event.target === area;
      const typing = inField || event.target.closest?.("input, textarea, [contenteditable], .q-menu");
      if (inField && event.key === "Enter" && !event.shiftKey && !event.isComposing) send();
      else if (event.key === "Escape" && (inField || !typing)) emitEvent("course_stop");
      else if (inField && event.key === "ArrowUp" && !area.value) emitEvent("course_edit_last");
      else if (event.altKey && event.code === "KeyN") emitEvent("course_new");
      else if (event.altKey && event.code === "KeyF") document.querySelector(".search input")?.focus();
      else if (event.altKey && event.code === "KeyM") document.querySelector(".lane-0 input, .lane-0 .q-field__native")?.click();
      else if (!typing && event.key === "/") area.focus();
      else if (!typing && event.key === "?") emitEvent("course_keys");
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );

  addEventListener("popstate", () => emitEvent("course_open", location.pathname.replace(/^\/(c\/)?/, "")));

  return { put, live, send, accepted, address, toEnd, keepPlace, copyText, focus: () => field()?.focus() };
})();
