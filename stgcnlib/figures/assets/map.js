/* The map of one layer: recordings as points, NNK edges of those chosen, names of classes; for pointing and choosing.

   Points, edges and names lie on one canvas; what follows the pointer (rings, the lasso) lies on a second above it, so
   that hovering draws little. The nearest point is looked for among all: 5,000 distances take less than 1 ms. */

const MOVING = 250;
const MOST_EDGES = 6000;
const MOST_LABELS = 24;

const smooth = (t) => t * t * (3 - 2 * t);
const blend = (a, b, share) => (share ? a.map((x, i) => x + share * (b[i] - x)) : a);
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
      message: "",
      screen: [],
    });
    root.append(this.area);
    this.hand = new Pointing(this);
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
    this.hand.destroy();
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
    const { layers, points } = map;
    const n = 2 * store.count;
    const low = Math.floor(panel.at);
    const at = (l) => points.subarray(l * n, (l + 1) * n);
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
    const { scale, middle } = this.view();
    const dx = x - this.width / 2;
    const dy = this.height / 2 - y;
    const zoom = clamp(this.zoom * factor, 0.5, 60);
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
      const { context, width, height } = fit(this.base);
      const { motion } = this;
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
    const colours = theme(this.area);
    const { store, map } = this;
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
    const { store } = this;
    const { map, at } = this.panel;
    const { edges, colour } = store.values;
    const { opened } = store;
    const list = [];
    const add = (from, found, kind) => found.forEach((edge) => list.push({ ...edge, from, kind }));
    const of = (node) => store.edgesOf(map, Math.round(at), node);
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
    const { ink } = theme(this.area);
    const { opened, pinned } = this.store;
    for (const [node, weight] of [
      [opened, 3],
      [pinned, 2],
      [hovered, 1.5],
    ])
      drawRing(context, this.spot(node, screen), this.radius + 3 + weight, weight, ink);
  }

  /* What follows the pointer. */
  follow() {
    const { context } = fit(this.over);
    const { store, screen, panel, map } = this;
    const { drag } = this.hand;
    const colours = theme(this.area);
    const node = store.hovered;
    const { mode } = store.values;
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
      for (const [x, y] of this.hand.outline()) context.lineTo(x, y);
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
      const others = this.alike(node).length - 1;
      const texts = node < 0 ? [] : this.store.about(node, this.k);
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
}
