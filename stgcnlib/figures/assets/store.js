/* What an explorer shows, and what of it is chosen and pointed at. The store draws nothing; what draws listens to it:
     store.set({colour: "class", open: "a01"})        checks, keeps, and tells listeners once per microtask
     store.on(["colour", "panels"], changed => …)     or on("all", …); returns the function that stops listening
     store.hover(node), store.on("hover", node => …)  is told at once
   Told are keys of the state, "maps" when one has arrived, "theme". Nodes are numbers inside and names in the state. */
class Store {
  /* content: of kind "explorer", packed or not. link: to a kernel, or null. */
  constructor(content, link = null, buffers = []) {
    const { nodes, maps, offered = [], state = {} } = (this.content = unpack(content, buffers));
    Object.assign(this, {
      link,
      nodes,
      offered,
      count: nodes.count,
      maps: [...maps],
      listeners: new Set(),
      touched: new Set(),
      cache: new Map(),
      waiting: {},
    });
    Object.assign(this, {
      subset: new Uint8Array(nodes.count),
      chosen: 0,
      undone: [],
      found: null,
      hovered: -1,
      dark: false,
    });
    this.numbers = new Map(nodes.names.map((name, node) => [name, node]).reverse()); // the first of equal names
    this.values = {
      panels: maps.slice(0, 1).map(({ key, layers }) => ({ map: key, at: layers.length - 1 })),
      colour: this.choices[0].key,
      open: null,
      pinned: null,
      mode: "point",
      search: "",
      from: null,
      to: null,
      edges: "open",
    };
    this.set(state);
    this.touched.clear();
  }

  destroy() {
    this.listeners.clear();
    this.cache.clear();
  }

  /* ------------------------------------------------------------ state */

  get state() {
    return {
      ...this.values,
      subset: this.cached("subset", () => this.nodes.names.filter((_, node) => this.subset[node])),
    };
  }

  /* Nodes opened and pinned, or -1. */
  get opened() {
    return this.index(this.values.open);
  }
  get pinned() {
    return this.index(this.values.pinned);
  }

  /* What cannot be is left as it was. */
  set(change) {
    const among = (list) => (value) => list.includes(value);
    const node = (value) => value === null || this.numbers.has(value);
    const layer = (value) => value === null || (Number.isInteger(value) && value >= 0);
    const checks = {
      panels: Array.isArray,
      colour: among(this.choices.map(({ key }) => key)),
      open: node,
      pinned: node,
      mode: among(["point", "lasso", "rectangle"]),
      search: (value) => typeof value === "string",
      from: layer,
      to: layer,
      edges: among(["open", "subset", "none"]),
    };
    for (const [key, check] of Object.entries(checks)) {
      if (!check(change[key])) continue;
      const value = key === "panels" ? this.panelsOf(change.panels) : change[key];
      if (JSON.stringify(value) === JSON.stringify(this.values[key])) continue;
      this.values[key] = value;
      if (key === "search") this.found = value.trim() ? this.mask(this.matches(value)) : null;
      this.touch(key);
    }
    if (Array.isArray(change.subset))
      this.choose(change.subset.map((name) => this.index(name)).filter((found) => found >= 0));
  }

  /* The panels that can be shown: of maps that are here or on offer, at a layer that is there. */
  panelsOf(panels) {
    const possible = panels
      .slice(0, 2)
      .filter((panel) => panel && [...this.maps, ...this.offered].some(({ key }) => key === panel.map));
    return possible.length
      ? possible.map(({ map, at }) => {
          const last = (this.map(map)?.layers.length ?? Infinity) - 1;
          return { map, at: Number.isFinite(at) ? Math.min(Math.max(at, 0), last) : last };
        })
      : this.values.panels;
  }

  /* Move panel k to a layer (a fraction lies between two) or to another map. */
  show(k, change) {
    this.set({ panels: this.values.panels.map((panel, i) => (i === k ? { ...panel, ...change } : panel)) });
  }

  json() {
    return JSON.parse(JSON.stringify(this.state));
  }

  restore(json) {
    this.set({ subset: [], open: null, pinned: null, search: "", from: null, to: null, ...json });
  }

  /* --------------------------------------------------------- listening */

