/* What an explorer shows, and what of it is chosen and pointed at.

   The store draws nothing. Maps, recording panel and controls read it and listen to it:
     store.set({colour: "class", open: "a01"})      checks, keeps, and tells listeners once per microtask
     store.on(["colour", "panels"], changed => …)   or on("all", …); returns the function that stops listening
     store.hover(node), store.on("hover", node => …)  pointing has its own channel and is told at once
   Keys told: those of the state, "maps" when a map has arrived, "theme". Nodes are numbers inside and names in the state. */
const GREY = "#8a94a0", UNDO = 50;
const COLOURS = ["#332288", "#cc6677", "#117733", "#88ccee", "#aa4499", "#ddaa33", "#44aa99", "#882255", "#999933"];
const MARKERS = "os^DvPXp<>h*";  // as matplotlib names them
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"].map((hex, k) => [k / 8, hex]);
const RAMP = ramp(VIRIDIS);

/* A colour that can be seen on a dark ground. */
function onDark(hex) {
  const [r, g, b] = rgb(hex), light = (0.3 * r + 0.59 * g + 0.11 * b) / 255;
  return light < 0.5 ? ramp([[0, hex], [1, "#ffffff"]])[Math.round(140 - 230 * light)] : hex;
}

class Store {
  /* content: of kind "explorer", packed or not. link: to a kernel, or null. */
  constructor(content, link = null, buffers = undefined) {
    this.content = content = unpack(content, buffers);
    this.link = link;
    this.nodes = content.nodes;
    this.count = this.nodes.count;
    this.maps = [...content.maps];
    this.offered = content.offered || [];
    this.listeners = new Set();
    this.touched = new Set();
    this.cache = new Map();
    this.waiting = new Map();
    this.undone = [];
    this.dark = false;
    this.hovered = -1;
    this.subset = new Uint8Array(this.count);
    this.chosen = 0;
    this.found = null;  // mask of what the search found
    this.numbers = new Map();
    this.nodes.names.forEach((name, node) => this.numbers.has(name) || this.numbers.set(name, node));
    const first = this.maps[0];
    this.values = {
      panels: first ? [{ map: first.key, at: first.layers.length - 1 }] : [],
      colour: this.choices[0].key, open: null, pinned: null, mode: "point", search: "", from: null, to: null, edges: "open",
    };
    this.set(content.state || {});
    this.touched.clear();
  }

  /* ------------------------------------------------------------ state */

  get state() { return { ...this.values, subset: this.chosenNames }; }

  get chosenNames() { return this.cached("names", () => this.nodes.names.filter((_, node) => this.subset[node])); }

  /* Nodes opened and pinned, or -1. */
  get opened() { return this.index(this.values.open); }
  get pinned() { return this.index(this.values.pinned); }

  set(change) {
    const known = (list, fallback) => (value) => (list.includes(value) ? value : fallback);
    const node = (value) => (value === null || this.numbers.has(value) ? value : undefined);
    const layer = (value) => (value === null ? null : Number.isFinite(value) ? Math.max(0, Math.round(value)) : undefined);
    const rules = {
      panels: (value) => this.panelsOf(value), open: node, pinned: node, from: layer, to: layer,
      colour: known(this.choices.map((c) => c.key)), mode: known(["point", "lasso", "rectangle"]),
      edges: known(["open", "subset", "none"]), search: (value) => (typeof value === "string" ? value : undefined),
    };
    for (const [key, rule] of Object.entries(rules)) {
      if (!(key in change)) continue;
      const value = rule(change[key]);
      if (value === undefined || JSON.stringify(value) === JSON.stringify(this.values[key])) continue;
      this.values[key] = value;
      if (key === "search") this.found = value.trim() ? this.mask(this.matches(value)) : null;
      this.touch(key);
    }
    if (Array.isArray(change.subset)) {
      this.choose(change.subset.map((name) => this.index(name)).filter((k) => k >= 0), "replace");
    }
  }

  /* Panels that can be shown: of maps that are here or on offer, at a layer that is there. */
  panelsOf(value) {
    if (!Array.isArray(value)) return undefined;
    const panels = value.slice(0, 2).flatMap((panel) => {
      const map = panel && this.map(panel.map);
      if (!map && !this.offered.some((o) => panel && o.key === panel.map)) return [];
      const last = map ? map.layers.length - 1 : Infinity, at = Number.isFinite(panel.at) ? panel.at : last;
      return [{ map: panel.map, at: Math.min(Math.max(at, 0), last) }];
    });
    return panels.length ? panels : undefined;
  }

  /* Move panel k to a layer (a fraction is between two) or to another map. */
  show(k, change) { this.set({ panels: this.values.panels.map((panel, i) => (i === k ? { ...panel, ...change } : panel)) }); }

  json() { return JSON.parse(JSON.stringify(this.state)); }

  restore(json) { this.set({ subset: [], open: null, pinned: null, search: "", from: null, to: null, ...json }); }

  /* --------------------------------------------------------- listening */

  on(keys, callback) {
    const entry = { keys: new Set([].concat(keys)), callback };
    this.listeners.add(entry);
    return () => this.listeners.delete(entry);
  }

