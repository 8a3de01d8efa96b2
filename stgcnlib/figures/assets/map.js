/* The map of one layer: recordings as points, NNK edges of those chosen, names of classes; for pointing and choosing.

   Points, edges and names lie on one canvas; what follows the pointer (rings, the lasso) lies on a second above it, so that
   hovering draws little. The nearest point is looked for among all: 5,000 distances take 0.05 ms. */

const FLIPS = { kept: ["soft", "soft", []], lost: ["#c4541a", "#f0955f", [5, 4]], gained: ["#1f6fc0", "#6db3f5", [1.5, 3]] };
const STEP = 250, EDGES = 6000, LABELS = 24;

/* Corners of markers on the unit circle: [count, first angle in degrees, radius of every second corner]. */
const SHAPES = {
  s: [4, 45], "^": [3, -90], D: [4, 0], v: [3, 90], p: [5, -90], "<": [3, 180], ">": [3, 0], h: [6, 0], "*": [10, -90, 0.45],
  P: [8, 0, 0.4], X: [8, 45, 0.4],
};

const drawMarker = (context, marker, x, y, r) => {
  const [count, first, inner = 1] = SHAPES[marker] || [0, 0];
  if (!count) { context.moveTo(x + r, y); context.arc(x, y, r, 0, 2 * Math.PI); }
  for (let k = 0; k < count; k++) {
    const angle = ((first + (360 * k) / count) * Math.PI) / 180, reach = 1.25 * r * (k % 2 ? inner : 1);
    context[k ? "lineTo" : "moveTo"](x + reach * Math.cos(angle), y + reach * Math.sin(angle));
  }
  context.closePath();
};

/* Whether a point lies inside a polygon of screen points. */
const inside = (polygon, x, y) => {
  let within = false;
  polygon.forEach(([a, b], k) => {
    const [c, d] = polygon[k ? k - 1 : polygon.length - 1];
    if (b > y !== d > y && x < ((c - a) * (y - b)) / (d - b) + a) within = !within;
  });
  return within;
};

class LayerMap {
  /* Panel k of the store, filling `root`. */
  constructor(root, store, k = 0) {
    this.base = make("canvas");
    this.over = make("canvas");
    this.pose = make("canvas");
    this.lines = make("div");
    this.card = make("div", { className: "live-card", hidden: true }, this.pose, this.lines);
    this.told = make("div", { className: "live-told", "aria-live": "polite" });
    this.area = make("div", { className: "live-map", tabIndex: 0, role: "application" }, this.base, this.over, this.card, this.told);
    Object.assign(this, { root, store, k, zoom: 1, centre: null, world: null, drag: null, edges: null, step: 0, message: "" });
    this.ending = new AbortController();
    const listen = (type, act) => this.area.addEventListener(type, act.bind(this), { signal: this.ending.signal, passive: false });
    listen("pointerdown", this.press);
    listen("pointermove", this.moved);
    listen("pointerup", this.release);
    listen("pointercancel", () => this.drop());
    listen("pointerleave", () => this.drag || this.point(-1));
    listen("wheel", this.wheel);
    listen("dblclick", () => this.reset());
    listen("keydown", this.key);
    root.append(this.area);
    this.offs = [
      store.on("hover", () => this.request(false)),
      store.on(["panels", "maps", "colour", "open", "pinned", "subset", "mode", "search", "from", "to", "edges", "theme"], (changed) => {
        this.edges = null;
        if (changed.has("panels") || changed.has("maps")) this.turn();
        this.request();
      }),
    ];
    this.sizes = new ResizeObserver(() => this.request());
    this.sizes.observe(this.area);
    this.turn();
    this.request();
  }

  destroy() {
    this.ending.abort();
    this.offs.forEach((off) => off());
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
    clearInterval(this.timer);
    this.area.remove();
  }

  /* ------------------------------------------------------- where points lie */

  get panel() { return this.store.state.panels[this.k]; }
  get map() { return this.panel && this.store.map(this.panel.map); }