  on(keys, callback) {
    const entry = { keys: [keys].flat(), callback };
    this.listeners.add(entry);
    return () => this.listeners.delete(entry);
  }

  tell(changed, message) {
    for (const entry of [...this.listeners])
      if (this.listeners.has(entry) && entry.keys.some((key) => changed.has(key))) entry.callback(message);
  }

  touch(key) {
    if (!this.touched.size)
      queueMicrotask(() => {
        const changed = this.touched;
        this.touched = new Set();
        if (changed.size) this.tell(new Set([...changed, "all"]), changed);
      });
    this.touched.add(key);
  }

  hover(node) {
    if (node === this.hovered) return;
    this.hovered = node;
    this.tell(new Set(["hover"]), node);
  }

  setDark(dark) {
    if (dark === this.dark) return;
    this.dark = dark;
    this.touch("theme");
  }

  /* ------------------------------------------------------ maps, layers, edges */

  index(name) {
    return this.numbers.get(name) ?? -1;
  }

  map(key) {
    return this.maps.find((map) => map.key === key);
  }

  /* The map of this key, asked from the kernel where it is only on offer. */
  async load(key) {
    if (this.map(key)) return this.map(key);
    if (!this.link) throw new Error(`the map "${key}" is not in this page, and no kernel can be asked for it`);
    this.waiting[key] ||= this.link
      .ask("map", { key })
      .then((reply) => {
        this.maps.push(unpack(reply));
        this.set({ panels: this.values.panels }); // layers that it has
        this.touch("maps");
      })
      .finally(() => delete this.waiting[key]);
    await this.waiting[key];
    return this.map(key);
  }

  /* Two layers to compare: those set, or the layer that panel k shows and the one before it. */
  span(k = 0) {
    const panel = this.values.panels[k];
    const last = (this.map(panel?.map)?.layers.length || 1) - 1;
    const to = Math.min(this.values.to ?? Math.round(panel?.at || 0), last);
    return { from: Math.min(this.values.from ?? Math.max(to - 1, 0), last), to };
  }

  /* A node's NNK neighbours, the heaviest first: [{node, weight}]. */
  edgesOf(key, layer, node) {
    const map = this.map(key);
    const edges = [];
    if (!map || node < 0) return edges;
    const { starts, ends, weights } = map.edges;
    const at = layer * (this.count + 1) + node;
    for (let e = starts[at]; e < starts[at + 1]; e++) edges.push({ node: ends[e], weight: weights[e] });
    return edges.sort((a, b) => b.weight - a.weight);
  }

  /* Shares of the weight of edges by what `codes` says of their ends: [[code, share], …], the largest first. */
  sharesOf(edges, codes) {
    const sums = new Map();
    let all = 0;
    for (const { node, weight } of edges) {
      sums.set(codes[node], (sums.get(codes[node]) || 0) + weight);
      all += weight;
    }
    return [...sums].map(([code, sum]) => [code, sum / all]).sort((a, b) => b[1] - a[1]);
  }

  /* (N,) how many recordings are joined with each, in either direction. */
  degree(key, layer) {
    return this.cached(`degree ${key} ${layer}`, () => {
      const joined = this.nodes.names.map(() => new Set());
      joined.forEach((own, i) => {
        for (const { node } of this.edgesOf(key, layer, i)) {
          own.add(node);
          joined[node].add(i);
        }
      });
      return Uint16Array.from(joined, (own) => own.size);
    });
  }

  /* Neighbours of a node kept, lost and gained between two layers, as edges; those kept with their weight at `to`. */
  flipsOf(key, from, to, node) {
    const before = this.edgesOf(key, from, node);
    const after = this.edgesOf(key, to, node);
    const [a, b] = [before, after].map((edges) => new Set(edges.map((e) => e.node)));
    return {
      kept: after.filter((e) => a.has(e.node)),
      lost: before.filter((e) => !b.has(e.node)),
      gained: after.filter((e) => !a.has(e.node)),
    };
  }

  /* How many they are, for every node: {kept, lost, gained}, each (N,). */
  flips(key, from, to) {
    return this.cached(`flips ${key} ${from} ${to}`, () => {
      const found = this.nodes.names.map((_, node) => this.flipsOf(key, from, to, node));
      const count = (kind) => Uint16Array.from(found, (each) => each[kind].length);
      return { kept: count("kept"), lost: count("lost"), gained: count("gained") };
    });
  }