  touch(key) {
    if (!this.touched.size) {
      queueMicrotask(() => {
        const changed = this.touched;
        this.touched = new Set();
        for (const entry of [...this.listeners]) {
          if (this.listeners.has(entry) && (entry.keys.has("all") || [...changed].some((k) => entry.keys.has(k)))) entry.callback(changed);
        }
      });
    }
    this.touched.add(key);
  }

  hover(node) {
    if (node === this.hovered) return;
    this.hovered = node;
    for (const entry of [...this.listeners]) if (entry.keys.has("hover")) entry.callback(node);
  }

  setDark(dark) {
    if (dark !== this.dark) { this.dark = dark; this.touch("theme"); }
  }

  destroy() { this.listeners.clear(); this.cache.clear(); }

  /* ------------------------------------------------------- maps, layers */

  index(name) { return this.numbers.get(name) ?? -1; }

  map(key) { return this.maps.find((map) => map.key === key); }

  /* The map of this key, asked from the kernel where it is only on offer. */
  async load(key) {
    if (this.map(key)) return this.map(key);
    if (!this.link) throw new Error(`the map "${key}" is not in this page, and no kernel can be asked for it`);
    if (!this.waiting.has(key)) {
      this.waiting.set(key, this.link.ask("map", { key }).then((reply) => {
        const map = unpack(reply);
        this.maps.push(map);
        this.set({ panels: this.values.panels });  // a layer that it has
        this.touch("maps");
        return map;
      }).finally(() => this.waiting.delete(key)));
    }
    return this.waiting.get(key);
  }

  /* Two layers to compare: those set, or the layer that a panel shows and the one before it. */
  span(k = 0) {
    const panel = this.values.panels[k], last = ((panel && this.map(panel.map)) || { layers: [0] }).layers.length - 1;
    const to = Math.min(this.values.to ?? Math.round(panel ? panel.at : 0), last);
    return { from: Math.min(this.values.from ?? Math.max(to - 1, 0), last), to };
  }

  edgesOf(key, layer, node) {
    const map = this.map(key), edges = [];
    if (!map || node < 0) return edges;
    const { starts, ends, weights } = map.edges, at = layer * (this.count + 1) + node;
    for (let e = starts[at]; e < starts[at + 1]; e++) edges.push({ node: ends[e], weight: weights[e] });
    return edges.sort((a, b) => b.weight - a.weight);
  }

  /* (N,) how many recordings are joined with each, in either direction. */
  degree(key, layer) {
    return this.cached(`degree ${key} ${layer}`, () => {
      const { starts, ends } = this.map(key).edges, base = layer * (this.count + 1), result = new Uint16Array(this.count);
      const pairs = new Set();
      for (let i = 0; i < this.count; i++) {
        for (let e = starts[base + i]; e < starts[base + i + 1]; e++) {
          const pair = Math.min(i, ends[e]) * this.count + Math.max(i, ends[e]);
          if (!pairs.has(pair)) { pairs.add(pair); result[i]++; result[ends[e]]++; }
        }
      }
      return result;
    });
  }

  /* How many neighbours each recording keeps, loses and gains between two layers. */
  flips(key, from, to) {
    return this.cached(`flips ${key} ${from} ${to}`, () => {
      const { starts, ends } = this.map(key).edges, N = this.count, seen = new Int32Array(N).fill(-1);
      const result = { kept: new Uint16Array(N), lost: new Uint16Array(N), gained: new Uint16Array(N) };
      for (let i = 0; i < N; i++) {
        const a = from * (N + 1) + i, b = to * (N + 1) + i;
        for (let e = starts[a]; e < starts[a + 1]; e++) seen[ends[e]] = i;
        for (let e = starts[b]; e < starts[b + 1]; e++) result[seen[ends[e]] === i ? "kept" : "gained"][i]++;
        result.lost[i] = starts[a + 1] - starts[a] - result.kept[i];
      }
      return result;
    });
  }

  /* The same for one recording, as edges: those kept with their weight at `to`. */
  flipsOf(key, from, to, node) {
    const before = this.edgesOf(key, from, node), after = this.edgesOf(key, to, node);
    const [a, b] = [before, after].map((edges) => new Set(edges.map((e) => e.node)));
    return {
      kept: after.filter((e) => a.has(e.node)), gained: after.filter((e) => !a.has(e.node)), lost: before.filter((e) => !b.has(e.node)),
    };
  }

  /* ---------------------------------------------------------- colours */

  /* What recordings can be coloured by. */
  get choices() {
    const of = (list) => list.map(({ key, title }) => ({ key, title }));
    return [
      ...of(this.nodes.categories), ...of(this.nodes.numbers), { key: "smoothness", title: "label smoothness" },
      { key: "degree", title: "degree" }, { key: "flips", title: "neighbours changed" },
    ];
  }

