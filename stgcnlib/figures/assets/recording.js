/* The opened recording: it plays beside its NNK neighbours; their weights, and the neighbours that change between two
   layers. With a kernel the player comes from there; without one from the poses. */

// Why a recording has no relevance here, where computing it would not help.
const RELEVANCE_NOTES = {
  input: "The input has no relevance.",
  unexplained: "Relevance is kept of the first trained network only.",
};

class RecordingPanel {
  constructor(root, store) {
    Object.assign(this, { store, k: 0, turn: 0, shown: {}, job: null, reply: null, player: null });
    const div = (className, ...children) => make("div", { className }, ...children);
    const layer = (label, key) => choice(label, (value) => store.set({ [key]: +value }));
    this.title = make("h3");
    this.facts = make("p", { className: "explorer-soft" });
    this.note = make("p", { className: "explorer-soft", role: "status" });
    this.error = make("p", { className: "explorer-error", role: "alert" });
    this.stage = div("recording-stage");
    this.looks = make("p", { className: "recording-looks members-alike explorer-soft" });
    this.bar = make("progress", { max: 1, value: 0, "aria-label": "progress" });
    this.words = make("span");
    const stop = button("Cancel", () => this.cancel());
    this.work = div("recording-work", this.bar, this.words, stop);
    this.compute = button("Relevance of this recording is not stored: compute it", () => this.relevance());
    this.heading = make("h4");
    this.strip = new NeighbourStrip(this);
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
      this.strip.canvas,
      this.strip.told,
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
    this.strip.destroy();
    for (const off of this.offs) if (off) off();
    if (this.player) this.player.destroy();
  }

  /* What is asked for: the open recording at the layer of panel k. */
  get place() {
    const { panels, open } = this.store.state;
    const { map, at } = panels[this.k] || panels[0] || {};
    return { node: open, map, layer: Math.round(at) };
  }

  /* Show what the store says is open; another recording, map or layer is asked for. */
  refresh() {
    const { store, shown, place } = this;
    const { node, map, layer } = place;
    const here = store.map(map);
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

  /* What is known of a recording, in one line. */
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

  /* Ask the kernel about the open recording; answers that come too late are dropped. */
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

  /* Have its relevance computed; that takes a while, and can be cancelled. */
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

  /* The button or the progress, where there is one. */
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

  /* Content of a player of this node and its neighbours, from the poses that the page holds; null where it has none. */
  posed(node) {
    const { poses } = this.store.content;
    if (!poses) return null;
    const { frames, joints } = poses;
    const shown = [node, ...this.nearest(node).map((edge) => edge.node)];
    return {
      ...poses,
      fps: frames / 2,
      joints: Array.from({ length: joints }, (_, j) => `joint ${j + 1}`),
      layers: [],
      scale: null,
      path: null,
      bodies: shown.map((k) => posedBody(poses, k, this.store.nodes.names[k])),
      active: 0,
    };
  }

  /* Show a kernel's reply, or what stands for it without one. */
  show(reply) {
    this.reply = reply;
    this.note.textContent = reply.posed ? this.posedNote : (RELEVANCE_NOTES[reply.relevance] ?? "");
    this.error.textContent = "";
    this.offer();
    this.pin();
  }

  /* Where the pinned neighbour lies among those of the reply; -1 where none is pinned. A neighbour that these maps lack
     has no number either, and is not the pinned one. */
  get pinned() {
    const { pinned } = this.store;
    return pinned < 0 ? -1 : this.reply.neighbours.findIndex(({ node }) => this.number(node) === pinned);
  }

  /* A node that is given by its name or by its number. */
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
    const { pinned } = this;
    const bodies = content ? content.bodies : [];
    const other = pinned + 1;
    if (other && bodies[other]) {
      const path = content.path && content.path.filter((_, i) => [0, other].includes(i % bodies.length));
      content = { ...content, bodies: [bodies[0], bodies[other]], path };
    }
    const key = `${this.shown.node} ${reply.posed}`;
    const same = this.played === key;
    const { step, playing } = player || {};
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
    const { store, place } = this;
    const { opened } = store;
    const map = store.map(place.map);
    if (opened < 0 || !map) return;
    const edges = store.edgesOf(place.map, place.layer, opened);
    const most = edges.length ? edges[0].weight : 1;
    this.heading.textContent = `${edges.length} neighbours, ${map.title}, ${map.layers[place.layer].title}`;
    this.strip.draw();
    renew(
      this.neighbours,
      edges.map(({ node, weight }) => {
        const name = store.nodes.names[node];
        const pin = () => store.set({ pinned: store.pinned === node ? null : name });
        const row = this.row(node, pin, `${+weight.toPrecision(2)}`);
        row.title = "Show it alone, with its cost matrix";
        row.setAttribute("aria-pressed", store.pinned === node);
        row.style.setProperty("--share", weight / most);
        const open = button("open", () => this.open(name), { "aria-label": `open ${name}` });
        return make("li", { className: "explorer-row" }, row, open);
      }),
    );
    const { from, to } = store.span(this.k);
    const flips = store.flipsOf(place.map, from, to, opened);
    fill(this.from.select, layersOf(map), from);
    fill(this.to.select, layersOf(map), to);
    const opening = ({ node }) =>
      make(
        "li",
        {},
        this.row(node, () => this.open(store.nodes.names[node])),
      );
    renew(
      this.flips,
      Object.entries(flips).flatMap(([kind, found]) => [
        make("h5", {}, `${found.length} ${kind}`),
        make("ul", { className: "explorer-list" }, ...found.map(opening)),
      ]),
    );
  }

  open(name) {
    this.store.set({ open: name, pinned: null });
  }

  /* A button for a node: its marker, name, class, and something more at the end. */
  row(node, act, more = "") {
    const { store } = this;
    const { palette, codes, markers } = store.colours(this.k);
    const name = store.nodes.names[node];
    const label = classOf(store, node);
    const hover = () => store.hover(node);
    const leave = () => store.hover(-1);
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
