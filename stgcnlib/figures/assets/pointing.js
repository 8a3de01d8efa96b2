/* Pointing at a map, choosing on it, moving it: with the pointer and with keys. */

class Pointing {
  constructor(layerMap) {
    Object.assign(this, { layerMap, store: layerMap.store, drag: null, ending: new AbortController() });
    const acts = {
      pointerdown: this.press,
      pointermove: this.move,
      pointerup: this.release,
      pointercancel: this.drop,
      wheel: this.wheel,
      pointerleave: () => this.drag || layerMap.point(-1),
      dblclick: () => layerMap.reset(),
      keydown: this.key,
    };
    for (const [type, act] of Object.entries(acts))
      layerMap.area.addEventListener(type, act.bind(this), { signal: this.ending.signal, passive: false });
  }

  destroy() {
    this.ending.abort();
  }

  /* Where on the map an event is. */
  at(event) {
    const box = this.layerMap.over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  press(event) {
    const { layerMap } = this;
    if (event.button || !layerMap.map) return;
    layerMap.area.focus({ preventScroll: true });
    layerMap.area.setPointerCapture(event.pointerId);
    this.drag = { path: [this.at(event)], moved: false, ...layerMap.view() };
  }

  move(event) {
    const { layerMap, drag } = this;
    const [x, y] = this.at(event);
    if (!drag) return layerMap.point(layerMap.hit(x, y));
    const [a, b] = drag.path[0];
    const free = this.store.values.mode !== "point";
    drag.moved = drag.moved || Math.hypot(x - a, y - b) > 4;
    drag.path.push([x, y]);
    if (drag.moved && !free)
      layerMap.centre = [drag.middle[0] - (x - a) / drag.scale, drag.middle[1] + (y - b) / drag.scale];
    layerMap.request(!free);
  }

  /* The lasso, or the rectangle between its first and last point. */
  outline() {
    const { path } = this.drag;
    const [a, b] = path[0];
    const [c, d] = path.at(-1);
    if (this.store.values.mode === "lasso") return path;
    return [
      [a, b],
      [c, b],
      [c, d],
      [a, d],
    ];
  }

  release(event) {
    const { layerMap, drag, store } = this;
    const { found } = store;
    if (!drag) return;
    if (!drag.moved) this.take(layerMap.hit(...drag.path[0]), event);
    else if (store.values.mode !== "point") {
      const outline = this.outline();
      const nodes = store.nodes.names.map((_, node) => node);
      store.choose(
        nodes.filter((node) => (!found || found[node]) && inside(outline, layerMap.spot(node))),
        this.how(event),
      );
    }
    this.drop();
  }

  /* The drag ends, whatever came of it. */
  drop() {
    this.drag = null;
    this.layerMap.request(false);
  }

  /* What the keys held make of a choice. */
  how({ altKey, shiftKey, ctrlKey, metaKey }) {
    return altKey ? "remove" : shiftKey || ctrlKey || metaKey ? "add" : "replace";
  }

  /* Open a node, or the next at its place where it is open already; with a key held add it to those chosen, or
     remove it. */
  take(node, event) {
    const { store } = this;
    const how = this.how(event);
    const nodes = this.layerMap.alike(node);
    if (node < 0) return;
    if (how !== "replace") store.choose([node], how);
    else store.set({ open: store.nodes.names[nodes[(nodes.indexOf(store.opened) + 1) % nodes.length]], pinned: null });
  }

  /* Only where the map has the focus, so that a page scrolls past it. */
  wheel(event) {
    const { layerMap } = this;
    if (!layerMap.map || !(event.ctrlKey || layerMap.area.matches(":focus-within"))) return;
    event.preventDefault();
    layerMap.zoomAt(...this.at(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
  }

  /* To the nearest node in a direction of the screen, from the one pointed at, the open one, or the middle. */
  walk(dx, dy) {
    const { layerMap, store } = this;
    const from = store.hovered < 0 ? store.opened : store.hovered;
    const [x, y] = from < 0 ? [layerMap.width / 2, layerMap.height / 2] : layerMap.spot(from);
    const node = layerMap.best((a, b, k) => {
      const far = Math.hypot(a - x, b - y);
      const along = (a - x) * dx + (b - y) * dy;
      return k === from || store.faded(k) || along <= far / 2 ? Infinity : 2 * far - along;
    });
    if (node < 0) return;
    const [a, b] = layerMap.spot(node);
    if (a < 0 || b < 0 || a > layerMap.width || b > layerMap.height) {
      layerMap.centre = layerMap.spot(node, layerMap.world);
      layerMap.request();
    }
    layerMap.point(node);
  }

  key(event) {
    const { layerMap, store } = this;
    const { panel, k } = layerMap;
    const { key } = event;
    const command = event.ctrlKey || event.metaKey;
    const acts = {
      ArrowLeft: () => this.walk(-1, 0),
      ArrowRight: () => this.walk(1, 0),
      ArrowUp: () => this.walk(0, -1),
      ArrowDown: () => this.walk(0, 1),
      Enter: () => this.take(store.hovered, event),
      Escape: () => (this.drag ? this.drop() : store.choose([])),
      "[": () => store.show(k, { at: Math.ceil(panel.at) - 1 }),
      "]": () => store.show(k, { at: Math.floor(panel.at) + 1 }),
      "+": () => layerMap.zoomAt(layerMap.width / 2, layerMap.height / 2, 1.4),
      "-": () => layerMap.zoomAt(layerMap.width / 2, layerMap.height / 2, 1 / 1.4),
      0: () => layerMap.reset(),
      l: () => store.set({ mode: "lasso" }),
      r: () => store.set({ mode: "rectangle" }),
      p: () => store.set({ mode: "point" }),
      " ": () => layerMap.area.dispatchEvent(new CustomEvent("stgcnlib-play", { bubbles: true })),
    };
    const act = command ? { z: () => store.undo(), Enter: acts.Enter }[key] : acts[key];
    if (!act || !layerMap.map) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  }
}