  /* For panel k: {kind, title, codes (N,) into palette and markers, …}; the last of the palette means unknown.
     A category has items [{label, colour, marker, count, shown}], by code; numbers have values, low, high and ramp. */
  colours(k = 0) {
    const { panels, colour } = this.values, panel = panels[k] || { at: 0 }, category = this.category(colour);
    const layer = Math.round(panel.at), span = this.span(k), place = category ? "" : `${panel.map} ${layer} ${span.from} ${span.to}`;
    const result = this.cached(`colours ${colour} ${this.dark} ${place}`, () => {
      const made = category ? this.categorical(category) : this.numeric(colour, panel.map, layer, span);
      made.palette = made.palette.map((hex) => (this.dark && category ? onDark(hex) : hex));
      if (category) made.items.forEach((item, code) => { item.colour = made.palette[code]; });
      return made;
    });
    if (category && result.counted !== this.subset) {
      result.items.forEach((item) => { item.shown = this.chosen ? 0 : item.count; });
      if (this.chosen) result.codes.forEach((code, node) => { result.items[code].shown += this.subset[node]; });
      result.counted = this.subset;
    }
    return result;
  }

  category(key) { return this.nodes.categories.find((c) => c.key === key); }

  categorical({ title, values, codes, colours, markers }) {
    const items = [...values, "unknown"].map((label) => ({ label, count: 0 }));
    const own = Uint16Array.from(codes, (code) => Math.min(code, values.length));
    own.forEach((code) => { items[code].count++; });
    const palette = values.map((_, c) => (colours ? colours[c] : COLOURS[c % COLOURS.length]));
    items.forEach((item, c) => {
      item.marker = c === values.length ? "o" : markers ? markers[c] : MARKERS[Math.floor(c / COLOURS.length) % MARKERS.length];
    });
    return { kind: "category", title, codes: own, palette: [...palette, GREY], items, markers: items.map((item) => item.marker) };
  }

  numeric(key, mapKey, layer, { from, to }) {
    const map = this.map(mapKey), none = new Float32Array(this.count).fill(NaN), name = (l) => map.layers[l].title;
    let title, values = none, all;
    if (key === "smoothness") {
      title = `label smoothness${map ? `, ${name(layer)}` : ""}`;
      if (map) [values, all] = [map.smoothness.subarray(layer * this.count, (layer + 1) * this.count), map.smoothness];
    } else if (key === "degree") {
      title = `degree${map ? `, ${name(layer)}` : ""}`;
      if (map) values = this.degree(mapKey, layer);
    } else if (key === "flips") {
      title = `neighbours changed${map ? `, ${name(from)} to ${name(to)}` : ""}`;
      if (map) {
        const { lost, gained } = this.flips(mapKey, from, to);
        values = lost.map((n, i) => n + gained[i]);
      }
    } else {
      ({ title, values } = this.nodes.numbers.find((n) => n.key === key));
    }
    const sorted = Float32Array.from(all || values).filter(Number.isFinite).sort(), last = sorted.length - 1;
    const low = last < 0 ? 0 : sorted[Math.floor(0.01 * last)], high = last < 0 ? 1 : sorted[Math.ceil(0.99 * last)];
    const codes = Uint16Array.from(values, (x) => {
      const share = high > low ? (x - low) / (high - low) : 0.5;
      return Number.isFinite(x) ? Math.round(255 * Math.min(Math.max(share, 0), 1)) : 256;
    });
    return { kind: "number", title, codes, palette: [...RAMP, GREY], markers: "o".repeat(257), values, low, high, ramp: RAMP };
  }

  /* ------------------------------------------------- choosing, searching */

  mask(nodes) {
    const mask = new Uint8Array(this.count);
    for (const node of nodes) mask[node] = 1;
    return mask;
  }

  /* Choose these nodes: how is "replace", "add" or "remove". Nothing chosen means that all are shown alike. */
  choose(nodes, how = "replace") {
    const mask = how === "replace" ? new Uint8Array(this.count) : this.subset.slice();
    for (const node of nodes) mask[node] = how === "remove" ? 0 : 1;
    if (mask.every((on, node) => on === this.subset[node])) return;
    this.undone.push(this.subset);
    if (this.undone.length > UNDO) this.undone.shift();
    this.keep(mask);
  }

  undo() { if (this.undone.length) this.keep(this.undone.pop()); }

  keep(mask) {
    this.subset = mask;
    this.chosen = mask.reduce((sum, on) => sum + on, 0);
    this.cache.delete("names");
    this.touch("subset");
  }

  /* Nodes whose name, class, subject and other categories hold every word of the text. */
  matches(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const texts = this.cached("texts", () => this.nodes.names.map((name, node) => [
      name, ...this.nodes.categories.map(({ values, codes }) => values[codes[node]] ?? ""),
    ].join("\n").toLowerCase()));
    return [...texts.keys()].filter((node) => words.every((word) => texts[node].includes(word)));
  }

  /* Whether a node is faded: outside of what is chosen, or not found. */
  faded(node) { return (this.chosen > 0 && !this.subset[node]) || (this.found !== null && !this.found[node]); }

  cached(key, make) {
    if (!this.cache.has(key)) {
      if (this.cache.size > 60) this.cache.delete(this.cache.keys().next().value);
      this.cache.set(key, make());
    }
    return this.cache.get(key);
  }
}
