// Labels edited by hand. It draws what the kernel says and sends texts back; it decides nothing.
// Texts come from anywhere and may hold anything: they only ever become text nodes or a value.

const PATIENCE_MS = 3000;
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

function element(tag, options = {}, ...children) {
  const { className, onClick, ...attributes } = options;
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (onClick) node.addEventListener("click", onClick);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const visible = (text) => text.replace(INVISIBLE, (c) =>
  `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

function render({ model, el }) {
  // texts that were changed and not saved, by page: moving on loses none
  const view = { page: null, unsaved: new Map(), images: new Map(), zoom: 1, isAsking: false };
  const head = element("div", { className: "head" });
  const image = element("div", { className: "image" });
  const area = element("textarea", { wrap: "off", spellcheck: "false", autocomplete: "off", autocapitalize: "off",
    "aria-label": "Text of the page" });
  const note = element("div", { className: "soft", "aria-live": "polite" });
  const foot = element("div", { className: "foot" });
  const buttons = element("div", { className: "buttons" },
    button("Save as gold, next page", "Ctrl+Enter", () => save(), "main"),
    button("‹ page", "PageUp", () => go(-1)),
    button("page ›", "PageDown", () => go(1)),
    button("Restore", "Esc", () => restore()),
    button("Undo", "Ctrl+Z", () => undo()),
    button("Reject this label", "", () => tell({ do: "reject", number: view.page.number })));
  const root = element("div", { className: "glmocr-review glmocr-editor", role: "application",
    "aria-label": "Labels edited by hand", "data-lm-suppress-shortcuts": "true" },
    head, element("div", { className: "sides" }, image, area), note, buttons, foot);
  el.append(root);

  function button(label, key, onClick, className = "") {
    return element("button", { className, type: "button",
      onClick: () => { if (view.page && !link.isLost) onClick(); area.focus({ preventScroll: true }); } },
      label, key ? element("kbd", {}, key) : null);
  }

  // Until the kernel answers, nothing is typed into a text that may be gone.
  function tell(message) {
    if (!link.send(message)) return;
    area.readOnly = true;
    root.setAttribute("aria-busy", "true");
    clearTimeout(view.waiting);
    view.waiting = setTimeout(() => {
      root.classList.add("lost");
      warn("The kernel does not answer, so nothing is saved now. Wait if it is busy; if it was restarted, run this cell again.");
    }, PATIENCE_MS);
  }

  function answered() {
    clearTimeout(view.waiting);
    root.classList.toggle("lost", link.isLost);
    area.readOnly = link.isLost;
    root.setAttribute("aria-busy", "false");
  }

  // What was typed stays, to be copied.
  const link = linkToKernel(model, () => {
    answered();
    for (const node of root.querySelectorAll("button")) node.disabled = true;
    warn(LOST);
  });

  function warn(text) {
    note.className = "warning";
    note.replaceChildren(text);
  }

  // Typing works at once, unless somebody types elsewhere or cannot see where it would go.
  function takeFocus() {
    const { top, bottom } = root.getBoundingClientRect();
    const isTyping = document.activeElement?.closest("input, textarea, [contenteditable=true]");
    if (isTyping || bottom <= 0 || top >= window.innerHeight) return;
    area.focus({ preventScroll: true });
    // when the notebook is done with scrolling to the cell below
    requestAnimationFrame(() => setTimeout(() => root.scrollIntoView({ block: "nearest" })));
  }

  // The keys go back to the notebook around, not to nowhere.
  function leave() {
    area.blur();
    root.parentElement.closest("[tabindex]")?.focus({ preventScroll: true });
  }

  // A page that had a text, or has ink, seldom has none: an empty gold label is asked for twice.
  function save() {
    if (!area.value.trim() && !view.isAsking) {
      warn("Save as gold that this page has no text? Ctrl+Enter: yes. Esc: no.");
      view.isAsking = true;
      return;
    }
    view.isAsking = false;
    tell({ do: "save", number: view.page.number, text: area.value });
  }

  function undo() {
    tell({ do: "undo", number: view.page.number });
  }

  const go = (step) => tell({ do: "open", number: view.page.number + step });

  function restore() {
    view.unsaved.delete(view.page.number);
    area.value = view.page.text;
    drawNote();
  }

  // ---- drawing -------------------------------------------------------------------------------

  function drawHead() {
    const { page } = view;
    const from = page.status
      ? `${page.status}: ${page.source}${page.reviewer ? `, ${page.reviewer}` : ""}` : "no label yet";
    head.replaceChildren(
      element("strong", {}, `Page ${page.number + 1} of ${page.num_pages}`),
      element("span", { className: "soft" }, visible(from)),
      element("span", { className: "name" }, visible(`${page.name}, page ${page.page_number}`)));
    const newer = page.num_newer === 1 ? "1 label is newer" : `${page.num_newer} labels are newer`;
    foot.replaceChildren(...[
      element("progress", { max: page.num_pages, value: page.num_gold }),
      element("span", {}, `${page.num_gold} of ${page.num_pages} pages are gold`),
      element("span", { className: "saved" }, page.saved_at ? `· saved ${page.saved_at}` : "· nothing saved yet"),
      page.num_newer ? element("strong", { className: "newer" }, `${newer} than the exported data set: run the cells below.`) : null,
    ].filter(Boolean));
  }

  function drawNote() {
    view.isAsking = false;
    const isChanged = view.unsaved.has(view.page.number);
    area.classList.toggle("changed", isChanged);
    const unseen = new Set(area.value.match(INVISIBLE) ?? []);
    const notes = [isChanged ? "changed, not saved" : "",
      unseen.size ? `characters that are not seen: ${visible([...unseen].join(" "))}` : ""];
    note.className = "soft";
    note.replaceChildren(notes.filter(Boolean).join(" · ") || "\u00a0");
  }

  function drawImage() {
    const url = view.images.get(view.page.number);
    if (!url) {
      image.replaceChildren(element("p", { className: "soft" }, "loading the page image …"));
      link.send({ do: "image", number: view.page.number });
      return;
    }
    view.picture = element("img", { src: url, alt: `page ${view.page.page_number}` });
    image.replaceChildren(element("div", { className: "frame" }, view.picture),
      element("div", { className: "zoom" },
        button("−", "", () => setZoom(view.zoom / 1.25)), button("+", "", () => setZoom(view.zoom * 1.25))));
    setZoom(view.zoom);
  }

  function setZoom(zoom) {
    view.zoom = Math.min(5, Math.max(0.4, zoom));
    if (view.picture) view.picture.style.width = `${100 * view.zoom}%`;
  }

  // ---- keys ----------------------------------------------------------------------------------

  function act(event) {
    const { key } = event;
    if (key === "Enter" && (event.ctrlKey || event.metaKey)) save();
    else if (key === "PageDown" || (event.altKey && (key === "ArrowRight" || key === "ArrowDown"))) go(1);
    else if (key === "PageUp" || (event.altKey && (key === "ArrowLeft" || key === "ArrowUp"))) go(-1);
    else if (key === "Escape" && view.isAsking) drawNote();
    else if ((event.ctrlKey || event.metaKey) && !event.shiftKey && key.toLowerCase() === "z"
      && !view.unsaved.has(view.page.number)) undo(); // what is not saved yet, the text area takes back
    else if (key === "Escape") view.unsaved.has(view.page.number) ? restore() : leave();
    else return false;
    return true;
  }

  root.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the notebook's own keys are not meant here
    if (event.isComposing || !view.page || area.readOnly || link.isLost) return;
    if (act(event)) event.preventDefault();
  });
  area.addEventListener("input", () => {
    if (area.value === view.page.text) view.unsaved.delete(view.page.number);
    else view.unsaved.set(view.page.number, area.value);
    drawNote();
  });

  // ---- messages ------------------------------------------------------------------------------

  function received(message, buffers) {
    if (message.show === "page") {
      const isFirst = view.page === null;
      const isNew = view.page?.number !== message.number;
      if (message.saved !== null) view.unsaved.delete(message.saved);
      view.page = message;
      area.value = view.unsaved.get(message.number) ?? message.text;
      drawHead();
      drawNote();
      if (isNew) {
        drawImage();
        area.setSelectionRange(0, 0);
        area.scrollTop = 0;
      }
      answered();
      if (isFirst) takeFocus();
    } else if (message.show === "image") {
      const bytes = buffers[0].buffer ?? buffers[0];
      view.images.set(message.number, URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })));
      if (view.page.number === message.number) drawImage();
    } else if (message.show === "refused") {
      answered();
      warn(message.reason);
    }
  }

  model.on("msg:custom", received);
  tell({ do: "open", number: 0 });
  return () => {
    clearTimeout(view.waiting);
    link.close();
    model.off("msg:custom", received);
    for (const url of view.images.values()) URL.revokeObjectURL(url);
  };
}

export default { render };
