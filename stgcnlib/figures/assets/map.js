/* The map of one layer: recordings as points, NNK edges of those chosen, names of classes; for pointing and choosing.

   Points, edges and names lie on one canvas; what follows the pointer (rings, the lasso) lies on a second above it, so that
   hovering draws little. The nearest point is looked for among all: 5,000 distances take less than 1 ms. */

// Kinds of edges: colours, of the theme or in the light and in the dark, and dashes.
const EDGES = { open: ["ink"], chosen: ["soft"], kept: ["soft"], lost: ["#c4541a", "#f0955f", 5, 4], gained: ["#1f6fc0", "#6db3f5", 2, 3] };
const MOVING = 250, MOST_EDGES = 6000, MOST_LABELS = 24, FONT = "px system-ui, sans-serif";

// Corners of markers: how many, angle of the first in degrees, radius of every second.
const SHAPES = {
  s: [4, 45], "^": [3, -90], D: [4, 0], v: [3, 90], p: [5, -90], "<": [3, 180], ">": [3, 0], h: [6, 0], "*": [10, -90, 0.45], P: [8, 0, 0.4], X: [8, 45, 0.4],
};

const drawMarker = (context, marker, x, y, r) => {
  const [count, first, inner = 1] = SHAPES[marker] || [0];
  if (!count) { context.moveTo(x + r, y); context.arc(x, y, r, 0, 2 * Math.PI); }
  for (let k = 0; k < count; k++) {
    const angle = (first / 180 + (2 * k) / count) * Math.PI, reach = 1.25 * r * (k % 2 ? inner : 1);
    context[k ? "lineTo" : "moveTo"](x + reach * Math.cos(angle), y + reach * Math.sin(angle));
  }
  context.closePath();
};

const inside = (polygon, [x, y]) => polygon.reduce((within, [a, b], k) => {
  const [c, d] = polygon.at(k - 1);
  return (b > y) !== (d > y) && x < ((c - a) * (y - b)) / (d - b) + a ? !within : within;
}, false);

const smooth = (t) => t * t * (3 - 2 * t), blend = (a, b, share) => (share ? a.map((x, i) => x + share * (b[i] - x)) : a);
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

class LayerMap {
  /* Panel k of the store, filling `root`. */
  constructor(root, store, k = 0) {
    [this.base, this.over, this.pose] = [0, 1, 2].map(() => make("canvas"));
    this.lines = make("div");
    this.card = make("div", { className: "live-card", hidden: true }, this.pose, this.lines);
    this.told = make("div", { className: "live-told", "aria-live": "polite" });
    this.area = make("div", { className: "live-map", tabIndex: 0, role: "application" }, this.base, this.over, this.card, this.told);
    Object.assign(this, { store, k, zoom: 1, centre: null, drag: null, carded: -1, message: "", screen: [], ending: new AbortController() });
    const acts = {
      pointerdown: this.press, pointermove: this.move, pointerup: this.release, pointercancel: this.drop, wheel: this.wheel,
      pointerleave: () => this.drag || this.point(-1), dblclick: this.reset, keydown: this.key,
    };
    for (const [type, act] of Object.entries(acts)) this.area.addEventListener(type, act.bind(this), { signal: this.ending.signal, passive: false });
    root.append(this.area);
    this.sizes = new ResizeObserver(() => this.request());
    this.sizes.observe(this.area);
    const changed = (keys) => {
      this.edges = null;
      if (keys.has("panels") || keys.has("maps")) this.turn();
      this.request();
    };
    this.offs = [store.on("hover", () => this.request(false)), store.on("all", changed)];
    changed(new Set(["panels"]));
  }

  destroy() {
    this.ending.abort();
    this.sizes.disconnect();
    for (const off of this.offs) off();
    cancelAnimationFrame(this.frame);
    clearInterval(this.timer);
    this.area.remove();
  }

  /* ------------------------------------------------------- where points lie */

  get panel() { return this.store.values.panels[this.k]; }
  get map() { return this.panel && this.store.map(this.panel.map); }

