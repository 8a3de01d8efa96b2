/* The map of one layer: recordings as points, NNK edges of those chosen, names of classes; for pointing and choosing.

   Points, edges and names lie on one canvas; what follows the pointer (rings, the lasso) lies on a second above it, so that
   hovering draws little. The nearest point is looked for among all: 5,000 distances take less than 1 ms. */

const MOVING = 250,
  MOST_EDGES = 6000,
  MOST_LABELS = 24;

const smooth = (t) => t * t * (3 - 2 * t),
  blend = (a, b, share) => (share ? a.map((x, i) => x + share * (b[i] - x)) : a);
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

class LayerMap {
  /* Panel k of the store, filling `root`. */
  constructor(root, store, k = 0) {
    [this.base, this.over] = [make("canvas"), make("canvas")];
    this.told = make("div", { className: "live-told", "aria-live": "polite" });
    this.area = make(
      "div",
      { className: "live-map", tabIndex: 0, role: "application" },
      this.base,
      this.over,
      this.told,
    );
    this.card = new Card(this.area);
    Object.assign(this, {
      store,
      k,
      zoom: 1,
      centre: null,
      drag: null,
      message: "",
      screen: [],
      ending: new AbortController(),
    });
    const acts = {
      pointerdown: this.press,
      pointermove: this.move,
      pointerup: this.release,
      pointercancel: this.drop,
      wheel: this.wheel,
      pointerleave: () => this.drag || this.point(-1),
      dblclick: this.reset,
      keydown: this.key,
    };
    for (const [type, act] of Object.entries(acts))
      this.area.addEventListener(type, act.bind(this), { signal: this.ending.signal, passive: false });
    root.append(this.area);
    this.sizes = new ResizeObserver(() => this.request());
    this.sizes.observe(this.area);
    const changed = (keys) => {
      this.edges = null;
      if (keys.has("panels") || keys.has("maps")) this.turn();
      this.request([...keys].some((key) => key !== "mode" && key !== "pinned"));
    };
    const hovered = (node) => {
      if (node !== this.card.node) this.card.show(-1);
      this.request(false);
    };
    this.offs = [store.on("hover", hovered), store.on("all", changed)];
    changed(new Set(["panels"]));
  }

  destroy() {
    this.ending.abort();
    this.sizes.disconnect();
    for (const off of this.offs) off();
    cancelAnimationFrame(this.frame);
    this.card.destroy();
    this.area.remove();
  }

  /* ------------------------------------------------------- where points lie */

  get panel() {
    return this.store.values.panels[this.k];
  }
  get map() {
    return this.panel && this.store.map(this.panel.map);
  }

  /* The panel shows another layer or map: its points move there, at once where it is near. */
  turn() {
    const { panel, map, shown, store } = this;
    if (!panel) return;
    if (!map) {
      this.message = "loading the map …";
      store.load(panel.map).catch((error) => {
        this.message = error.message;
        this.request();
      });
      return;
    }
    const { layers, points } = map,
      n = 2 * store.count,
      low = Math.floor(panel.at),
      at = (l) => points.subarray(l * n, (l + 1) * n);
    this.aim = blend(at(low), at(low + 1), smooth(panel.at - low));
    const far =
      shown &&
      (shown.map !== panel.map || Math.abs(shown.at - panel.at) > 0.5) &&
      !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.motion = far && { from: this.world, began: performance.now() };
    if (!far) this.world = this.aim;
    this.shown = panel;
    this.title = `${map.title}, ${layers[low].title}${panel.at > low ? ` to ${layers[low + 1].title}` : ""}`;
    this.area.setAttribute("aria-label", `Map of ${store.count} recordings: ${this.title}`);
    // The same frame for all layers.
    this.limits = store.cached(`limits ${panel.map}`, () =>
      [0, 1].map((axis) => {
        let [low, high] = [Infinity, -Infinity];
        for (let i = axis; i < points.length; i += 2) if (points[i] < low) low = points[i];
        for (let i = axis; i < points.length; i += 2) if (points[i] > high) high = points[i];
        return high >= low ? { middle: (low + high) / 2, size: high - low || 1 } : { middle: 0, size: 1 };
      }),
    );
  }

