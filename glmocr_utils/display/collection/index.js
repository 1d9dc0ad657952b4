"use strict";
const pages = JSON.parse(document.getElementById("pages").textContent);
const find = (id) => document.getElementById(id);
const [search, status, sort, shown, cards, dialog] =
  ["search", "status", "sort", "shown", "cards", "dialog"].map(find);
const items = [...cards.children];
const folded = (text) => text.normalize("NFKC").toLowerCase();
const texts = pages.map((page) => folded(page.text));
const others = pages.map((page) => page.others.map(([word]) => folded(word)));
const AROUND = 40, SHORT_LINE = 120;
const STRIP = 0.12; // of a page's height, shown around a hit

const orders = {
  doubt: (a, b) => pages[b].doubt - pages[a].doubt || a - b,
  document: (a, b) => a - b,
  probability: (a, b) => (pages[a].prob ?? 2) - (pages[b].prob ?? 2) || a - b,
  length: (a, b) => pages[b].text.length - pages[a].text.length || a - b,
  status: (a, b) => pages[a].status.localeCompare(pages[b].status) || a - b,
};
pages.forEach((page, index) => {
  // lower-casing may change how many characters there are; then hits have no context of their own
  if (texts[index].length !== page.text.length) page.text = texts[index];
});

function note(index, wanted) {
  const card = items[index].querySelector(".card"), small = card.querySelector("small");
  small.replaceChildren();
  if (card.href) card.href = card.href.split("#")[0];
  if (!wanted) return true;
  const page = pages[index], at = texts[index].indexOf(wanted);
  const mark = document.createElement("mark");
  if (at >= 0) {
    const end = at + wanted.length;
    mark.textContent = page.text.slice(at, end);
    small.append("… " + page.text.slice(Math.max(0, at - AROUND), at), mark,
      page.text.slice(end, end + AROUND) + " …", cutOut(page, at));
    lead(card, mark.textContent);
    return true;
  }
  const other = others[index].findIndex((word) => word.includes(wanted));
  if (other < 0) return false;
  const [word, read, prob, start] = page.others[other];
  mark.textContent = word;
  small.append("may say ", mark, ` (${prob.toFixed(2)}) where ${read} was read`, cutOut(page, start));
  lead(card, read);
  return true;
}

// The page opens where the words are, in browsers that know how.
function lead(card, words) {
  const text = encodeURIComponent(words.trim().replace(/\s+/g, " ")).replaceAll("-", "%2D");
  if (card.href) card.href += `#:~:text=${text}`;
}

// The part of the page's image around the words: by their line, or by how much text is before them
// where lines are paragraphs. The browser loads it when it is scrolled to.
function cutOut(page, at) {
  if (!page.image) return "";
  const lines = page.text.split("\n"), [top, bottom] = page.ink;
  const share = page.text.length > SHORT_LINE * lines.length ? at / page.text.length
    : (page.text.slice(0, at).split("\n").length - 0.5) / lines.length;
  const middle = top + share * (bottom - top);
  const image = document.createElement("img");
  image.loading = "lazy";
  image.alt = "";
  image.className = "cut";
  image.style.aspectRatio = `${page.shape / STRIP}`;
  const shift = Math.min(1, Math.max(0, (middle - STRIP / 2) / (1 - STRIP)));
  image.style.objectPosition = `0 ${(100 * shift).toFixed(2)}%`;
  image.src = page.image;
  return image;
}

function update() {
  const wanted = folded(search.value.trim());
  let number = 0;
  cards.classList.toggle("found", wanted !== "");
  items.forEach((item, index) => {
    const fits = (!status.value || pages[index].status === status.value) && note(index, wanted);
    item.hidden = !fits;
    number += fits;
  });
  shown.textContent = `${number.toLocaleString("en")} of ${pages.length.toLocaleString("en")} pages`;
}

function reorder() {
  const order = [...items.keys()].sort(orders[sort.value]);
  cards.append(...order.map((index) => items[index]));
}

function open(index) {
  const page = pages[index];
  dialog.querySelector("h3").textContent = page.name;
  dialog.querySelector("p").textContent = page.reason;
  const image = items[index].querySelector("img");
  const big = dialog.querySelector("img");
  big.hidden = !image;
  if (image) big.src = image.src;
  dialog.querySelector("pre").textContent = page.text || "no text";
  dialog.showModal();
}

search.addEventListener("input", update);
status.addEventListener("change", update);
sort.addEventListener("change", reorder);
items.forEach((item, index) =>
  item.querySelector("button.card")?.addEventListener("click", () => open(index)));
const hash = decodeURIComponent(location.hash.slice(1));
if (!/^page-\d+$/.test(hash)) search.value = hash; // else a page's file led back to its card
update();