  /* The panel shows another layer or map: points move there, at once where it is near. */
  turn() {
    const { panel, map } = this, before = this.shown;
    if (!panel) return;
    if (!map) {
      this.message = "loading the map …";
      this.store.load(panel.map).catch((error) => { this.message = error.message; this.request(); });
      return;
    }
    this.message = "";
    this.shown = { ...panel };
    const { layers, points } = map, n = 2 * this.store.count, low = Math.floor(panel.at), t = panel.at - low, share = t * t * (3 - 2 * t);
    const a = points.subarray(low * n, low * n + n), b = points.subarray((low + 1) * n, (low + 2) * n);
    this.aim = share ? a.map((x, i) => x + share * (b[i] - x)) : a;
    const far = before && (before.map !== panel.map || Math.abs(before.at - panel.at) > 0.5);
    this.motion = far && !matchMedia("(prefers-reduced-motion: reduce)").matches ? { from: this.world, began: performance.now() } : null;
    if (!this.motion) this.world = this.aim;
    this.area.setAttribute("aria-label", `Map of ${this.store.count} recordings: ${this.title()}`);
    // The frame is the same for all layers.
    this.frameOf = this.store.cached(`frame ${panel.map}`, () => {
      const ends = [Infinity, Infinity, -Infinity, -Infinity];
      points.forEach((x, i) => { ends[i % 2] = Math.min(ends[i % 2], x === x ? x : Infinity); ends[2 + (i % 2)] = Math.max(ends[2 + (i % 2)], x === x ? x : -Infinity); });
      const [x, y, X, Y] = ends.some((end) => !Number.isFinite(end)) ? [-1, -1, 1, 1] : ends;
      return { x: (x + X) / 2, y: (y + Y) / 2, width: X - x || 1, height: Y - y || 1 };
    });
  }

  title() {
    const { map, panel } = this, title = (l) => map.layers[l].title;
    return `${map.title}, ${title(Math.floor(panel.at))}${panel.at % 1 ? ` to ${title(Math.ceil(panel.at))}` : ""}`;
  }

  advance() {
    if (!this.motion) return;
    const { from, began } = this.motion, t = Math.min((performance.now() - began) / STEP, 1), share = t * t * (3 - 2 * t);
    this.world = t < 1 ? this.aim.map((x, i) => from[i] + share * (x - from[i])) : this.aim;
    if (t < 1) this.request(); else this.motion = null;
  }

  /* Pixels per unit, and the point in the middle. */
  view(width, height) {
    const { x, y, width: w, height: h } = this.frameOf;
    return { scale: this.zoom * Math.min((width - 56) / w, (height - 72) / h), middle: this.centre || [x, y] };
  }

  /* (2N,) where points lie on a picture of this size. */
  places(width, height) {
    const { scale, middle } = this.view(width, height);
    return this.world.map((x, i) => (i % 2 ? height / 2 - scale * (x - middle[1]) : width / 2 + scale * (x - middle[0])));
  }

  zoomAt(x, y, factor) {
    if (!this.map) return;
    const before = this.view(this.width, this.height), dx = x - this.width / 2, dy = this.height / 2 - y;
    const world = [before.middle[0] + dx / before.scale, before.middle[1] + dy / before.scale];
    this.zoom = Math.min(Math.max(this.zoom * factor, 0.5), 60);
    const { scale } = this.view(this.width, this.height);
    this.centre = [world[0] - dx / scale, world[1] - dy / scale];
    this.request();
  }

  reset() { this.zoom = 1; this.centre = null; this.request(); }

  /* ------------------------------------------------------------- drawing */

  request(all = true) {
    this.stale = this.stale || all;
    this.frame = this.frame || requestAnimationFrame(() => {
      this.frame = 0;
      if (this.stale) {
        this.stale = false;
        const { context, width, height } = fit(this.base);
        Object.assign(this, { width, height });
        this.store.setDark(theme(this.area).dark);
        this.advance();
        this.screen = this.map ? this.places(width, height) : new Float32Array(0);
        this.paint(context, this.screen, width, height);
        this.over.style.cursor = this.store.state.mode === "point" ? "default" : "crosshair";
      }
      this.follow();
    });
  }

