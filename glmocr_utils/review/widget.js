// The review on a screen. It draws what the kernel says and sends keys back; it decides nothing.
// Texts come from OCR and may hold anything: they only ever become text nodes.

// Nothing that can be typed is a command: every command is a key that writes nothing, or has a modifier.
const HELP = [
  ["Enter", "it is right, or takes the reading chosen by →; next flag"],
  ["→, ←", "choose another reading; Alt+1 to Alt+5 take it at once"],
  ["type, or F2", "edit the line: Enter saves, Esc cancels, Shift+Enter begins a missing line"],
  ["Shift+Enter", "cannot tell"],
  ["Tab, Shift+Tab", "next, previous flag without deciding"],
  ["↓, ↑", "line by line, to read all of it; Esc goes back to the flags"],
  ["Ctrl+Z", "undo"],
  ["Alt+Enter", "make the offered correction elsewhere"],
  ["Ctrl+Enter", "accept all flags left on this page; asks first"],
  ["PageUp, PageDown", "previous, next page"],
  ["Alt+↑, Alt+↓", "zoom the page image"],
  ["Ctrl+Shift+Enter", "at the end of a page: I read all of it"],
  ["Esc", "leave the review"],
];
const HELP_NOT_READ = [
  ["type, or Enter", "type the page; Ctrl+Enter saves, Esc cancels"],
  ["F2", "type it, beginning with what the model wrote"],
  ["Delete", "the page is not usable"],
  ["F8", "note: read it again at another scale"],
  ["F9", "note: read it again, one region after the other"],
  ["Tab", "check its flags anyway"],
];
const IS_MAC = /Mac/.test(navigator.platform); // there Alt writes characters: → chooses
const PATIENCE_MS = 3000;
const REST_MS = 1000; // keys rest so long when a page comes to its end: those that are typed on go nowhere

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
    zoom: 1, editing: false, help: false, chosen: 0, asking: null, atEnd: false, restsUntil: 0,
    waiting: null, silent: false, keys: [], isNew: true };
  const root = element("div", { className: "glmocr-review", tabindex: "0", role: "application",
    "aria-label": "Review of flags", "data-lm-suppress-shortcuts": "true" });
  const parts = Object.fromEntries(
    ["head", "image", "line", "choices", "buttons", "offer", "text", "foot"].map((name) => [
      name, element("div", { className: name }),
    ]));
  parts.line.setAttribute("aria-live", "polite");
  root.append(...Object.values(parts));
  el.append(root);

  // Who types faster than the kernel answers must not have a key land on the wrong flag: keys wait
  // until the answer to the one before is drawn. A line that is being edited is saved or left first.
  function tell(message) {
    if (view.editing || !link.send(message)) return;
    if (message.do === "image" || message.do === "where") return;
    root.setAttribute("aria-busy", "true");
    clearTimeout(view.waiting);
    view.waiting = setTimeout(() => {
      view.silent = true;
      view.keys = [];
      root.classList.add("lost");
      warn(model.gone ? "glmocr review does not answer, so nothing is saved now. Wait if it is busy."
        : "The kernel does not answer, so nothing is saved now. Wait if it is busy; if it was restarted, run this cell again.");
    }, PATIENCE_MS);
  }

  function answered() {
    clearTimeout(view.waiting);
    view.waiting = null;
    view.silent = false;
    root.classList.toggle("lost", link.isLost);
    root.setAttribute("aria-busy", "false");
  }

  const link = linkToKernel(model, () => {
    answered();
    view.keys = [];
    root.setAttribute("aria-disabled", "true");
    for (const node of root.querySelectorAll("button")) node.disabled = true;
    for (const node of root.querySelectorAll("textarea")) node.readOnly = true; // and can be copied
    warn(model.gone ?? LOST);
  });

  function warn(text) {
    parts.offer.hidden = false;
    parts.offer.replaceChildren(element("strong", { className: "warning" }, text));
  }

  const flag = () => view.state.flag;

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
        if (view.waiting || link.isLost) return;
        onClick();
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
    const open = page.flags.filter((p) => !(p.id in state.decided)).length;
    const where = `on page ${page.number + 1} of ${page.num_pages}`;
    const first = state.not_read && !state.flag
      ? `P${where.slice(4)} was not read; to type it takes ${minutes(state.seconds_to_type)}.`
      : open
      ? `${open} ${open === 1 ? "flag" : "flags"} to check ${where}, ${minutes(state.seconds_left)}.`
      : `Nothing left to check ${where}.`;
    parts.head.replaceChildren(
      element("strong", {}, first),
      element("span", { className: "soft keys" }, state.not_read && !state.flag
        ? "Type it, or choose below; F1 = keys." : "Enter = correct, type = fix, F1 = keys."),
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
    if (page.has_boxes && !view.where.has(page.number)) {
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
    const current = view.state && flag();
    if (!view.picture) return;
    if (!current) {
      drawBox(view.strip, null);
      drawBox(view.mark, null);
      return;
    }
    const { frame, picture } = view;
    const where = view.where.get(view.page.number);
    const line = where?.strips[current.id] ?? where?.lines[current.line];
    const spot = where?.boxes[current.id];
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
    view.asking = null;
    view.chosen = 0;
    root.classList.remove("typing");
    const current = flag();
    const isEnd = !current;
    if (isEnd && !view.atEnd) rest();
    view.atEnd = isEnd;
    if (isEnd) {
      if (state.not_read) drawNotRead();
      else drawEnd();
      return;
    }
    const text = state.lines[current.line];
    const [start, end] = state.span;
    const [first, last] = state.window; // of a long line, what is around the flag
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
        element("small", {}, ` ${current.readers[index] || prob.toFixed(2)}`)), IS_MAC ? "" : `Alt+${index + 1}`,
        () => tell({ do: "choose", index }))));
    parts.buttons.replaceChildren(
      current.is_line
        ? button("Next line", "Enter", () => tell({ do: "accept" }), "main")
        : button("Correct", "Enter", () => decide(), "main"),
      button("Edit", "F2", () => edit()),
      current.is_line
        ? button("Back to the flags", "Esc", () => tell({ do: "open_flag" }))
        : button("Cannot tell", "Shift+Enter", () => tell({ do: "unsure" })),
      button("Back", "Shift+Tab", () => tell({ do: "skip", back: true })),
      button("Skip", "Tab", () => tell({ do: "skip" })),
      button("Undo", "Ctrl+Z", () => tell({ do: "undo" })),
      button("The rest is right", "Ctrl+Enter", () => askAboutRest()),
      button("Keys", "F1", () => toggleHelp()),
    );
  }

  // Enter takes what is chosen: the text as it is, until → chooses another reading.
  function decide() {
    if (view.chosen) tell({ do: "choose", index: view.chosen - 1 });
    else tell({ do: "accept" });
  }

  function choose(step) {
    const count = flag().choices.length;
    view.chosen = Math.min(count, Math.max(0, view.chosen + step));
    [...parts.choices.children].forEach((node, index) =>
      node.classList.toggle("chosen", index === view.chosen - 1));
    parts.buttons.querySelector(".main").firstChild.textContent = view.chosen ? "Take it" : "Correct";
  }

  // Many at once are accepted only when it is said twice.
  function askAboutRest() {
    const open = view.page.flags.filter((p) => !(p.id in view.state.decided)).length;
    if (!open) return;
    if (view.asking === "rest") {
      view.asking = null;
      tell({ do: "rest" });
      return;
    }
    view.asking = "rest";
    ask(open === 1 ? "Accept the last flag on this page?" : `Accept all ${open} flags left on this page?`,
      () => askAboutRest());
  }

  function ask(question, yes) {
    parts.offer.hidden = false;
    parts.offer.replaceChildren(element("strong", {}, `${question} `),
      button("Yes", "Ctrl+Enter", yes), " ", button("No", "Esc", () => stopAsking()));
  }

  function stopAsking() {
    view.asking = null;
    drawOffer();
  }

  // Keys that were meant for the last flag do not finish a page.
  function rest() {
    view.keys = [];
    view.restsUntil = performance.now() + REST_MS;
    root.classList.add("resting");
    clearTimeout(view.resting);
    view.resting = setTimeout(() => root.classList.remove("resting"), REST_MS);
  }

  const isResting = () => performance.now() < view.restsUntil;

  const decidedNote = (p) =>
    ({ accept: "checked: right", correct: "corrected", unsure: "cannot tell" })[view.state.decided[p.id]] ?? "";

  function drawEnd() {
    const { page, state } = view;
    const done = state.coverage === "not_usable" ? "This page is marked as not usable."
      : state.coverage === "read_again" ? "This page is noted to be read again."
      : state.coverage === "fully_read" ? "This page was read in full."
      : state.typed !== null ? "You typed this page."
      : state.coverage === "flags_checked" ? "The flags on this page were checked."
      : page.flags.length ? "All flags on this page are checked." : page.note ?? "No flags on this page.";
    const all = state.left === 0;
    parts.line.replaceChildren(element("span", { className: "words" },
      all ? "All pages are done. " : "", done));
    parts.choices.replaceChildren();
    parts.buttons.replaceChildren(
      button("Done, next page", "Enter", () => finish("flags_checked"), "main"),
      button("Done, and I read all of it", "Ctrl+Shift+Enter", () => finish("fully_read")),
      state.typed === null
        ? button("Read line by line", "↓", () => tell({ do: "line_at", line: 0 }))
        : button("Edit it", "F2", () => typePage(state.typed)),
      button("Undo", "Ctrl+Z", () => tell({ do: "undo" })),
      button("Keys", "F1", () => toggleHelp()),
    );
  }

  // A page that was read as garbage has no flags worth checking: what is to become of it?
  function drawNotRead() {
    const { page, state } = view;
    parts.line.replaceChildren(element("span", { className: "words" }, "This page was not read: ",
      element("span", { className: "why" }, `${state.not_read}.`)));
    parts.choices.replaceChildren();
    parts.buttons.replaceChildren(
      button("Type it", "Enter", () => typePage(""), "main"),
      button("Type it from the model's text", "F2", () => typePage(page.original.join("\n"))),
      button("Not usable", "Delete", () => putAside("not_usable")),
      button("Read again at another scale", "F8", () => putAside("read_again", "scale")),
      button("Read again by regions", "F9", () => putAside("read_again", "regions")),
      page.flags.length ? button("Check its flags anyway", "Tab", () => tell({ do: "skip" })) : "",
      button("Undo", "Ctrl+Z", () => tell({ do: "undo" })),
      button("Keys", "F1", () => toggleHelp()),
    );
  }

  const putAside = (coverage, again = null) => tell({ do: "finish", coverage, read_again: again });

  function typePage(text) {
    const area = element("textarea", { rows: "12", spellcheck: "false", autocomplete: "off",
      className: "page", "aria-label": "the text of the page" });
    area.value = text;
    if (text.length > 1) area.setSelectionRange(0, 0);
    view.editing = true;
    parts.line.replaceChildren(area);
    parts.choices.replaceChildren();
    root.classList.add("typing"); // more of the page image is seen
    const save = () => {
      if (!area.value.trim() && view.asking !== "empty") {
        view.asking = "empty";
        ask("The page has no text at all?", save);
        return;
      }
      view.editing = false;
      tell({ do: "type", text: area.value });
      root.focus({ preventScroll: true });
    };
    const cancel = () => {
      if (view.asking) {
        stopAsking();
        return;
      }
      view.editing = false;
      drawLine();
      root.focus({ preventScroll: true });
    };
    parts.buttons.replaceChildren(button("Save the page", "Ctrl+Enter", save, "main"), button("Cancel", "Esc", cancel));
    area.focus({ preventScroll: true });
    area.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (isSaving(event)) event.preventDefault();
      if (event.isComposing || link.isLost) return;
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        save();
      } else if (event.key === "Escape") {
        event.preventDefault();
        cancel();
      }
    });
  }

  function finish(coverage) {
    const { page, state } = view;
    // who types a page reads all of it; Enter on a page that was finished before only goes on
    if (state.typed !== null) coverage = "fully_read";
    if (state.coverage && (coverage === "flags_checked" || state.coverage === coverage)) tell({ do: "page", number: page.number + 1 });
    else tell({ do: "finish", coverage });
  }

  function drawOffer() {
    const offer = view.state.offer;
    parts.offer.hidden = !offer;
    if (!offer) return;
    parts.offer.replaceChildren(
      `The same correction elsewhere, ${visible(offer.before)} → ${visible(offer.after)}: `,
      button(`apply to ${offer.count} more?`, "Alt+Enter", () => tell({ do: "apply" })));
  }

  function drawText() {
    const { page, state } = view;
    const current = flag();
    parts.text.replaceChildren(...state.lines.map((line, index) => {
      const here = state.typed === null ? page.flags.filter((p) => p.line === index) : [];
      const row = element("div", { className: "row" },
        element("span", { className: "number" }, String(index + 1)));
      const words = element("span", { className: "words" });
      if (state.typed !== null || line !== page.original[index]) {
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
      if (here.length) row.append(element("span", { className: "soft dots", title: "flags on this line" },
        here.map((p) => (p.id in state.decided ? "●" : "○")).join("")));
      row.addEventListener("click", () => {
        if (view.waiting || view.editing || link.isLost) return;
        if (here.length) tell({ do: "flag", flag_id: (open[0] ?? here[0]).id });
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
    const checked = page.flags.filter((p) => p.id in state.decided).length;
    const bar = element("progress", { max: Math.max(1, page.flags.length), value: checked });
    const { reviewed, flags } = state.summary;
    parts.foot.replaceChildren(
      bar,
      element("span", {}, `${checked} of ${page.flags.length} on this page, ${reviewed} of ${flags} in all`),
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
    const help = view.state.not_read && !flag() ? [...HELP_NOT_READ, ...HELP.slice(-8)] : HELP;
    const rows = help.map(([keys, what]) =>
      element("tr", {}, element("td", {}, element("kbd", {}, keys)), element("td", {}, what)));
    root.append(element("div", { className: "help", onClick: () => toggleHelp() },
      element("table", {}, ...rows)));
  }

  // ---- editing -------------------------------------------------------------------------------

  function edit(typed = null) {
    const current = flag();
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
      if (link.isLost) return;
      const ends = event.key === "Escape" || (event.key === "Enter" && !event.shiftKey);
      if (event.isComposing || !ends) return;
      event.preventDefault();
      typeInto(input, event.key);
    });
  }

  function typeInto(input, key, shifted = false) {
    if (key === "Enter" && shifted) key = "\n";
    const isLine = !input.classList.contains("page");
    if (isLine && (key === "Enter" || key === "Escape")) {
      view.editing = false;
      if (key === "Enter") tell({ do: "line", text: input.value });
      else drawLine();
      root.focus({ preventScroll: true });
    } else if (key === "Enter" || characters(key).length === 1) {
      if (key === "Enter") key = "\n";
      input.setRangeText(key, input.selectionStart, input.selectionEnd, "end");
    }
  }

  // ---- keys ----------------------------------------------------------------------------------

  function pressed(event) {
    if (!view.state || view.editing || link.isLost || view.silent) return;
    if (event.repeat && event.key === "Enter") { // a key that is held down decides once
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (view.waiting) view.keys.push(event);
    else if (!act(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  // All is saved already, and the browser would offer to save the page.
  const isSaving = (event) => (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s";

  // Whether a key writes a character: alone, with AltGr (on some systems Ctrl and Alt together), or
  // with the Mac's Option, which makes another character of it.
  function writes(event) {
    if (characters(event.key).length !== 1 || event.metaKey) return false;
    return event.ctrlKey === event.altKey || (event.altKey && event.key > "\x7f");
  }

  // What a key does; false when it is none of the review's. A key that writes only ever begins to write.
  function act(event) {
    const { key } = event;
    const isControl = event.ctrlKey || event.metaKey;
    if (isControl && key.toLowerCase() === "z") {
      stopAsking();
      tell({ do: "undo" });
    } else if (isSaving(event)) {
      return true;
    } else if (view.help && (key === "Escape" || key === "Enter" || key === "F1")) {
      toggleHelp();
    } else if (key === "F1") {
      toggleHelp();
    } else if (view.asking && key === "Escape") {
      stopAsking();
    } else if (key === "Escape" && flag()?.is_line) {
      tell({ do: "open_flag" });
    } else if (key === "Escape") {
      leave();
    } else if (event.altKey && (key === "ArrowUp" || key === "ArrowDown")) {
      setZoom(view.zoom * (key === "ArrowUp" ? 1.25 : 0.8));
    } else if (key === "PageDown" || key === "PageUp") {
      tell({ do: "page", number: view.page.number + (key === "PageDown" ? 1 : -1) });
    } else if (!flag() && isResting()) {
      return true;
    } else if (view.state.typed === null && !event.altKey && !isControl && (key === "ArrowDown" || key === "ArrowUp")) {
      const from = flag()?.line ?? (key === "ArrowDown" ? -1 : view.state.lines.length);
      tell({ do: "line_at", line: from + (key === "ArrowDown" ? 1 : -1) });
    } else if (key === "Tab" && !isControl && !event.altKey) {
      tell({ do: "skip", back: event.shiftKey });
    } else if (!flag()) {
      return view.state.not_read ? actOnPageNotRead(event) : actAtEnd(event);
    } else {
      return actOnFlag(event);
    }
    return true;
  }

  function actOnFlag(event) {
    const { key } = event;
    const isControl = event.ctrlKey || event.metaKey;
    const choice = /^[1-5]$/.test(key) && Number(key);
    if (key === "Enter" && isControl && !event.shiftKey && !event.altKey) {
      askAboutRest();
    } else if (key === "Enter" && event.altKey && !isControl) {
      if (view.state.offer) tell({ do: "apply" });
    } else if (key === "Enter" && event.shiftKey && !isControl) {
      if (!flag().is_line) tell({ do: "unsure" });
    } else if (key === "Enter" && !isControl) {
      decide();
    } else if (event.altKey && !isControl && choice) {
      if (flag().choices.length >= choice) tell({ do: "choose", index: choice - 1 });
    } else if (!writes(event) && (isControl || event.altKey)) {
      return false;
    } else if (key === "ArrowRight" || key === "ArrowLeft") {
      choose(key === "ArrowRight" ? 1 : -1);
    } else if (key === "F2") {
      edit();
    } else if (key === "Backspace" || key === "Delete") {
      edit("");
    } else if (writes(event)) {
      edit(key);
    } else if (key === "Dead" || key === "Process") {
      edit(); // and the character that begins with this key goes into the line
      return false;
    } else {
      return false;
    }
    return true;
  }

  function actAtEnd(event) {
    const { key } = event;
    const isControl = event.ctrlKey || event.metaKey;
    if (key === "Enter" && event.altKey) {
      if (view.state.offer) tell({ do: "apply" });
    } else if (key === "Enter" && isControl && event.shiftKey) {
      finish("fully_read");
    } else if (key === "Enter" && !isControl && !event.shiftKey) {
      finish("flags_checked");
    } else if (key === "F2" && view.state.typed !== null) {
      typePage(view.state.typed);
    } else {
      return characters(key).length === 1 && !isControl; // nothing to write into, and no key of others
    }
    return true;
  }

  function actOnPageNotRead(event) {
    const { key } = event;
    if (!writes(event) && (event.ctrlKey || event.metaKey || event.altKey)) return false;
    if (key === "Enter") typePage("");
    else if (key === "F2") typePage(view.page.original.join("\n"));
    else if (key === "Delete") putAside("not_usable");
    else if (key === "F8") putAside("read_again", "scale");
    else if (key === "F9") putAside("read_again", "regions");
    else if (writes(event)) typePage(key);
    else if (key === "Dead" || key === "Process") {
      typePage("");
      return false;
    } else return false;
    return true;
  }

  function actOnWaitingKeys() {
    while (view.keys.length && !view.waiting) {
      const event = view.keys.shift();
      if (view.editing) typeInto(parts.line.querySelector("textarea"), event.key, event.shiftKey);
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
      if (isNewPage) { // what was typed before a page was seen is not meant for it
        view.keys = [];
        view.atEnd = false;
      }
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
      if (link.isLost) return;
      const input = parts.line.querySelector("textarea"); // what was typed is not lost
      view.editing = input !== null;
      input?.focus({ preventScroll: true });
    }
  }

  model.on("msg:custom", received);
  tell({ do: "open" });
  return () => {
    clearTimeout(view.waiting);
    clearTimeout(view.resting);
    link.close();
    model.off("msg:custom", received);
    for (const url of view.images.values()) URL.revokeObjectURL(url);
  };
}

export default { render };