  /* Pixels per unit, and the point in the middle. */
  view(width = this.width, height = this.height) {
    const [x, y] = this.limits;
    return {
      scale: this.zoom * Math.min((width - 56) / x.size, (height - 72) / y.size),
      middle: this.centre || [x.middle, y.middle],
    };
  }

  /* (2N,) where points lie on a picture of this size. */
  places(width, height) {
    if (!this.map) return [];
    const { scale, middle } = this.view(width, height);
    return this.world.map((x, i) =>
      i % 2 ? height / 2 - scale * (x - middle[1]) : width / 2 + scale * (x - middle[0]),
    );
  }

  spot(node, screen = this.screen) {
    return [screen[2 * node], screen[2 * node + 1]];
  }

  zoomAt(x, y, factor) {
    const { scale, middle } = this.view(),
      dx = x - this.width / 2,
      dy = this.height / 2 - y,
      zoom = clamp(this.zoom * factor, 0.5, 60);
    const shift = (1 - this.zoom / zoom) / scale;
    this.centre = [middle[0] + dx * shift, middle[1] + dy * shift];
    this.zoom = zoom;
    this.request();
  }

  reset() {
    this.zoom = 1;
    this.centre = null;
    this.request();
  }

  /* ------------------------------------------------------------- drawing */

  request(all = true) {
    this.stale = this.stale || all;
    this.frame =
      this.frame ||
      requestAnimationFrame(() => {
        this.frame = 0;
        this.draw();
      });
  }

  draw() {
    if (this.stale) {
      this.stale = false;
      const { context, width, height } = fit(this.base),
        { motion } = this;
      Object.assign(this, { width, height });
      this.store.setDark(theme(this.area).dark);
      if (motion) {
        const t = (performance.now() - motion.began) / MOVING;
        this.world = t < 1 ? blend(motion.from, this.aim, smooth(t)) : this.aim;
        if (t < 1) this.request();
        else this.motion = null;
      }
      this.screen = this.places(width, height);
      this.paint(context, this.screen, width, height, this.store.count > 2000);
    }
    this.follow();
  }

  /* The same view into any context, for pictures to take away. */
  drawTo(context, width, height) {
    const screen = this.places(width, height);
    context.fillStyle = theme(this.area).paper;
    context.fillRect(0, 0, width, height);
    this.paint(context, screen, width, height);
    this.rings(context, screen, -1);
  }

  paint(context, screen, width, height, hasty = false) {
    const colours = theme(this.area),
      { store, map } = this;
    if (map) {
      const { items } = store.colours(this.k);
      this.radius = clamp(90 / Math.sqrt(store.count), 2.2, 6) * clamp(Math.sqrt(this.zoom), 1, 2);
      this.edges = this.edges || this.chosenEdges();
      drawEdges(context, (node) => this.spot(node, screen), this.edges, colours);
      const members = drawPoints(context, screen, store, this.k, this.radius, colours, width, height, hasty);
      if (items && items.length <= MOST_LABELS + 1) drawLabels(context, members, items, colours, width, height);
    }
    context.font = `12${FONT}`;
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    context.fillStyle = colours.soft;
    context.fillText(clipped(context, map ? this.title : this.message, width - 24), 12, 20);
  }

  /* Edges to draw: {from, node, weight, kind}. */
  chosenEdges() {
    const { store } = this,
      { map, at } = this.panel,
      { edges, colour } = store.values,
      { opened } = store,
      list = [];
    const add = (from, found, kind) => found.forEach((edge) => list.push({ ...edge, from, kind })),
      of = (node) => store.edgesOf(map, Math.round(at), node);
    if (edges === "none") return list;
    if (edges === "subset") store.subset.forEach((on, node) => on && node !== opened && add(node, of(node), "chosen"));
    list.sort((a, b) => b.weight - a.weight).splice(MOST_EDGES);
    if (colour === "flips")
      for (const [kind, found] of Object.entries(store.flipsOf(map, ...Object.values(store.span(this.k)), opened)))
        add(opened, found, kind);
    else add(opened, of(opened), "open");
    return list;
  }