  /* The panel shows another layer or map: its points move there, at once where it is near. */
  turn() {
    const { panel, map, shown, store } = this;
    if (!panel) return;
    if (!map) {
      this.message = "loading the map …";
      store.load(panel.map).catch((error) => { this.message = error.message; this.request(); });
      return;
    }
    const { layers, points } = map, n = 2 * store.count, low = Math.floor(panel.at), at = (l) => points.subarray(l * n, (l + 1) * n);
    this.aim = blend(at(low), at(low + 1), smooth(panel.at - low));
    const far = shown && (shown.map !== panel.map || Math.abs(shown.at - panel.at) > 0.5) && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.motion = far && { from: this.world, began: performance.now() };
    if (!far) this.world = this.aim;
    this.shown = panel;
    this.title = `${map.title}, ${layers[low].title}${panel.at > low ? ` to ${layers[low + 1].title}` : ""}`;
    this.area.setAttribute("aria-label", `Map of ${store.count} recordings: ${this.title}`);
    // The same frame for all layers.
    this.limits = store.cached(`limits ${panel.map}`, () => [0, 1].map((axis) => {
      let [low, high] = [Infinity, -Infinity];
      for (let i = axis; i < points.length; i += 2) if (points[i] < low) low = points[i];
      for (let i = axis; i < points.length; i += 2) if (points[i] > high) high = points[i];
      return high >= low ? { middle: (low + high) / 2, size: high - low || 1 } : { middle: 0, size: 1 };
    }));
  }

  /* Pixels per unit, and the point in the middle. */
  view(width = this.width, height = this.height) {
    const [x, y] = this.limits;
    return { scale: this.zoom * Math.min((width - 56) / x.size, (height - 72) / y.size), middle: this.centre || [x.middle, y.middle] };
  }

  /* (2N,) where points lie on a picture of this size. */
  places(width, height) {
    if (!this.map) return [];
    const { scale, middle } = this.view(width, height);
    return this.world.map((x, i) => (i % 2 ? height / 2 - scale * (x - middle[1]) : width / 2 + scale * (x - middle[0])));
  }

  spot(node, screen = this.screen) { return [screen[2 * node], screen[2 * node + 1]]; }

  zoomAt(x, y, factor) {
    const { scale, middle } = this.view(), dx = x - this.width / 2, dy = this.height / 2 - y, zoom = clamp(this.zoom * factor, 0.5, 60);
    const shift = (1 - this.zoom / zoom) / scale;
    this.centre = [middle[0] + dx * shift, middle[1] + dy * shift];
    this.zoom = zoom;
    this.request();
  }

  reset() { this.zoom = 1; this.centre = null; this.request(); }

  /* ------------------------------------------------------------- drawing */

