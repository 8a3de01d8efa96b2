/* What the colours of the maps mean; its entries choose recordings. */

class Legend {
  constructor(store) {
    this.store = store;
    this.root = make("div", { className: "explorer-legend" });
    const ends = ["from", "to"].map((key) =>
      Object.assign(
        choice(key, (value) => store.set({ [key]: +value })),
        { key },
      ),
    );
    // Between which layers neighbours change, where that is the colour.
    this.span = make("div", { className: "explorer-row" }, ...ends);
  }

  /* The colours told; each map's by itself where they depend on it. */
  get drawn() {
    const { store } = this;
    const { categories, numbers } = store.nodes;
    const drawn = store.values.panels.map((_, k) => store.colours(k));
    return [...categories, ...numbers].some(({ key }) => key === store.values.colour) ? drawn.slice(0, 1) : drawn;
  }

  /* The title of the k-th of them. */
  titleOf({ title }, k) {
    const map = this.store.map(this.store.values.panels[k].map);
    return this.drawn.length > 1 && map ? `${map.title}: ${title}` : title;
  }

  draw() {
    const { store, root, span, drawn, told = [] } = this;
    if (drawn.length !== told.length || drawn.some((one, k) => one !== told[k])) {
      const parts = drawn.flatMap((one, k) =>
        one.items ? this.entries(one) : [this.scale(one, this.titleOf(one, k))],
      );
      renew(root, parts);
      this.told = drawn;
    }
    const map = store.map(store.state.panels[0]?.map);
    const layers = store.span();
    for (const label of span.children) fill(label.select, map ? layersOf(map) : [], layers[label.key]);
    span.hidden = store.state.colour !== "flips";
    for (const entry of root.querySelectorAll("[aria-pressed]")) {
      const { shown, count } = drawn[0].items[entry.value];
      entry.lastChild.textContent = store.chosen ? `${shown} of ${count}` : count;
      entry.setAttribute("aria-pressed", Boolean(store.chosen && shown === count));
    }
  }

  /* A button for each kind that there is. */
  entries({ items, codes, title }) {
    const { store } = this;
    const choose = (code, alone) => {
      const nodes = [...codes.keys()].filter((node) => codes[node] === code);
      const whole = store.chosen && nodes.every((node) => store.subset[node]);
      store.choose(nodes, alone ? "replace" : whole ? "remove" : "add");
    };
    const entry = ({ label, colour, marker, count }, code) => {
      if (!count) return [];
      const item = button("", (event) => choose(code, event.altKey), {
        className: "explorer-item",
        value: code,
        title: `${title}: click to choose or leave out, with alt this one only`,
        "aria-pressed": "false",
      });
      item.append(swatch(colour, marker), make("span", {}, label), make("span", { className: "explorer-soft" }));
      return [item];
    };
    return items.flatMap(entry);
  }

  /* The ramp of a number, with its ends. */
  scale({ low, high, ramp }, title) {
    const bar = make("span", { className: "explorer-ramp" });
    const number = (x) => make("span", {}, `${+x.toPrecision(3)}`.replace("-", "−"));
    bar.style.background = `linear-gradient(to right, ${ramp.filter((_, k) => k % 15 === 0).join(", ")})`;
    return make("span", { className: "explorer-row" }, make("span", {}, title), number(low), bar, number(high));
  }
}