  rings(context, screen, hovered) {
    const { ink } = theme(this.area),
      { opened, pinned } = this.store;
    for (const [node, weight] of [
      [opened, 3],
      [pinned, 2],
      [hovered, 1.5],
    ])
      drawRing(context, this.spot(node, screen), this.radius + 3 + weight, weight, ink);
  }

  /* What follows the pointer. */
  follow() {
    const { context } = fit(this.over),
      { store, screen, drag, panel, map } = this,
      colours = theme(this.area),
      node = store.hovered,
      { mode } = store.values;
    this.over.style.cursor = mode !== "point" ? "crosshair" : this.card.node < 0 ? "default" : "pointer";
    if (!map) return;
    if (node !== store.opened && store.values.edges !== "none") {
      const edges = store
        .edgesOf(panel.map, Math.round(panel.at), node)
        .map((edge) => ({ ...edge, from: node, kind: "kept" }));
      drawEdges(context, (each) => this.spot(each), edges, colours);
    }
    this.rings(context, screen, node);
    if (drag && drag.moved && mode !== "point") {
      context.beginPath();
      for (const [x, y] of this.outline()) context.lineTo(x, y);
      context.closePath();
      context.strokeStyle = context.fillStyle = colours.accent;
      context.lineWidth = 1.5;
      context.stroke();
      context.globalAlpha = 0.12;
      context.fill();
      context.globalAlpha = 1;
    }
    if (this.card.node >= 0) this.card.place(this.spot(this.card.node), this.radius + 12, this.width, this.height);
  }

  /* Point at a node (-1: at none) from this panel, where its card is shown. */
  point(node) {
    if (node !== this.card.node) {
      const others = this.alike(node).length - 1,
        texts = node < 0 ? [] : this.store.about(node, this.k);
      if (others > 0) texts.push(`and ${others} more at this place`);
      this.card.show(node, texts, this.store.content.poses);
      if (node >= 0) this.told.textContent = texts.join(", ");
    }
    this.store.hover(node);
  }

  /* ------------------------------------------------------------- pointing */

  /* The node of least cost below a limit, or -1; cost(x, y, node) of its place on the screen. */
  best(cost, limit = Infinity) {
    let found = -1;
    for (let node = 0; node < this.screen.length / 2; node++) {
      const value = cost(this.screen[2 * node], this.screen[2 * node + 1], node);
      if (value < limit) [found, limit] = [node, value];
    }
    return found;
  }

  /* The node at a place on the screen; those that are shown come before faded ones. */
  hit(x, y) {
    return this.best(
      (a, b, node) => Math.hypot(a - x, b - y) + (this.store.faded(node) ? 4 : 0),
      Math.max(this.radius + 4, 9),
    );
  }

  /* Nodes drawn at the same place as this one. */
  alike(node) {
    const [x, y] = this.spot(node);
    return this.store.nodes.names
      .map((_, k) => k)
      .filter((k) => Math.hypot(this.screen[2 * k] - x, this.screen[2 * k + 1] - y) < 0.5);
  }

