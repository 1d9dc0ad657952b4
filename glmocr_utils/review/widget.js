// The review on a screen. It draws what the kernel says and sends keys back; it decides nothing.
// Texts come from OCR and may hold anything: they only ever become text nodes.

const HELP = [
  ["Enter", "it is right, next place"],
  ["1 – 5", "take that alternative"],
  ["type, or F2", "edit the line: Enter saves, Esc cancels, Shift+Enter begins a missing line"],
  ["Space", "cannot tell"],
  ["Tab, Shift+Tab", "next, previous place without deciding"],
  ["↓, ↑", "line by line, to read all of it; Esc goes back to the places"],
  ["Ctrl+Z", "undo"],
  ["A (Shift+A)", "all that is left on this page is right"],
  ["Y (Shift+Y)", "make the offered correction elsewhere"],
  ["PageUp, PageDown", "previous, next page"],
  ["+, −", "zoom the page image"],
  ["R", "at the end of a page: I read all of it"],
  ["Esc", "leave the review"],
];
const PATIENCE_MS = 3000;

function element(tag, options = {}, ...children) {
  const { className, title, onClick, ...attributes } = options;
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (title) node.title = title;
  if (onClick) node.addEventListener("click", onClick);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Characters that would turn or hide text are shown as their code.
const visible = (text) =>
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, (c) =>
    `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

// The kernel counts characters, JavaScript counts UTF-16 units.
const characters = (text) => Array.from(text);
const slice = (text, start, end) => characters(text).slice(start, end).join("");

function minutes(seconds) {
  if (seconds < 50) return "less than a minute";
  const whole = Math.round(seconds / 60);
  return whole === 1 ? "about a minute" : `about ${whole} minutes`;
}

function render({ model, el }) {
  const view = { page: null, state: null, images: new Map(), where: new Map(),
    zoom: 1, editing: false, help: false,
    waiting: null, silent: false, keys: [], isNew: true };
  const root = element("div", { className: "glmocr-review", tabindex: "0", role: "application",
    "aria-label": "Review of doubtful places", "data-lm-suppress-shortcuts": "true" });
  const parts = Object.fromEntries(
    ["head", "image", "line", "choices", "buttons", "offer", "text", "foot"].map((name) => [
      name, element("div", { className: name }),
    ]));
  parts.line.setAttribute("aria-live", "polite");
  root.append(...Object.values(parts));
  el.append(root);

  // Who types faster than the kernel answers must not have a key land on the wrong place: keys wait
  // until the answer to the one before is drawn. A line that is being edited is saved or left first.
  function tell(message) {
    if (view.editing) return;
    model.send(message);
    if (message.do === "image" || message.do === "where") return;
    root.setAttribute("aria-busy", "true");
    clearTimeout(view.waiting);
    view.waiting = setTimeout(() => {
      view.silent = true;
      view.keys = [];
      warn("The kernel does not answer, so nothing is saved now. Wait if it is busy; if it was restarted, run this cell again.");
    }, PATIENCE_MS);
  }

  function answered() {
    clearTimeout(view.waiting);
    view.waiting = null;
    view.silent = false;
    root.setAttribute("aria-busy", "false");
  }

  function warn(text) {
    parts.offer.hidden = false;
    parts.offer.replaceChildren(element("strong", { className: "warning" }, text));
  }

  const place = () => view.state.place;

  // Keys work at once, unless somebody is typing elsewhere or cannot see what they would do.
  function takeFocus() {
    const { top, bottom } = root.getBoundingClientRect();
    const isSeen = bottom > 0 && top < window.innerHeight;
    const isTyping = document.activeElement?.closest("input, textarea, [contenteditable=true]");
    if (!isSeen || isTyping) return;
    root.focus({ preventScroll: true });
    // when the notebook is done with scrolling to the cell below
    requestAnimationFrame(() => setTimeout(() => root.scrollIntoView({ block: "nearest" })));
  }

  // The keys go back to the notebook around, not to nowhere.
  function leave() {
    root.blur();
    root.parentElement.closest("[tabindex]")?.focus({ preventScroll: true });
  }

  function button(label, key, onClick, className = "") {
    const node = element("button", { className, type: "button",
      onClick: () => {
        if (!view.waiting) onClick();
        (view.editing ? parts.line.querySelector("textarea") : root).focus({ preventScroll: true });
      } },
      label, key ? element("kbd", {}, key) : null);
    // the review's own keys stay the review's, also after a click
    node.tabIndex = -1;
    return node;
  }

  // ---- drawing -------------------------------------------------------------------------------

  function drawHead() {
    const { page, state } = view;
    const open = page.places.filter((p) => !(p.id in state.decided)).length;
    const where = `on page ${page.number + 1} of ${page.num_pages}`;
    const first = open
      ? `${open} ${open === 1 ? "place" : "places"} to check ${where}, ${minutes(state.seconds_left)}.`
      : `Nothing left to check ${where}.`;
    parts.head.replaceChildren(
      element("strong", {}, first),
      element("span", { className: "soft keys" }, "Enter = correct, type = fix, ? = keys."),
      element("span", { className: "name" },
        visible(`${page.name}, page ${page.page_number} · ${page.errors}`)),
    );
  }

  function drawImage() {
    const { page } = view;
    parts.image.hidden = !page.has_image;
    if (!page.has_image) return;
    const url = view.images.get(page.number);
    if (!url) {
      parts.image.replaceChildren(element("div", { className: "frame soft" }, "loading the page image …"));
      tell({ do: "image", number: page.number });
      return;
    }
    const image = element("img", { src: url, alt: `page ${page.page_number}` });
    view.strip = element("div", { className: "strip" });
    view.mark = element("div", { className: "mark" });
    const sheet = element("div", { className: "sheet" }, image, view.strip, view.mark);
    const frame = element("div", { className: "frame" }, sheet);
    const zoom = element("div", { className: "zoom" },
      button("−", "", () => setZoom(view.zoom / 1.25)),
      button("+", "", () => setZoom(view.zoom * 1.25)));
    parts.image.replaceChildren(frame, zoom);
    view.frame = frame;
    view.picture = sheet;
    if (page.has_places && !view.where.has(page.number)) {
      view.where.set(page.number, null); // asked for
      tell({ do: "where", number: page.number });
    }
    image.addEventListener("load", () => { setZoom(view.zoom); });
  }

  function setZoom(zoom) {
    view.zoom = Math.min(5, Math.max(0.4, zoom));
    if (!view.picture) return;
    view.picture.style.width = `${100 * view.zoom}%`;
    scrollImage();
  }

  // Where it is not clear where a line stands, its number among the lines is near enough to look there.
  function scrollImage() {
    const current = view.state && place();
    if (!view.picture || !current) return;
    const { frame, picture } = view;
    const where = view.where.get(view.page.number);
    const line = where?.lines[current.line];
    const spot = where?.places[current.id];
    drawBox(view.strip, line);
    drawBox(view.mark, spot);
    const middle = line ?? spot;
    const down = middle
      ? (middle[1] + middle[3]) / 2
      : (current.line + 0.5) / Math.max(1, view.page.original.length);
    frame.scrollTop = down * picture.clientHeight - frame.clientHeight / 2;
    if (spot) frame.scrollLeft = (spot[0] + spot[2]) / 2 * picture.clientWidth - frame.clientWidth / 2;
  }

  // A box in shares of the image's sides; null hides it.
  function drawBox(node, box) {
    node.hidden = !box;
    if (!box) return;
    const [left, top, right, bottom] = box.map((share) => 100 * share);
    Object.assign(node.style, { left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%` });
  }

  function drawLine() {
    const { page, state } = view;
    view.editing = false;
    const current = place();
    if (!current) {
      drawEnd();
      return;
    }
    const text = state.lines[current.line];
    const [start, end] = state.span;
    const [first, last] = state.window; // of a long line, what is around the place
    const marked = element("mark", {}, visible(slice(text, start, end)) || "⏎");
    parts.line.replaceChildren(
      element("span", { className: "number" }, String(current.line + 1)),
      element("span", { className: "words" },
        first > 0 ? "… " : "", visible(slice(text, first, start)), marked,
        visible(slice(text, end, last)), last < characters(text).length ? " …" : ""),
      element("span", { className: "soft" }, decidedNote(current)),
    );
    if (current.warning) parts.line.append(element("p", { className: "warning" }, current.warning));
    parts.choices.replaceChildren(...current.choices.map(([choice, prob], index) =>
      button(element("span", {}, visible(choice).replaceAll("\n", "⏎") || "(nothing)",
        element("small", {}, ` ${prob.toFixed(2)}`)), String(index + 1),
        () => tell({ do: "choose", index }))));
    parts.buttons.replaceChildren(
      current.is_line
        ? button("Next line", "Enter", () => tell({ do: "accept" }), "main")
        : button("Correct", "Enter", () => tell({ do: "accept" }), "main"),
      button("Edit", "F2", () => edit()),
      current.is_line
        ? button("Back to the places", "Esc", () => tell({ do: "open_place" }))
        : button("Cannot tell", "Space", () => tell({ do: "unsure" })),
      button("Back", "Shift+Tab", () => tell({ do: "skip", back: true })),
      button("Skip", "Tab", () => tell({ do: "skip" })),
      button("Undo", "Ctrl+Z", () => tell({ do: "undo" })),
      button("The rest is right", "A", () => tell({ do: "rest" })),
      button("Keys", "?", () => toggleHelp()),
    );
  }

  const decidedNote = (p) =>
    ({ accept: "checked: right", correct: "corrected", unsure: "cannot tell" })[view.state.decided[p.id]] ?? "";

  function drawEnd() {
    const { page, state } = view;
    const done = state.coverage === "fully_read" ? "This page was read in full."
      : state.coverage === "flags_checked" ? "The places of this page were checked."
      : page.places.length ? "All places of this page are checked." : "No doubtful place on this page.";
    const all = state.summary.pages_fully_read + state.summary.pages_flags_checked === page.num_pages;
    parts.line.replaceChildren(element("span", { className: "words" },
      all ? "All pages are done. " : "", done));
    parts.choices.replaceChildren();
    parts.buttons.replaceChildren(
      button("Done, next page", "Enter", () => finish("flags_checked"), "main"),
      button("Done, and I read all of it", "R", () => finish("fully_read")),
      button("Read line by line", "↓", () => tell({ do: "line_at", line: 0 })),
      button("Undo", "Ctrl+Z", () => tell({ do: "undo" })),
      button("Keys", "?", () => toggleHelp()),
    );
  }

  function finish(coverage) {
    const { page, state } = view;
    // Enter on a page that was finished before only goes on
    if (state.coverage && coverage === "flags_checked") tell({ do: "page", number: page.number + 1 });
    else tell({ do: "finish", coverage });
  }

  function drawOffer() {
    const offer = view.state.offer;
    parts.offer.hidden = !offer;
    if (!offer) return;
    parts.offer.replaceChildren(
      `The same correction elsewhere, ${visible(offer.before)} → ${visible(offer.after)}: `,
      button(`apply to ${offer.count} more?`, "Y", () => tell({ do: "apply" })));
  }

  function drawText() {
    const { page, state } = view;
    const current = place();
    parts.text.replaceChildren(...state.lines.map((line, index) => {
      const here = page.places.filter((p) => p.line === index);
      const row = element("div", { className: "row" },
        element("span", { className: "number" }, String(index + 1)));
      const words = element("span", { className: "words" });
      if (line !== page.original[index]) {
        words.append(element("ins", {}, visible(line)));
      } else {
        let at = 0;
        for (const [length, step] of page.steps[index] ?? []) {
          const piece = visible(slice(line, at, at + length));
          words.append(step ? element("span", { className: `p${step}` }, piece) : piece);
          at += length;
        }
      }
      row.append(words);
      const open = here.filter((p) => !(p.id in state.decided));
      if (here.length) row.append(element("span", { className: "soft dots", title: "places on this line" },
        here.map((p) => (p.id in state.decided ? "●" : "○")).join("")));
      row.addEventListener("click", () => {
        if (view.waiting || view.editing) return;
        if (here.length) tell({ do: "place", place_id: (open[0] ?? here[0]).id });
        else tell({ do: "line_at", line: index });
        root.focus({ preventScroll: true });
      });
      if (current && current.line === index) row.classList.add("current");
      return row;
    }));
    const row = parts.text.querySelector(".current");
    if (row) parts.text.scrollTop = row.offsetTop - parts.text.clientHeight / 2;
  }

  function drawFoot() {
    const { page, state } = view;
    const checked = page.places.filter((p) => p.id in state.decided).length;
    const bar = element("progress", { max: Math.max(1, page.places.length), value: checked });
    const { reviewed, places } = state.summary;
    parts.foot.replaceChildren(
      bar,
      element("span", {}, `${checked} of ${page.places.length} on this page, ${reviewed} of ${places} in all`),
      element("span", { className: "saved" }, state.saved ? `· saved ${state.saved}` : "· nothing decided yet"),
      button("‹ page", "PgUp", () => tell({ do: "page", number: page.number - 1 })),
      button("page ›", "PgDn", () => tell({ do: "page", number: page.number + 1 })),
      button(state.order === "worst" ? "in reading order" : "worst first", "",
        () => tell({ do: "order", order: state.order === "worst" ? "reading" : "worst" })),
    );
  }

  function toggleHelp() {
    view.help = !view.help;
    root.querySelector(".help")?.remove();
    if (!view.help) return;
    const rows = HELP.map(([keys, what]) =>
      element("tr", {}, element("td", {}, element("kbd", {}, keys)), element("td", {}, what)));
    root.append(element("div", { className: "help", onClick: () => toggleHelp() },
      element("table", {}, ...rows)));
  }

  // ---- editing -------------------------------------------------------------------------------

  function edit(typed = null) {
    const current = place();
    if (!current) return;
    const text = view.state.lines[current.line];
    const [start, end] = view.state.span;
    const [first, last] = view.state.window; // the kernel knows the rest of the line
    const head = slice(text, first, start);
    const middle = typed ?? slice(text, start, end);
    const input = element("textarea", { rows: "1", spellcheck: "false", autocomplete: "off",
      "aria-label": `line ${current.line + 1}` });
    input.value = head + middle + slice(text, end, last);
    view.editing = true;
    parts.line.replaceChildren(element("span", { className: "number" }, String(current.line + 1)), input);
    parts.choices.replaceChildren();
    parts.buttons.replaceChildren(
      button("Save", "Enter", () => typeInto(input, "Enter"), "main"),
      button("Cancel", "Esc", () => typeInto(input, "Escape")),
    );
    input.focus({ preventScroll: true });
    if (typed === null) input.setSelectionRange(head.length, head.length + middle.length);
    else input.setSelectionRange(head.length + typed.length, head.length + typed.length);
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (isSaving(event)) event.preventDefault();
      const ends = event.key === "Escape" || (event.key === "Enter" && !event.shiftKey);
      if (event.isComposing || !ends) return;
      event.preventDefault();
      typeInto(input, event.key);
    });
  }

  function typeInto(input, key) {
    if (key === "Enter" || key === "Escape") {
      view.editing = false;
      if (key === "Enter") tell({ do: "line", text: input.value });
      else drawLine();
      root.focus({ preventScroll: true });
    } else if (characters(key).length === 1) {
      input.setRangeText(key, input.selectionStart, input.selectionEnd, "end");
    }
  }

  // ---- keys ----------------------------------------------------------------------------------

  function pressed(event) {
    if (!view.state || view.editing) return;
    if (view.silent) return;
    if (view.waiting) view.keys.push(event);
    else if (!act(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  // All is saved already, and the browser would offer to save the page.
  const isSaving = (event) => (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s";

  // What a key does; false when it is none of the review's.
  function act(event) {
    const key = event.key;
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "z") {
      tell({ do: "undo" });
    } else if (isSaving(event)) {
      return true;
    } else if (modified || (event.shiftKey && key === "Enter")) {
      return false;
    } else if (view.help && (key === "Escape" || key === "?" || key === "Enter")) {
      toggleHelp();
    } else if (key === "?") {
      toggleHelp();
    } else if (key === "Escape" && place()?.is_line) {
      tell({ do: "open_place" });
    } else if (key === "Escape") {
      leave();
    } else if (key === "ArrowDown" || key === "ArrowUp") {
      const from = place()?.line ?? (key === "ArrowDown" ? -1 : view.state.lines.length);
      tell({ do: "line_at", line: from + (key === "ArrowDown" ? 1 : -1) });
    } else if (key === "Tab") {
      tell({ do: "skip", back: event.shiftKey });
    } else if (key === "PageDown" || key === "PageUp") {
      tell({ do: "page", number: view.page.number + (key === "PageDown" ? 1 : -1) });
    } else if (!place()) {
      if (key === "Enter") finish("flags_checked");
      else if (key === "r" || key === "R") finish("fully_read");
      else return false;
    } else if (key === "Enter") {
      tell({ do: "accept" });
    } else if (key === " " && !place().is_line) {
      tell({ do: "unsure" });
    } else if (key === "F2") {
      edit();
    } else if (key === "A") {
      tell({ do: "rest" });
    } else if (key === "Y" && view.state.offer) {
      tell({ do: "apply" });
    } else if (key === "+" || key === "-") {
      setZoom(view.zoom * (key === "+" ? 1.25 : 0.8));
    } else if (/^[1-5]$/.test(key) && place().choices.length >= Number(key)) {
      tell({ do: "choose", index: Number(key) - 1 });
    } else if (characters(key).length === 1) {
      edit(key);
    } else if (key === "Dead" || key === "Process") {
      edit(); // and the character that begins with this key goes into the line
      return false;
    } else {
      return false;
    }
    return true;
  }

  function actOnWaitingKeys() {
    while (view.keys.length && !view.waiting) {
      const event = view.keys.shift();
      if (view.editing) typeInto(parts.line.querySelector("textarea"), event.key);
      else act(event);
    }
  }

  root.addEventListener("keydown", pressed);

  // ---- messages ------------------------------------------------------------------------------

  function received(message, buffers) {
    if (message.show === "page") {
      view.page = message;
      view.state = null;
    } else if (message.show === "state") {
      const isNewPage = view.state === null;
      view.state = message;
      answered();
      drawHead();
      if (isNewPage) drawImage();
      drawLine();
      drawOffer();
      drawText();
      drawFoot();
      scrollImage();
      if (view.isNew) takeFocus();
      view.isNew = false;
      actOnWaitingKeys();
    } else if (message.show === "image") {
      const bytes = buffers[0].buffer ?? buffers[0];
      view.images.set(message.number, URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })));
      if (view.page.number === message.number) drawImage();
    } else if (message.show === "where") {
      view.where.set(message.number, message);
      if (view.page.number === message.number) scrollImage();
    } else if (message.show === "refused") {
      answered();
      view.keys = [];
      warn(message.reason);
      const input = parts.line.querySelector("textarea"); // what was typed is not lost
      view.editing = input !== null;
      input?.focus({ preventScroll: true });
    }
  }

  model.on("msg:custom", received);
  tell({ do: "open" });
  return () => {
    clearTimeout(view.waiting);
    model.off("msg:custom", received);
    for (const url of view.images.values()) URL.revokeObjectURL(url);
  };
}

export default { render };