  /* ---------------------------------------------------------- colours */

  /* What smoothness is called: that of labels or of a real target. */
  get smoothness() {
    return `${this.content.measured ?? "label"} smoothness`;
  }

  /* What recordings can be coloured by: [{key, title}]. */
  get choices() {
    const others = { smoothness: this.smoothness, degree: "degree", flips: "neighbours changed" };
    return [
      ...this.nodes.categories,
      ...this.nodes.numbers,
      ...Object.entries(others).map(([key, title]) => ({ key, title })),
    ].map(({ key, title }) => ({ key, title }));
  }

  /* For panel k: {kind, title, codes (N,) into palette and markers, …}; the last of the palette means unknown.
     A category has items [{label, colour, marker, count, shown}], by code; numbers have values, low, high and ramp. */
  colours(k = 0) {
    const { panels, colour } = this.values;
    const { map, at = 0 } = panels[k] || {};
    const span = this.span(k);
    const category = this.nodes.categories.find(({ key }) => key === colour);
    // While a map is on its way its numbers are unknown; they are not when it is here.
    const place = category ? "" : `${map} ${Boolean(this.map(map))} ${Math.round(at)} ${span.from} ${span.to}`;
    const result = this.cached(`colours ${colour} ${this.dark} ${place}`, () =>
      category ? categorical(category, this.dark) : numeric(this, colour, this.map(map), Math.round(at), span),
    );
    if (category && result.counted !== this.subset) {
      for (const item of result.items) item.shown = this.chosen ? 0 : item.count;
      if (this.chosen)
        result.codes.forEach((code, node) => {
          result.items[code].shown += this.subset[node];
        });
      result.counted = this.subset;
    }
    return result;
  }

  /* Lines of text about a node: its name, categories, and what panel k colours by. */
  about(node, k = 0) {
    const { names, categories } = this.nodes;
    const { title, items, codes, values } = this.colours(k);
    const value = items ? items[codes[node]].label : values[node];
    const known = categories
      .slice(0, 4)
      .filter((category) => category.codes[node] in category.values)
      .map((c) => `${c.title}: ${c.values[c.codes[node]]}`);
    return [
      ...new Set([
        names[node],
        ...known,
        `${title}: ${items ? value : Number.isFinite(value) ? +value.toPrecision(3) : "unknown"}`,
      ]),
    ];
  }

  /* ------------------------------------------------- choosing, searching */

  mask(nodes, mask = new Uint8Array(this.count), value = 1) {
    for (const node of nodes) mask[node] = value;
    return mask;
  }

  /* Choose these nodes: how is "replace", "add" or "remove". Nothing chosen means that all are shown alike. */
  choose(nodes, how = "replace") {
    const mask = this.mask(nodes, how === "replace" ? undefined : this.subset.slice(), how === "remove" ? 0 : 1);
    if (mask.every((on, node) => on === this.subset[node])) return;
    this.undone = [...this.undone.slice(-50), this.subset];
    this.keep(mask);
  }

  undo() {
    if (this.undone.length) this.keep(this.undone.pop());
  }

  keep(mask) {
    this.subset = mask;
    this.chosen = mask.reduce((sum, on) => sum + on, 0);
    this.cache.delete("subset");
    this.touch("subset");
  }

  /* Nodes whose name, class, subject and other categories hold every word of the text. */
  matches(text) {
    const words = text.toLowerCase().split(/\s+/);
    const { names, categories } = this.nodes;
    const texts = this.cached("texts", () =>
      names.map((name, node) =>
        [name, ...categories.map(({ values, codes }) => values[codes[node]])].join("\n").toLowerCase(),
      ),
    );
    return [...texts.keys()].filter((node) => words.every((word) => texts[node].includes(word)));
  }

  /* Whether a node is faded: outside of what is chosen, or not found. */
  faded(node) {
    return (this.chosen > 0 && !this.subset[node]) || (this.found !== null && !this.found[node]);
  }

  cached(key, make) {
    if (!this.cache.has(key)) {
      if (this.cache.size > 60) this.cache.delete(this.cache.keys().next().value);
      this.cache.set(key, make());
    }
    return this.cache.get(key);
  }
}