  /* The same view into any context, for pictures to take away. */
  drawTo(context, width, height) {
    context.fillStyle = theme(this.area).paper;
    context.fillRect(0, 0, width, height);
    const screen = this.map ? this.places(width, height) : new Float32Array(0);
    this.paint(context, screen, width, height);
    this.rings(context, screen, theme(this.area), [[this.store.opened, 3], [this.store.pinned, 2]]);
  }

  paint(context, screen, width, height) {
    const colours = theme(this.area), { store } = this, write = (text, x, y) => {
      context.font = "12px system-ui, sans-serif"; context.textAlign = "left"; context.textBaseline = "alphabetic";
      context.fillStyle = colours.soft; context.fillText(clipped(context, text, width - 2 * x), x, y);
    };
    if (!this.map) { write(this.message, 12, 20); return; }
    this.radius = Math.min(Math.max(90 / Math.sqrt(store.count), 2.2), 6) * Math.min(Math.max(Math.sqrt(this.zoom), 1), 2);
    this.edges = this.edges || this.chosenEdges();
    this.drawEdges(context, screen, this.edges, colours);
    const { codes, palette, markers, items } = store.colours(this.k);
    for (const faint of [true, false]) {
      const groups = palette.map(() => []);
      codes.forEach((code, node) => {
        const x = screen[2 * node], y = screen[2 * node + 1];
        if (store.faded(node) === faint && x > -9 && x < width + 9 && y > -9 && y < height + 9) groups[code].push(node);
      });
      context.globalAlpha = faint ? 0.16 : 0.92;
      context.strokeStyle = colours.paper;
      context.lineWidth = 0.8;
      groups.forEach((nodes, code) => {
        if (!nodes.length) return;
        context.beginPath();
        for (const node of nodes) drawMarker(context, markers[code], screen[2 * node], screen[2 * node + 1], this.radius);
        context.fillStyle = palette[code];
        context.fill();
        if (!faint && store.count < 2000) context.stroke();
      });
    }
    context.globalAlpha = 1;
    if (items) this.drawLabels(context, screen, codes, items, colours, width, height);
    write(this.title(), 12, 20);
  }

  /* Edges to draw: [node, neighbour, weight, kind]. */
  chosenEdges() {
    const { store, panel } = this, { edges: which, colour } = store.state, { opened } = store, layer = Math.round(panel.at), list = [];
    const add = (node, edges, kind) => edges.forEach((e) => list.push([node, e.node, e.weight, kind]));
    if (which === "none") return list;
    if (which === "subset") {
      store.subset.forEach((on, node) => { if (on && node !== opened) add(node, store.edgesOf(panel.map, layer, node), "plain"); });
      list.sort((a, b) => b[2] - a[2]).splice(EDGES);
    }
    if (opened >= 0 && colour === "flips") {
      const { from, to } = store.span(this.k), flips = store.flipsOf(panel.map, from, to, opened);
      for (const kind of Object.keys(FLIPS)) add(opened, flips[kind], kind);
    } else add(opened, store.edgesOf(panel.map, layer, opened), "open");
    return list;
  }

