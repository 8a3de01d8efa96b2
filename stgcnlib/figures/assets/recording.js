/* The opened recording: it plays beside its NNK neighbours; their weights, and the neighbours that change between two layers. With a kernel the player comes from there; without one from the poses. */

/* The joints that a layer looks at most, in words: a line for each recording with relevance, its mean over frames. */
const lookedAt = ({ bodies, joints, layers }) =>
  bodies
    .filter(({ maps }) => layers.length && maps[layers.length - 1])
    .map(({ title, maps }) => {
      const map = maps[layers.length - 1],
        scale = (map instanceof Int8Array ? 127 : 255) * (map.length / joints.length),
        sums = joints.map(() => 0);
      map.forEach((x, k) => {
        sums[k % joints.length] += x / scale;
      });
      const most = [...sums.keys()].sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a])).slice(0, 4);
      return `${title}: ${most.map((joint) => `${joints[joint]} ${sums[joint].toFixed(2).replace("-", "−")}`).join(", ")}`;
    });

class RecordingPanel {
  constructor(root, store) {
    Object.assign(this, { store, k: 0, turn: 0, shown: {}, job: null, reply: null, player: null });
    const div = (className, ...children) => make("div", { className }, ...children),
      layer = (label, key) => choice(label, (value) => store.set({ [key]: +value }));
    this.title = make("h3");
    this.facts = make("p", { className: "explorer-soft" });
    this.note = make("p", { className: "explorer-soft", role: "status" });
    this.error = make("p", { className: "explorer-error", role: "alert" });
    this.stage = div("recording-stage");
    this.looks = make("p", { className: "recording-looks members-alike explorer-soft" });
    this.bar = make("progress", { max: 1, value: 0, "aria-label": "progress" });
    this.words = make("span");
    this.work = div(
      "recording-work",
      this.bar,
      this.words,
      button("Cancel", () => this.cancel()),
    );
    this.compute = button("Relevance of this recording is not stored: compute it", () => this.relevance());
    this.heading = make("h4");
    this.shares = make("p", { className: "explorer-soft", role: "status" });
    this.strip = make("canvas", {
      className: "recording-strip",
      tabIndex: 0,
      role: "img",
      onpointermove: (event) => this.tell(this.column(event)),
    });
    Object.assign(this.strip, {
      onpointerleave: () => this.tell(this.place.layer),
      onclick: (event) => store.show(this.k, { at: this.column(event) }),
    });
    this.strip.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) {
        store.show(this.k, { at: this.place.layer + step });
        event.preventDefault();
      }
    };
    this.sizes = new ResizeObserver(() => this.drawStrip());
    this.sizes.observe(this.strip);
    this.neighbours = make("ul", { className: "explorer-list" });
    this.costs = new CostMatrix();
    this.from = layer("from", "from");
    this.to = layer("to", "to");
    this.flips = div("");
    this.body = div(
      "",
      this.error,
      this.stage,
      this.looks,
      this.compute,
      this.work,
      this.note,
      this.heading,
      this.strip,
      this.shares,
      this.neighbours,
      this.costs.root,
      make("h4", {}, "Neighbours that change"),
      div("explorer-row", this.from, this.to),
      this.flips,
    );
    root.replaceChildren(this.title, this.facts, this.body);
    this.offs = [
      store.on(["open", "panels", "maps"], () => this.refresh()),
      store.on("pinned", () => this.pin()),
      store.on(["colour", "theme", "from", "to"], () => {
        this.list();
        this.costs.draw();
      }),
    ];
    if (store.link) this.offs.push(store.link.on("progress", (told) => this.progress(told)));
    this.refresh();
  }

  destroy() {
    this.cancel();
    this.turn++;
    clearTimeout(this.timer);
    this.costs.destroy();
    this.sizes.disconnect();
    for (const off of this.offs) if (off) off();
    if (this.player) this.player.destroy();
  }

  /* What is asked for: the open recording at the layer of panel k. */
  get place() {
    const { panels, open } = this.store.state,
      { map, at } = panels[this.k] || panels[0] || {};
    return { node: open, map, layer: Math.round(at) };
  }

  refresh() {
    const { store, shown, place } = this,
      { node, map, layer } = place,
      here = store.map(map);
    this.body.hidden = node === null || !here;
    this.title.textContent = node ?? "No recording is open";
    this.facts.textContent =
      node === null ? "Click a recording on the map, or take one of the ways in." : this.about(store.opened);
    if (this.body.hidden || (shown.node === node && shown.map === map && shown.layer === layer)) {
      if (this.body.hidden && this.player) this.player.pause();
      if (!this.body.hidden) this.list();
      return;
    }
    const moved = shown.node !== node;
    this.shown = place;
    this.cancel();
    this.turn++;
    clearTimeout(this.timer);
    this.error.textContent = "";
    if (moved || !store.link)
      this.show({ player: this.posed(store.opened), neighbours: this.nearest(store.opened), costs: [], posed: true });
    this.list();
    // A layer that is only passed by is not asked for.
    if (store.link) this.timer = setTimeout(() => this.ask("open"), moved ? 0 : 200);
  }

  about(node) {
    const { categories, numbers } = this.store.nodes;
    const told = categories
      .filter(({ values, codes }) => codes[node] in values)
      .map(({ title, values, codes }) => `${title} ${values[codes[node]]}`);
    for (const { title, values } of numbers)
      if (Number.isFinite(values[node])) told.push(`${title} ${+values[node].toPrecision(3)}`);
    return told.join(" · ");
  }

  /* ---------------------------------------------------- the kernel's part */

  async ask(kind, more = {}) {
    const { turn } = this;
    this.note.textContent = this.reply && this.reply.posed ? "Asking the kernel …" : "";
    try {
      const reply = unpack(await this.store.link.ask(kind, { ...this.place, ...more }));
      if (turn === this.turn) this.show(reply);
    } catch (error) {
      if (turn === this.turn) this.fail(error.message);
    }
  }

  fail(message) {
    this.error.textContent = message;
    this.note.textContent = this.reply && this.reply.posed ? this.posedNote : "";
  }

  async relevance() {
    const job = (this.job = { id: `relevance ${Math.random()}` });
    this.bar.value = 0;
    this.words.textContent = "waiting …";
    this.error.textContent = "";
    this.offer();
    await this.ask("relevance", job);
    if (this.job !== job) return;
    this.job = null;
    this.offer();
  }

  progress({ id, share, text }) {
    if (!this.job || id !== this.job.id) return;
    this.bar.value = share;
    this.words.textContent = text;
  }

  cancel() {
    const { job } = this;
    if (!job) return;
    this.job = null;
    this.turn++; // its answer comes too late
    this.store.link.ask("cancel", { id: job.id }).catch((error) => this.fail(error.message));
    this.offer();
  }

  offer() {
    this.compute.hidden = Boolean(this.job) || !this.reply || this.reply.relevance !== "absent";
    this.work.hidden = !this.job;
  }

  /* ------------------------------------------------------------ the player */

  get posedNote() {
    const { poses } = this.store.content;
    return poses
      ? `Poses at ${poses.frames} moments of each recording, not aligned: frames and DTW paths need a kernel.`
      : "This page has no poses.";
  }

  /* The neighbours that are played. */
  nearest(node) {
    return this.store.edgesOf(this.place.map, this.place.layer, node).slice(0, 5);
  }

  /* Content of a player of this node and its neighbours, from the poses that the page holds. */
  posed(node) {
    const { poses, nodes } = { ...this.store.content, nodes: this.store.nodes };
    if (!poses) return null;
    const { people, frames, joints, dimensions, camera } = poses,
      size = people * frames * joints * dimensions;
    const body = (k) => ({
      title: nodes.names[k],
      people,
      frames,
      points: poses.points.subarray(k * size, (k + 1) * size),
      maps: [],
      camera: camera && { azimuth: camera[0], elevation: camera[1] },
    });
    return {
      ...poses,
      fps: frames / 2,
      joints: Array.from({ length: joints }, (_, j) => `joint ${j + 1}`),
      layers: [],
      scale: null,
      path: null,
      bodies: [node, ...this.nearest(node).map((edge) => edge.node)].map(body),
      active: 0,
    };
  }

  show(reply) {
    this.reply = reply;
    this.note.textContent = reply.posed
      ? this.posedNote
      : reply.relevance === "input"
        ? "The input has no relevance."
        : "";
    this.error.textContent = "";
    this.offer();
    this.pin();
  }

  /* Where the pinned neighbour lies among those of the reply. */
  get pinned() {
    return this.reply.neighbours.findIndex(({ node }) => this.number(node) === this.store.pinned);
  }

  number(node) {
    return typeof node === "string" ? this.store.index(node) : node;
  }

  /* Play all, or the pinned neighbour alone beside the recording. */
  pin() {
    const { reply, store, player } = this;
    if (!reply) return;
    for (const row of this.neighbours.querySelectorAll("[aria-pressed]"))
      row.setAttribute("aria-pressed", +row.value === store.pinned);
    let content = reply.player;
    const { pinned } = this,
      bodies = content ? content.bodies : [],
      other = pinned + 1;
    if (other && bodies[other]) {
      const path = content.path && content.path.filter((_, i) => [0, other].includes(i % bodies.length));
      content = { ...content, bodies: [bodies[0], bodies[other]], path };
    }
    const key = `${this.shown.node} ${reply.posed}`,
      same = this.played === key,
      { step, playing } = player || {};
    this.played = key;
    this.stage.hidden = !content;
    const looks = content ? lookedAt(content) : [];
    this.looks.textContent = looks.length ? ["Most relevant joints, mean over frames:", ...looks].join("\n") : "";
    if (content && !player)
      this.player = new Player(this.stage, content, { height: 260, onstep: () => this.costs.draw() });
    else if (content) player.setContent(content);
    if (content && same) {
      this.player.show(step);
      if (playing) this.player.play();
    }
    this.costs.show(pinned >= 0 && content ? reply.costs[pinned] : null, this.player);
  }

  /* ------------------------------------------------------------ neighbours */

  /* Neighbours at this layer, and those kept, lost and gained: from the edges, without a kernel. */
  list() {
    const { store, place } = this,
      { opened } = store,
      map = store.map(place.map);
    if (opened < 0 || !map) return;
    const edges = store.edgesOf(place.map, place.layer, opened),
      most = edges.length ? edges[0].weight : 1;
    this.heading.textContent = `${edges.length} neighbours, ${map.title}, ${map.layers[place.layer].title}`;
    this.drawStrip();
    renew(
      this.neighbours,
      edges.map(({ node, weight }) => {
        const name = store.nodes.names[node],
          pin = () => store.set({ pinned: store.pinned === node ? null : name });
        const row = this.row(node, pin, `${+weight.toPrecision(2)}`);
        row.title = "Show it alone, with its cost matrix";
        row.setAttribute("aria-pressed", store.pinned === node);
        row.style.setProperty("--share", weight / most);
        return make(
          "li",
          { className: "explorer-row" },
          row,
          button("open", () => this.open(name), { "aria-label": `open ${name}` }),
        );
      }),
    );
    const { from, to } = store.span(this.k),
      flips = store.flipsOf(place.map, from, to, opened);
    fill(this.from.select, layersOf(map), from);
    fill(this.to.select, layersOf(map), to);
    renew(
      this.flips,
      Object.entries(flips).flatMap(([kind, found]) => [
        make("h5", {}, `${found.length} ${kind}`),
        make(
          "ul",
          { className: "explorer-list" },
          ...found.map(({ node }) =>
            make(
              "li",
              {},
              this.row(node, () => this.open(store.nodes.names[node])),
            ),
          ),
        ),
      ]),
    );
  }

  /* What neighbours are told apart by: the category of the map's colours, else the first. */
  get groups() {
    const { store } = this,
      drawn = store.colours(this.k),
      [category] = store.nodes.categories;
    return drawn.items ? drawn : category && store.cached(`groups ${store.dark}`, () => store.categorical(category));
  }

  /* Shares of the neighbours' weight at a layer: [[code, share], …], the largest first. */
  sharesAt(layer) {
    const {
        store,
        groups: { codes },
      } = this,
      sums = {},
      edges = store.edgesOf(this.place.map, layer, store.opened),
      all = edges.reduce((sum, { weight }) => sum + weight, 0);
    for (const { node, weight } of edges) sums[codes[node]] = (sums[codes[node]] || 0) + weight / all;
    return Object.entries(sums).sort((a, b) => b[1] - a[1]);
  }

  /* A column for each layer: the neighbours' classes as shares of their weight. */
  drawStrip() {
    const { strip, groups, place } = this;
    strip.hidden = this.shares.hidden = !groups;
    if (!groups || this.body.hidden || !strip.clientWidth) return;
    const L = this.layers.length,
      { context, width, height } = fit(strip),
      wide = width / L;
    for (let layer = 0; layer < L; layer++) {
      let top = height - 2;
      for (const [code, share] of this.sharesAt(layer).sort(([a], [b]) => a - b)) {
        context.fillStyle = groups.palette[code];
        context.fillRect(layer * wide + 2, top - share * (height - 4), wide - 4, share * (height - 4));
        top -= share * (height - 4);
      }
    }
    context.strokeStyle = theme(strip).ink;
    context.lineWidth = 1.5;
    context.strokeRect(place.layer * wide + 1, 1, wide - 2, height - 2);
    this.tell(place.layer);
  }

  column({ offsetX }) {
    return Math.min(Math.floor((offsetX / this.strip.clientWidth) * this.layers.length), this.layers.length - 1);
  }

  get layers() {
    return this.store.map(this.place.map).layers;
  }

  tell(layer) {
    const shares = this.sharesAt(layer)
      .map(([code, share]) => `${Math.round(100 * share)} % ${this.groups.items[code].label}`)
      .join(", ");
    this.shares.textContent = `${this.layers[layer].title}: ${shares || "no neighbours"}`;
    this.strip.setAttribute(
      "aria-label",
      `Neighbours by ${this.groups.title}, layer by layer; ${this.shares.textContent}`,
    );
  }

  open(name) {
    this.store.set({ open: name, pinned: null });
  }

  row(node, act, more = "") {
    const { store } = this,
      { palette, codes, markers } = store.colours(this.k),
      name = store.nodes.names[node],
      label = classOf(store, node),
      hover = () => store.hover(node),
      leave = () => store.hover(-1);
    const row = button("", act, {
      className: "explorer-item",
      value: node,
      onpointerenter: hover,
      onfocus: hover,
      onpointerleave: leave,
      onblur: leave,
    });
    row.append(
      swatch(palette[codes[node]], markers[codes[node]]),
      make("span", {}, name),
      make("span", { className: "explorer-soft" }, name.includes(label) ? "" : label),
    );
    if (more) row.append(make("span", { className: "recording-weight" }, more));
    return row;
  }
}