  request(all = true) {
    this.stale = this.stale || all;
    this.frame = this.frame || requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  draw() {
    if (this.stale) {
      this.stale = false;
      const { context, width, height } = fit(this.base), { motion } = this;
      Object.assign(this, { width, height });
      this.store.setDark(theme(this.area).dark);
      if (motion) {
        const t = (performance.now() - motion.began) / MOVING;
        this.world = t < 1 ? blend(motion.from, this.aim, smooth(t)) : this.aim;
        if (t < 1) this.request(); else this.motion = null;
      }
      this.screen = this.places(width, height);
      this.paint(context, this.screen, width, height);
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

  paint(context, screen, width, height) {
    const colours = theme(this.area), { store, map } = this;
    if (map) {
      const { codes, palette, markers, items } = store.colours(this.k), members = palette.map(() => []);
      this.radius = clamp(90 / Math.sqrt(store.count), 2.2, 6) * clamp(Math.sqrt(this.zoom), 1, 2);
      this.edges = this.edges || this.chosenEdges();
      this.drawEdges(context, screen, this.edges, colours);
      context.strokeStyle = colours.paper;
      context.lineWidth = 0.8;
      // Each point by itself: one path of many circles takes 20 times as long.
      for (const faded of [true, false]) {
        context.globalAlpha = faded ? 0.16 : 0.92;
        codes.forEach((code, node) => {
          const x = screen[2 * node], y = screen[2 * node + 1];
          if (store.faded(node) !== faded || !(x > -9 && x < width + 9 && y > -9 && y < height + 9)) return;
          context.fillStyle = palette[code];
          context.beginPath();
          drawMarker(context, markers[code], x, y, this.radius);
          context.fill();
          if (faded) return;
          members[code].push([x, y]);
          if (store.count < 2000) context.stroke();
        });
      }
      context.globalAlpha = 1;
      if (items && items.length <= MOST_LABELS + 1) this.drawLabels(context, members, items, colours, width, height);
    }
    context.font = `12${FONT}`;
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    context.fillStyle = colours.soft;
    context.fillText(clipped(context, map ? this.title : this.message, width - 24), 12, 20);
  }

  /* Edges to draw: {from, node, weight, kind}. */
  chosenEdges() {
    const { store } = this, { map, at } = this.panel, { edges, colour } = store.values, { opened } = store, list = [];
    const add = (from, found, kind) => found.forEach((edge) => list.push({ ...edge, from, kind })), of = (node) => store.edgesOf(map, Math.round(at), node);
    if (edges === "none") return list;
    if (edges === "subset") store.subset.forEach((on, node) => on && node !== opened && add(node, of(node), "chosen"));
    list.sort((a, b) => b.weight - a.weight).splice(MOST_EDGES);
    if (colour === "flips") for (const [kind, found] of Object.entries(store.flipsOf(map, ...Object.values(store.span(this.k)), opened))) add(opened, found, kind);
    else add(opened, of(opened), "open");
    return list;
  }

  /* Edges, fainter with less weight. */
  drawEdges(context, screen, list, colours) {
    const most = list.reduce((high, edge) => Math.max(high, edge.weight), 1e-9);
    for (const { from, node, weight, kind } of list) {
      const [light, dark, ...dash] = EDGES[kind], many = kind === "chosen", [a, b] = this.spot(from, screen), [c, d] = this.spot(node, screen);
      if (!Number.isFinite(a + b + c + d)) continue;
      context.globalAlpha = (many ? 0.3 : 0.85) * (0.2 + (0.8 * weight) / most);
      context.strokeStyle = colours[light] || (colours.dark ? dark : light);
      context.lineWidth = many ? 0.7 : 1.5;
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(a, b);
      context.lineTo(c, d);
      context.stroke();
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /* The name of each class beside its most central recording, where there is room. */
  drawLabels(context, members, items, colours, width, height) {
    const taken = [{ x: 0, y: 0, w: width, h: 28 }], h = 17;
    context.font = `600 12${FONT}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    items.slice(0, -1).forEach(({ label, colour }, code) => {
      const spots = members[code], mean = [0, 1].map((k) => spots.reduce((sum, spot) => sum + spot[k], 0) / spots.length);
      const away = ([x, y]) => Math.hypot(x - mean[0], y - mean[1]), centre = spots.reduce((best, spot) => (away(spot) < away(best) ? spot : best), spots[0]);
      const text = clipped(context, label, 150), w = context.measureText(text).width + 8;
      for (let k = 0; centre && k < 40; k++) {
        const ring = 15 + 9 * Math.floor(k / 8), angle = (k / 4 - 0.5) * Math.PI;
        const x = centre[0] + (ring + w / 2 - 8) * Math.cos(angle) - w / 2, y = centre[1] + ring * Math.sin(angle) - h / 2;
        if (x < 2 || y < 2 || x + w > width - 2 || y + h > height - 2 || taken.some((t) => x <= t.x + t.w && x + w >= t.x && y <= t.y + t.h && y + h >= t.y)) continue;
        taken.push({ x, y, w, h });
        context.globalAlpha = 0.8;
        context.fillStyle = colours.paper;
        context.fillRect(x, y, w, h);
        context.globalAlpha = 1;
        context.fillStyle = colours.ink;
        context.fillText(text, x + w / 2, y + h / 2);
        context.fillStyle = colour;
        context.fillRect(x + 4, y + h - 2, w - 8, 2);
        break;
      }
    });
  }

  rings(context, screen, hovered) {
    context.strokeStyle = theme(this.area).ink;
    for (const [node, weight] of [[this.store.opened, 3], [this.store.pinned, 2], [hovered, 1.5]]) {
      const [x, y] = this.spot(node, screen);
      if (!(x + y)) continue;
      context.lineWidth = weight;
      context.beginPath();
      context.arc(x, y, this.radius + 3 + weight, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  /* What follows the pointer. */
  follow() {
    const { context } = fit(this.over), { store, screen, drag, panel, map } = this, colours = theme(this.area), node = store.hovered, { mode } = store.values;
    this.over.style.cursor = mode !== "point" ? "crosshair" : this.carded < 0 ? "default" : "pointer";
    if (!map) return;
    if (node !== store.opened && store.values.edges !== "none") {
      this.drawEdges(context, screen, store.edgesOf(panel.map, Math.round(panel.at), node).map((edge) => ({ ...edge, from: node, kind: "kept" })), colours);
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
    if (this.carded < 0) return;
    const { offsetWidth: w, offsetHeight: h } = this.card, [x, y] = this.spot(this.carded), gap = this.radius + 12;
    const left = x + gap + w < this.width ? x + gap : Math.max(x - gap - w, 0);
    this.card.style.transform = `translate(${left}px, ${clamp(y - h / 2, 0, Math.max(this.height - h, 0))}px)`;
  }

  /* ---------------------------------------------------------------- card */

  /* Point at a node (-1: at none) from this panel, where its card is shown. */
  point(node) {
    this.store.hover(node);
    if (node === this.carded) return;
    this.carded = node;
    clearInterval(this.timer);
    this.card.hidden = node < 0;
    if (node < 0) return;
    const texts = this.about(node), { poses } = this.store.content;
    this.lines.replaceChildren(...texts.map((text) => make("div", {}, text)));
    this.told.textContent = texts.join(", ");
    this.pose.hidden = !poses;
    if (poses) this.animate(poses, node);
  }

  /* The person moves on the card; the picture fits this recording. */
  animate(poses, node) {
    const { people, frames, joints, dimensions, unit, camera } = poses, size = people * frames * joints * dimensions;
    const points = poses.points.subarray(node * size, (node + 1) * size), range = poses.range.map(() => [0, 1e-9]);
    points.forEach((x, i) => { if (x !== MISSING) range[i % dimensions][1] = Math.max(range[i % dimensions][1], Math.abs(x * unit)); });
    const person = new Recording({ ...poses, range }, { people, frames, points }), [azimuth, elevation] = camera || [];
    let frame = 0;
    const draw = () => {
      const { context, width, height } = fit(this.pose);
      drawBody(context, person, frame, { x: 6, y: 6, width: width - 12, height: height - 12 }, theme(this.area), { azimuth, elevation, floor: false });
      frame = (frame + 0.6) % frames;
    };
    draw();
    if (frames > 1) this.timer = setInterval(draw, 83);
  }

  /* Lines of text about a node: name, categories, what it is coloured by. */
  about(node) {
    const { nodes } = this.store, drawn = this.store.colours(this.k), others = this.alike(node).length - 1;
    const texts = nodes.categories.slice(0, 4).filter(({ values, codes }) => codes[node] in values).map(({ title, values, codes }) => `${title}: ${values[codes[node]]}`);
    const value = drawn.items ? drawn.items[drawn.codes[node]].label : Number.isFinite(drawn.values[node]) ? +drawn.values[node].toPrecision(3) : "unknown";
    return [...new Set([nodes.names[node], ...texts, `${drawn.title}: ${value}`, ...(others ? [`and ${others} more at this place`] : [])])];
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
  hit(x, y) { return this.best((a, b, node) => Math.hypot(a - x, b - y) + (this.store.faded(node) ? 4 : 0), Math.max(this.radius + 4, 9)); }

  /* Nodes drawn at the same place as this one. */
  alike(node) {
    const [x, y] = this.spot(node);
    return this.store.nodes.names.map((_, k) => k).filter((k) => Math.hypot(this.screen[2 * k] - x, this.screen[2 * k + 1] - y) < 0.5);
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
    const { drag } = this, [x, y] = this.at(event);
    if (!drag) return this.point(this.hit(x, y));
    const [a, b] = drag.path[0], free = this.store.values.mode !== "point";
    drag.moved = drag.moved || Math.hypot(x - a, y - b) > 4;
    drag.path.push([x, y]);
    if (drag.moved && !free) this.centre = [drag.middle[0] - (x - a) / drag.scale, drag.middle[1] + (y - b) / drag.scale];
    this.request(!free);
  }

  /* The lasso, or the rectangle between its first and last point. */
  outline() {
    const { path } = this.drag, [a, b] = path[0], [c, d] = path.at(-1);
    return this.store.values.mode === "lasso" ? path : [[a, b], [c, b], [c, d], [a, d]];
  }

  release(event) {
    const { drag, store } = this, { found } = store;
    if (!drag) return;
    if (!drag.moved) this.take(this.hit(...drag.path[0]), event);
    else if (store.values.mode !== "point") {
      const outline = this.outline(), nodes = store.nodes.names.map((_, node) => node);
      store.choose(nodes.filter((node) => (!found || found[node]) && inside(outline, this.spot(node))), this.how(event));
    }
    this.drop();
  }

  drop() { this.drag = null; this.request(false); }

  how({ altKey, shiftKey, ctrlKey, metaKey }) { return altKey ? "remove" : shiftKey || ctrlKey || metaKey ? "add" : "replace"; }

  /* Open a node, or the next at its place where it is open already; with a key held add it to those chosen, or remove it. */
  take(node, event) {
    const { store } = this, how = this.how(event), nodes = this.alike(node);
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
    const { store } = this, from = store.hovered < 0 ? store.opened : store.hovered, [x, y] = from < 0 ? [this.width / 2, this.height / 2] : this.spot(from);
    const node = this.best((a, b, k) => {
      const far = Math.hypot(a - x, b - y), along = (a - x) * dx + (b - y) * dy;
      return k === from || store.faded(k) || along <= far / 2 ? Infinity : 2 * far - along;
    });
    if (node < 0) return;
    const [a, b] = this.spot(node);
    if (a < 0 || b < 0 || a > this.width || b > this.height) { this.centre = this.spot(node, this.world); this.request(); }
    this.point(node);
  }

  key(event) {
    const { store, panel, k } = this, { key } = event, command = event.ctrlKey || event.metaKey;
    const acts = {
      ArrowLeft: () => this.walk(-1, 0), ArrowRight: () => this.walk(1, 0), ArrowUp: () => this.walk(0, -1), ArrowDown: () => this.walk(0, 1),
      Enter: () => this.take(store.hovered, event), Escape: () => (this.drag ? this.drop() : store.choose([])),
      "[": () => store.show(k, { at: Math.ceil(panel.at) - 1 }), "]": () => store.show(k, { at: Math.floor(panel.at) + 1 }),
      "+": () => this.zoomAt(this.width / 2, this.height / 2, 1.4), "-": () => this.zoomAt(this.width / 2, this.height / 2, 1 / 1.4), 0: () => this.reset(),
      l: () => store.set({ mode: "lasso" }), r: () => store.set({ mode: "rectangle" }), p: () => store.set({ mode: "point" }),
      " ": () => this.area.dispatchEvent(new CustomEvent("stgcnlib-play", { bubbles: true })),
    };
    const act = command ? { z: () => store.undo(), Enter: acts.Enter }[key] : acts[key];
    if (!act || !this.map) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  }
}
