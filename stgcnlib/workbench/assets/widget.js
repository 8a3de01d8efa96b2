// The widget of a notebook: content and state are the model's, questions to the kernel travel as messages.
"use strict";

/** Questions to the kernel, and messages that it sends by itself. After `patience` ms of silence it counts as gone. */
function kernelLink(model, patience = 30000) {
  const waiting = new Map();
  const listeners = new Map();
  const self = Math.random().toString(36).slice(2);
  let count = 0;
  const settle = (id, message, buffers) => {
    const question = waiting.get(id);
    if (!question) return; // a question of another view, or one that timed out
    waiting.delete(id);
    clearTimeout(question.timer);
    if (message.error !== undefined) question.reject(new Error(message.error));
    else question.resolve(unpack(message.reply, buffers));
  };
  const wait = (id) =>
    setTimeout(() => settle(id, { error: "The kernel does not answer; it is busy or gone." }), patience);
  const heard = (message, buffers) => {
    for (const [id, question] of waiting) {
      clearTimeout(question.timer);
      question.timer = wait(id);
    }
    if (message.push === undefined) settle(message.id, message, buffers);
    else for (const callback of listeners.get(message.push) ?? []) callback(message.payload);
  };
  model.on("msg:custom", heard);
  return {
    ask: (kind, payload = {}) =>
      new Promise((resolve, reject) => {
        const id = `${self}-${count++}`;
        waiting.set(id, { resolve, reject, timer: wait(id) });
        try {
          model.send({ id, kind, payload });
        } catch (error) {
          settle(id, { error: `The kernel cannot be asked: ${error.message}` });
        }
      }),
    on: (kind, callback) => {
      if (!listeners.has(kind)) listeners.set(kind, new Set());
      listeners.get(kind).add(callback);
      return () => listeners.get(kind).delete(callback);
    },
    destroy: () => {
      model.off("msg:custom", heard);
      for (const id of [...waiting.keys()]) settle(id, { error: "The view was closed." });
      listeners.clear();
    },
  };
}

function render({ model, el }) {
  let explorer, link, timer;
  const kept = () => model.get("state");
  const same = (state) => JSON.stringify(state) === JSON.stringify(kept());
  const tell = () => {
    timer = 0;
    const state = explorer.store.json();
    if (same(state)) return;
    model.set("state", state);
    model.save_changes();
  };
  // A slider moves many times a second; the kernel is told a few times a second.
  const told = () => {
    timer ||= setTimeout(tell, 150);
  };
  const changed = () => {
    if (explorer && !same(explorer.store.json())) explorer.store.restore(kept());
  };
  const close = () => {
    clearTimeout(timer);
    timer = 0;
    explorer?.destroy();
    link?.destroy();
    explorer = link = undefined;
    el.replaceChildren();
  };
  const open = () => {
    close();
    const content = model.get("content");
    if (!content.version) return; // closed in the kernel
    const root = document.createElement("div");
    el.append(root);
    link = kernelLink(model);
    explorer = new Explorer(root, { ...unpack(content, model.get("buffers")), state: kept() }, link);
    root.explorer = explorer;
    explorer.store.on(Object.keys(explorer.store.json()), told);
  };
  // The notebook puts the element into the page later; the theme is known only there.
  const placed = new ResizeObserver(() => {
    if (el.isConnected) {
      placed.disconnect();
      open();
    }
  });
  if (el.isConnected) open();
  else placed.observe(el);
  model.on("change:state", changed);
  const renewed = () => {
    if (explorer || el.isConnected) open();
  };
  model.on("change:content", renewed);
  return () => {
    placed.disconnect();
    model.off("change:state", changed);
    model.off("change:content", renewed);
    close();
  };
}

export default { render };
