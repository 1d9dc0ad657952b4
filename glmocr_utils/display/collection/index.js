"use strict";
const pages = JSON.parse(document.getElementById("pages").textContent);
const find = (id) => document.getElementById(id);
const [search, status, sort, shown, cards, dialog] =
  ["search", "status", "sort", "shown", "cards", "dialog"].map(find);
const items = [...cards.children];
const folded = (text) => text.normalize("NFKC").toLowerCase();
const texts = pages.map((page) => folded(page.text));
const others = pages.map((page) => page.others.map(([word]) => folded(word)));
const AROUND = 40;

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
  const small = items[index].querySelector("small");
  small.replaceChildren();
  if (!wanted) return true;
  const page = pages[index], at = texts[index].indexOf(wanted);
  const mark = document.createElement("mark");
  if (at >= 0) {
    const end = at + wanted.length;
    mark.textContent = page.text.slice(at, end);
    small.append("… " + page.text.slice(Math.max(0, at - AROUND), at), mark,
      page.text.slice(end, end + AROUND) + " …");
    return true;
  }
  const other = others[index].findIndex((word) => word.includes(wanted));
  if (other < 0) return false;
  const [word, read, prob] = page.others[other];
  mark.textContent = word;
  small.append("may say ", mark, ` (${prob.toFixed(2)}) where ${read} was read`);
  return true;
}

function update() {
  const wanted = folded(search.value.trim());
  let number = 0;
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
search.value = decodeURIComponent(location.hash.slice(1));
update();
