/* Label smoothness of every class at every layer, the least smooth (highest) at the last layer first; a cell leads
   there. */

const TABLE_HELP =
  "label smoothness by class and layer. The lower (darker), the better a class is set apart. " +
  "The least smooth at the last layer comes first. Click a cell to choose the class and go to the layer.";

/* Label smoothness of a class at a layer of a map. */
const cellOf = ({ classes, layers }, code, layer) => classes[code * layers.length + layer];

class ClassTable {
  constructor(root, store) {
    Object.assign(this, { store, k: 0, row: 0, column: 0 });
    this.canvas = make("canvas", { className: "classes-table", tabIndex: 0, role: "application" });
    this.about = make("p", { className: "explorer-soft" });
    this.told = make("p", { className: "classes-told", role: "status" });
    root.replaceChildren(this.about, this.told, this.canvas);
    this.canvas.onpointermove = (event) => this.point(...this.cell(event));
    this.canvas.onclick = (event) => {
      this.point(...this.cell(event));
      this.enter();
    };
    this.canvas.onkeydown = (event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (move) this.point(this.row + move[0], this.column + move[1]);
      if (event.key === "Enter" || event.key === " ") this.enter();
      else if (!move) return;
      event.preventDefault();
    };
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(root);
    this.off = store.on(["panels", "maps", "theme"], () => this.draw());
  }

  destroy() {
    this.sizes.disconnect();
    this.off();
  }

  get map() {
    return this.store.map((this.store.state.panels[this.k] || {}).map);
  }

  /* The maps of all panels that have a table, each once: they share one scale. */
  get maps() {
    return [...new Set(this.store.state.panels.map(({ map }) => this.store.map(map)))].filter(
      (map) => map && map.classes,
    );
  }

  draw() {
    const { canvas, map, store } = this;
    const labels = classesOf(store);
    const table = map && map.classes;
    canvas.hidden = this.told.hidden = !table || !labels;
    this.about.textContent = canvas.hidden
      ? "This map has no label smoothness by class."
      : `${map.title}: ${TABLE_HELP}`;
    if (canvas.hidden) return;
    const L = map.layers.length;
    const value = (code, layer) => cellOf(map, code, layer);
    const last = (code) => value(code, L - 1);
    const codes = labels.values
      .map((_, code) => code)
      .filter((code) => map.layers.some((_, l) => Number.isFinite(value(code, l))))
      .sort((a, b) => (last(b) || 0) - (last(a) || 0));
    canvas.style.height = `${22 + 18 * (codes.length + 1)}px`;
    canvas.setAttribute(
      "aria-label",
      `Label smoothness of ${codes.length} classes at ${L} layers; arrow keys move, Enter chooses`,
    );
    if (!canvas.clientWidth) return;
    const { context, width } = fit(canvas);
    const colours = theme(canvas);
    const left = Math.min(130, width * 0.4);
    const wide = (width - left - 2) / L;
    const finite = this.maps.flatMap(({ classes }) => [...classes]).filter(Number.isFinite);
    const low = Math.min(...finite);
    const high = Math.max(...finite);
    const palette = viridis(false);
    const at = Math.round(store.state.panels[this.k].at);
    // The first row is the mean of all recordings.
    this.rows = [
      { label: "all recordings", values: [...map.curve] },
      ...codes.map((code) => ({ label: labels.values[code], code, values: map.layers.map((_, l) => value(code, l)) })),
    ];
    Object.assign(this, { left, wide });
    Object.assign(context, {
      font: "11px system-ui, sans-serif",
      textBaseline: "middle",
      textAlign: "center",
      fillStyle: colours.soft,
    });
    map.layers.forEach(({ index }, l) => {
      if (wide >= 15 || l % 2 === 0) context.fillText(`${index ?? l}`, left + (l + 0.5) * wide, 10);
    });
    this.rows.forEach(({ label, values }, r) => {
      const y = 20 + 18 * r;
      Object.assign(context, { fillStyle: colours.ink, textAlign: "right" });
      context.fillText(clipped(context, label, left - 8), left - 6, y + 9);
      values.forEach((x, l) => {
        context.fillStyle = Number.isFinite(x)
          ? palette[clamp(Math.round((255 * (x - low)) / (high - low || 1)), 0, 255)]
          : UNKNOWN_COLOUR;
        context.fillRect(left + l * wide, y, wide - 1, 17);
      });
    });
    context.strokeStyle = colours.ink;
    context.lineWidth = 1.5;
    context.strokeRect(left + at * wide - 0.5, 19, wide, 18 * this.rows.length);
    context.strokeStyle = colours.accent;
    context.lineWidth = 2.5;
    context.strokeRect(left + this.column * wide, 20 + 18 * this.row, wide - 1, 17);
  }

  cell({ offsetX, offsetY }) {
    return [Math.floor((offsetY - 20) / 18), Math.floor((offsetX - this.left) / this.wide)];
  }

  point(row, column) {
    const { map, rows } = this;
    this.row = clamp(row, 0, rows.length - 1);
    this.column = clamp(column, 0, map.layers.length - 1);
    const { label, code, values } = rows[this.row];
    const value = values[this.column];
    const text = (x) => (Number.isFinite(x) ? x.toFixed(3) : "unknown");
    this.told.textContent = `${label}, ${map.layers[this.column].title}: ${text(value)}`;
    for (const other of this.maps) {
      const l = other.layers.findIndex(({ name }) => name === map.layers[this.column].name);
      if (other !== map && l >= 0)
        this.told.textContent += `; ${other.title}: ${text(code === undefined ? other.curve[l] : cellOf(other, code, l))}`;
    }
    this.draw();
  }

  /* Choose the class and go to the layer. */
  enter() {
    const { store, rows, row, k } = this;
    const { code } = rows[row];
    const { codes } = classesOf(store);
    store.choose(code === undefined ? [] : [...codes.keys()].filter((node) => codes[node] === code));
    store.set({ colour: "class" });
    store.show(k, { at: this.column });
  }
}