  /* Edges, fainter with less weight: drawn in five steps of it. */
  drawEdges(context, screen, list, colours, faint = 1) {
    const groups = new Map(), most = list.reduce((high, edge) => Math.max(high, edge[2]), 1e-9);
    for (const edge of list) {
      const name = edge[3] + Math.ceil((5 * edge[2]) / most);
      groups.set(name, [...(groups.get(name) || []).slice(-1e4), edge]);
    }
    for (const edges of groups.values()) {
      const [, , weight, kind] = edges[0], [light, dark, dash] = FLIPS[kind] || ["ink", "ink", []], colour = colours.dark ? dark : light;
      context.globalAlpha = faint * (kind === "plain" ? 0.35 : 0.9) * (0.2 + (0.16 * Math.ceil((5 * weight) / most)));
      context.strokeStyle = colours[colour] || colour;
      context.lineWidth = kind === "plain" ? 0.7 : 1.5;
      context.setLineDash(dash);
      context.beginPath();
      for (const [a, b] of edges) {
        if (!(screen[2 * a] + screen[2 * b] === screen[2 * a] + screen[2 * b])) continue;
        context.moveTo(screen[2 * a], screen[2 * a + 1]);
        context.lineTo(screen[2 * b], screen[2 * b + 1]);
      }
      context.stroke();
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /* The name of each class beside its most central recording, where there is room. */
  drawLabels(context, screen, codes, items, colours, width, height) {
    if (items.length - 1 > LABELS) return;
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    const taken = [{ x: 0, y: 0, w: width, h: 28 }], members = items.map(() => []);
    codes.forEach((code, node) => { if (!this.store.faded(node) && screen[2 * node] === screen[2 * node]) members[code].push(node); });
    items.slice(0, -1).forEach((item, code) => {
      const nodes = members[code];
      if (!nodes.length) return;
      const sum = (k) => nodes.reduce((total, node) => total + screen[2 * node + k], 0) / nodes.length, mean = [sum(0), sum(1)];
      const away = (node) => Math.hypot(screen[2 * node] - mean[0], screen[2 * node + 1] - mean[1]);
      const centre = nodes.reduce((best, node) => (away(node) < away(best) ? node : best)), [x, y] = [screen[2 * centre], screen[2 * centre + 1]];
      const text = clipped(context, item.label, 150), w = context.measureText(text).width + 8, h = 17;
      for (let k = 0; k < 40; k++) {
        const ring = 15 + 9 * Math.floor(k / 8), angle = ((k % 8) * Math.PI) / 4 - Math.PI / 2;
        const box = { x: x + (ring + w / 2 - 8) * Math.cos(angle) - w / 2, y: y + ring * Math.sin(angle) - h / 2, w, h };
        const free = box.x > 2 && box.y > 2 && box.x + w < width - 2 && box.y + h < height - 2
          && taken.every((t) => box.x > t.x + t.w || box.x + w < t.x || box.y > t.y + t.h || box.y + h < t.y);
        if (!free) continue;
        taken.push(box);
        context.globalAlpha = 0.8;
        context.fillStyle = colours.paper;
        context.fillRect(box.x, box.y, w, h);
        context.globalAlpha = 1;
        context.fillStyle = colours.ink;
        context.fillText(text, box.x + w / 2, box.y + h / 2 + 0.5);
        context.fillStyle = item.colour;
        context.fillRect(box.x + 4, box.y + h - 2, w - 8, 2);
        break;
      }
    });
  }

  rings(context, screen, colours, list) {
    for (const [node, weight] of list) {
      if (node < 0 || node * 2 >= screen.length) continue;
      context.strokeStyle = colours.ink;
      context.lineWidth = weight;
      context.beginPath();
      context.arc(screen[2 * node], screen[2 * node + 1], this.radius + 3 + weight, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  /* What follows the pointer. */
  follow() {
    const { context } = fit(this.over), { store, screen, drag } = this, colours = theme(this.area), node = store.hovered;
    if (!this.map) return;
    if (node >= 0 && node !== store.opened && store.state.edges !== "none") {
      const edges = store.edgesOf(this.panel.map, Math.round(this.panel.at), node);
      this.drawEdges(context, screen, edges.map((e) => [node, e.node, e.weight, "open"]), colours, 0.6);
    }
    this.rings(context, screen, colours, [[store.opened, 3], [store.pinned, 2], [node, 1.5]]);
    if (drag && drag.moved && store.state.mode !== "point") {
      context.beginPath();
      this.outline().forEach(([x, y], k) => context[k ? "lineTo" : "moveTo"](x, y));
      context.closePath();
      context.strokeStyle = context.fillStyle = colours.accent;
      context.lineWidth = 1.5;
      context.stroke();
      context.globalAlpha = 0.12;
      context.fill();
      context.globalAlpha = 1;
    }
    this.place();
  }

  /* ---------------------------------------------------------------- card */

  /* Point at a node from this panel; the card shows here. */
  point(node, spoken = "") {
    const here = node >= 0, changed = node !== this.carded;
    this.carded = node;
    this.store.hover(node);
    if (!changed) return;
    clearInterval(this.timer);
    this.card.hidden = !here;
    this.over.style.cursor = here && this.store.state.mode === "point" ? "pointer" : "";
    if (!here) return;
    const texts = this.about(node), { poses } = this.store.content;
    this.lines.replaceChildren(...texts.map((text) => make("div", {}, text)));
    if (spoken !== null) this.told.textContent = texts.join(", ");
    this.pose.hidden = !poses;
    if (!poses) return;
    const size = poses.people * poses.frames * poses.joints * poses.dimensions;
    const person = new Recording(poses, { people: poses.people, frames: poses.frames, points: poses.points.subarray(node * size, (node + 1) * size) });
    const draw = () => {
      const { context, width, height } = fit(this.pose), [azimuth, elevation] = poses.camera || [-60, 12];
      drawBody(context, person, this.step % poses.frames, { x: 0, y: 0, width, height }, theme(this.area), { azimuth, elevation, floor: false });
      this.step += 0.6;
    };
    this.step = 0;
    draw();
    if (poses.frames > 1) this.timer = setInterval(draw, 83);
  }

  /* Lines of text about a node: name, categories, what it is coloured by. */
  about(node) {
    const { store } = this, { categories, names, numbers } = store.nodes, drawn = store.colours(this.k), texts = [names[node]];
    for (const { title, values, codes } of categories.slice(0, 4)) if (values[codes[node]] !== undefined) texts.push(`${title}: ${values[codes[node]]}`);
    if (drawn.kind === "number") {
      const value = drawn.values[node];
      texts.push(`${drawn.title}: ${Number.isFinite(value) ? +value.toPrecision(3) : "unknown"}`);
    } else if (!categories.slice(0, 4).some((c) => c.title === drawn.title)) texts.push(`${drawn.title}: ${drawn.items[drawn.codes[node]].label}`);
    const others = this.alike(node).length - 1;
    if (others > 0) texts.push(`and ${others} more at this place`);
    return texts;
  }

  /* The card beside its node, within the panel. */
  place() {
    if (this.card.hidden || this.carded < 0) return;
    const { offsetWidth: w, offsetHeight: h } = this.card, [x, y] = [this.screen[2 * this.carded], this.screen[2 * this.carded + 1]], gap = this.radius + 12;
    const left = x + gap + w < this.width ? x + gap : Math.max(x - gap - w, 0), top = Math.min(Math.max(y - h / 2, 0), Math.max(this.height - h, 0));
    this.card.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  /* ------------------------------------------------------------- pointing */

  at(event) {
    const box = this.over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /* The node nearest to a place on the screen, or -1; those that are shown come before faded ones. */
  hit(x, y) {
    let best = -1, least = Math.max(this.radius + 4, 9);
    const { screen = [], store } = this;
    for (let node = 0; node < screen.length / 2; node++) {
      const far = Math.hypot(screen[2 * node] - x, screen[2 * node + 1] - y);
      if (far < least && far + (store.faded(node) ? 4 : 0) < least) { best = node; least = far; }
    }
    return best;
  }

  /* Nodes drawn at the same place as this one. */
  alike(node) {
    const { screen } = this, nodes = [];
    for (let other = 0; other < screen.length / 2; other++) {
      if (Math.hypot(screen[2 * other] - screen[2 * node], screen[2 * other + 1] - screen[2 * node + 1]) < 0.5) nodes.push(other);
    }
    return nodes;
  }

  press(event) {
    if (event.button) return;
    this.area.focus({ preventScroll: true });
    this.area.setPointerCapture(event.pointerId);
    const [x, y] = this.at(event);
    this.drag = { path: [[x, y]], moved: false, centre: this.map && this.view(this.width, this.height).middle };
  }

  moved(event) {
    const { drag } = this, [x, y] = this.at(event);
    if (!drag) { this.point(this.map ? this.hit(x, y) : -1); return; }
    const [a, b] = drag.path[0];
    drag.moved = drag.moved || Math.hypot(x - a, y - b) > 4;
    drag.path.push([x, y]);
    if (!drag.moved || !this.map) return;
    if (this.store.state.mode === "point") {
      const { scale } = this.view(this.width, this.height);
      this.centre = [drag.centre[0] - (x - a) / scale, drag.centre[1] + (y - b) / scale];
      this.request();
    } else this.request(false);
  }

  /* The lasso, or the rectangle between the first and the last point. */
  outline() {
    const { path } = this.drag, [[a, b], [c, d]] = [path[0], path[path.length - 1]];
    return this.store.state.mode === "lasso" ? path : [[a, b], [c, b], [c, d], [a, d]];
  }

  release(event) {
    const { drag, store } = this, how = event.altKey ? "remove" : event.shiftKey || event.ctrlKey || event.metaKey ? "add" : "replace";
    if (!drag) return;
    if (drag.moved && store.state.mode !== "point") {
      const outline = this.outline(), nodes = [];
      for (let node = 0; node < this.screen.length / 2; node++) {
        if ((!store.found || store.found[node]) && inside(outline, this.screen[2 * node], this.screen[2 * node + 1])) nodes.push(node);
      }
      store.choose(nodes, how);
    } else if (!drag.moved) {
      const node = this.hit(...drag.path[0]);
      if (node >= 0) this.take(node, how);
    }
    this.drop();
  }

  drop() { this.drag = null; this.request(false); }

  /* Open a node, or the next one at its place where it is open already; or add it to what is chosen, or remove it. */
  take(node, how) {
    const { store } = this, nodes = this.alike(node);
    if (how === "replace") store.set({ open: store.nodes.names[nodes[(nodes.indexOf(store.opened) + 1) % nodes.length] ?? node], pinned: null });
    else store.choose([node], how);
  }

  /* Only where the map has the focus, so that a page still scrolls past it. */
  wheel(event) {
    if (!event.ctrlKey && !this.area.contains(this.area.getRootNode().activeElement)) return;
    event.preventDefault();
    this.zoomAt(...this.at(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
  }

  /* To the nearest node in a direction of the screen, from the one pointed at, the open one, or the middle. */
  walk(dx, dy) {
    const { store, screen } = this, from = store.hovered >= 0 ? store.hovered : store.opened;
    const [x, y] = from >= 0 ? [screen[2 * from], screen[2 * from + 1]] : [this.width / 2, this.height / 2];
    let best = -1, least = Infinity;
    for (let node = 0; node < screen.length / 2; node++) {
      const a = screen[2 * node] - x, b = screen[2 * node + 1] - y, far = Math.hypot(a, b), along = a * dx + b * dy;
      if (node !== from && !store.faded(node) && along > 0.5 * far && 2 * far - along < least) { best = node; least = 2 * far - along; }
    }
    if (best < 0) return;
    const outside = screen[2 * best] < 0 || screen[2 * best] > this.width || screen[2 * best + 1] < 0 || screen[2 * best + 1] > this.height;
    if (outside) { this.centre = [this.world[2 * best], this.world[2 * best + 1]]; this.request(); }
    this.point(best);
  }

  key(event) {
    const { store, panel } = this, mode = { l: "lasso", r: "rectangle", p: "point" }[event.key], command = event.ctrlKey || event.metaKey;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!this.map || (command && !["z", "Enter"].includes(event.key))) return;
    if (arrow) this.walk(...arrow);
    else if (event.key === "Enter" && store.hovered >= 0) this.take(store.hovered, event.altKey ? "remove" : event.shiftKey || command ? "add" : "replace");
    else if (event.key === "[" || event.key === "]") store.show(this.k, { at: event.key === "[" ? Math.ceil(panel.at) - 1 : Math.floor(panel.at) + 1 });
    else if (event.key === " ") this.area.dispatchEvent(new CustomEvent("stgcnlib-play", { bubbles: true }));
    else if (event.key === "Escape") { if (this.drag) this.drop(); else store.choose([]); }
    else if (command && event.key === "z") store.undo();
    else if (event.key === "+" || event.key === "-") this.zoomAt(this.width / 2, this.height / 2, event.key === "+" ? 1.4 : 1 / 1.4);
    else if (event.key === "0") this.reset();
    else if (mode) store.set({ mode });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
