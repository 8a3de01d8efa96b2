/* The opened recording's neighbours, layer by layer: a column for each, of the classes' shares of their weight. */

class NeighbourStrip {
  constructor(recording) {
    const { store } = recording;
    Object.assign(this, { recording, store });
    this.told = make("p", { className: "explorer-soft", role: "status" });
    this.canvas = make("canvas", { className: "recording-strip", tabIndex: 0, role: "img" });
    this.canvas.onpointermove = (event) => this.tell(this.column(event));
    this.canvas.onpointerleave = () => this.tell(recording.place.layer);
    this.canvas.onclick = (event) => store.show(recording.k, { at: this.column(event) });
    this.canvas.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      store.show(recording.k, { at: recording.place.layer + step });
      event.preventDefault();
    };
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.canvas);
  }

  destroy() {
    this.sizes.disconnect();
  }

  get layers() {
    return this.store.map(this.recording.place.map).layers;
  }

  /* What neighbours are told apart by: the category of the map's colours, else the first. */
  get groups() {
    const { store } = this;
    const drawn = store.colours(this.recording.k);
    const [category] = store.nodes.categories;
    if (drawn.items || !category) return drawn.items ? drawn : undefined;
    return store.cached(`groups ${store.dark}`, () => categorical(category, store.dark));
  }

  /* Shares of the neighbours' weight at a layer: [[code, share], …], the largest first. */
  sharesAt(layer) {
    const { store } = this;
    return store.sharesOf(store.edgesOf(this.recording.place.map, layer, store.opened), this.groups.codes);
  }

  draw() {
    const { canvas, groups } = this;
    canvas.hidden = this.told.hidden = !groups;
    if (!groups || this.recording.body.hidden || !canvas.clientWidth) return;
    const { layer: shown } = this.recording.place;
    const { context, width, height } = fit(canvas);
    const wide = width / this.layers.length;
    this.layers.forEach((_, layer) => {
      let top = height - 2;
      for (const [code, share] of this.sharesAt(layer).sort(([a], [b]) => a - b)) {
        const tall = share * (height - 4);
        context.fillStyle = groups.palette[code];
        context.fillRect(layer * wide + 2, top - tall, wide - 4, tall);
        top -= tall;
      }
    });
    context.strokeStyle = theme(canvas).ink;
    context.lineWidth = 1.5;
    context.strokeRect(shown * wide + 1, 1, wide - 2, height - 2);
    this.tell(shown);
  }

  /* The layer under the pointer. */
  column({ offsetX }) {
    const { length } = this.layers;
    return Math.min(Math.floor((offsetX / this.canvas.clientWidth) * length), length - 1);
  }

  /* Say the shares of a layer in words. */
  tell(layer) {
    const { groups, told } = this;
    const shares = this.sharesAt(layer).map(
      ([code, share]) => `${Math.round(100 * share)} % ${groups.items[code].label}`,
    );
    told.textContent = `${this.layers[layer].title}: ${shares.join(", ") || "no neighbours"}`;
    this.canvas.setAttribute("aria-label", `Neighbours by ${groups.title}, layer by layer; ${told.textContent}`);
  }
}
