// Stands in for Jupyter's model: posts what the review sends, one message after the other, and hands on
// the answers.
import widget from "./widget.js";

const listeners = { "msg:custom": new Set(), "comm:close": new Set() };
const emit = (event, ...values) => listeners[event].forEach((listener) => listener(...values));
const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

async function post(message) {
  let answers;
  try {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch("message", { method: "POST", headers, body: JSON.stringify(message) });
    if (!response.ok) throw new Error(response.statusText);
    answers = await response.json();
  } catch {
    emit("comm:close");
    return;
  }
  for (const { content, buffers } of answers) emit("msg:custom", content, buffers.map(bytes));
}

let last = Promise.resolve();
const model = {
  gone: "glmocr review has stopped. What was saved is on the disk; nothing more can be saved here. "
    + "Start it again to go on.",
  get() {},
  set() {},
  save_changes() {},
  on(event, listener) { listeners[event]?.add(listener); },
  off(event, listener) { listeners[event]?.delete(listener); },
  send(message) { last = last.then(() => post(message)); },
};
widget.render({ model, el: document.getElementById("review") });