  at(event) {
    const box = this.over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  press(event) {
    if (event.button || !this.map) return;
    this.area.focus({ preventScroll: true });
    this.area.setPointerCapture(event.pointerId);
    this.drag = { path: [this.at(event)], moved: false, ...this.view() };
  }

  move(event) {
    const { drag } = this,
      [x, y] = this.at(event);
    if (!drag) return this.point(this.hit(x, y));
    const [a, b] = drag.path[0],
      free = this.store.values.mode !== "point";
    drag.moved = drag.moved || Math.hypot(x - a, y - b) > 4;
    drag.path.push([x, y]);
    if (drag.moved && !free)
      this.centre = [drag.middle[0] - (x - a) / drag.scale, drag.middle[1] + (y - b) / drag.scale];
    this.request(!free);
  }

  /* The lasso, or the rectangle between its first and last point. */
  outline() {
    const { path } = this.drag,
      [a, b] = path[0],
      [c, d] = path.at(-1);
    return this.store.values.mode === "lasso"
      ? path
      : [
          [a, b],
          [c, b],
          [c, d],
          [a, d],
        ];
  }

  release(event) {
    const { drag, store } = this,
      { found } = store;
    if (!drag) return;
    if (!drag.moved) this.take(this.hit(...drag.path[0]), event);
    else if (store.values.mode !== "point") {
      const outline = this.outline(),
        nodes = store.nodes.names.map((_, node) => node);
      store.choose(
        nodes.filter((node) => (!found || found[node]) && inside(outline, this.spot(node))),
        this.how(event),
      );
    }
    this.drop();
  }

  drop() {
    this.drag = null;
    this.request(false);
  }

  how({ altKey, shiftKey, ctrlKey, metaKey }) {
    return altKey ? "remove" : shiftKey || ctrlKey || metaKey ? "add" : "replace";
  }

  /* Open a node, or the next at its place where it is open already; with a key held add it to those chosen, or remove it. */
  take(node, event) {
    const { store } = this,
      how = this.how(event),
      nodes = this.alike(node);
    if (node < 0) return;
    if (how !== "replace") store.choose([node], how);
    else store.set({ open: store.nodes.names[nodes[(nodes.indexOf(store.opened) + 1) % nodes.length]], pinned: null });
  }

  /* Only where the map has the focus, so that a page scrolls past it. */
  wheel(event) {
    if (!this.map || !(event.ctrlKey || this.area.matches(":focus-within"))) return;
    event.preventDefault();
    this.zoomAt(...this.at(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
  }

  /* To the nearest node in a direction of the screen, from the one pointed at, the open one, or the middle. */
  walk(dx, dy) {
    const { store } = this,
      from = store.hovered < 0 ? store.opened : store.hovered,
      [x, y] = from < 0 ? [this.width / 2, this.height / 2] : this.spot(from);
    const node = this.best((a, b, k) => {
      const far = Math.hypot(a - x, b - y),
        along = (a - x) * dx + (b - y) * dy;
      return k === from || store.faded(k) || along <= far / 2 ? Infinity : 2 * far - along;
    });
    if (node < 0) return;
    const [a, b] = this.spot(node);
    if (a < 0 || b < 0 || a > this.width || b > this.height) {
      this.centre = this.spot(node, this.world);
      this.request();
    }
    this.point(node);
  }

  key(event) {
    const { store, panel, k } = this,
      { key } = event,
      command = event.ctrlKey || event.metaKey;
    const acts = {
      ArrowLeft: () => this.walk(-1, 0),
      ArrowRight: () => this.walk(1, 0),
      ArrowUp: () => this.walk(0, -1),
      ArrowDown: () => this.walk(0, 1),
      Enter: () => this.take(store.hovered, event),
      Escape: () => (this.drag ? this.drop() : store.choose([])),
      "[": () => store.show(k, { at: Math.ceil(panel.at) - 1 }),
      "]": () => store.show(k, { at: Math.floor(panel.at) + 1 }),
      "+": () => this.zoomAt(this.width / 2, this.height / 2, 1.4),
      "-": () => this.zoomAt(this.width / 2, this.height / 2, 1 / 1.4),
      0: () => this.reset(),
      l: () => store.set({ mode: "lasso" }),
      r: () => store.set({ mode: "rectangle" }),
      p: () => store.set({ mode: "point" }),
      " ": () => this.area.dispatchEvent(new CustomEvent("stgcnlib-play", { bubbles: true })),
    };
    const act = command ? { z: () => store.undo(), Enter: acts.Enter }[key] : acts[key];
    if (!act || !this.map) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  }
}
