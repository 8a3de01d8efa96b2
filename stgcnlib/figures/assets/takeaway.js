/* What can be taken away from an explorer: a table, pictures, pages, code, its state. */

/* JSON as Python writes it. */
const python = (value) => {
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (value && typeof value === "object")
    return `{${Object.entries(value)
      .map(([key, item]) => `${python(key)}: ${python(item)}`)
      .join(", ")}}`;
  return typeof value === "string"
    ? JSON.stringify(value)
    : ({ null: "None", true: "True", false: "False" }[value] ?? `${value}`);
};

class TakeAway {
  constructor(explorer) {
    Object.assign(this, { explorer, store: explorer.store });
    this.paper = make("textarea", {
      readOnly: true,
      hidden: true,
      className: "explorer-paper",
      "aria-label": "Text to copy",
    });
    this.told = make("span", { className: "explorer-soft", role: "status" });
    this.menu = this.build();
  }

  destroy() {
    clearTimeout(this.timer);
  }

  build() {
    const kinds = {
      csv: "Table of those chosen (CSV)",
      png: "Picture (PNG)",
      svg: "Picture (SVG)",
      gif: "Opened recording (GIF)",
      html: "Page (HTML)",
      code: "Copy as code",
      state: "Copy state",
    };
    if (!this.store.link && !this.explorer.options.html) delete kinds.html;
    if (!this.code) delete kinds.code;
    const item = ([kind, text]) => button(text, () => this.save(kind), { value: kind });
    return make(
      "details",
      { className: "player-menu" },
      make("summary", {}, "Take away"),
      make("div", {}, ...Object.entries(kinds).map(item)),
    );
  }

  async save(kind) {
    const { store } = this;
    const { recording, options } = this.explorer;
    const name = `${store.content.title || "explorer"}.${kind}`;
    const state = store.json();
    this.menu.open = false;
    this.menu.firstChild.focus();
    try {
      if (kind === "code") return await this.copy(this.code);
      if (kind === "state") return await this.copy(JSON.stringify(state));
      if (kind === "gif") {
        if (!recording.player || state.open === null) throw new Error("no recording is open");
        return await recording.player.save("gif");
      }
      let blob;
      if (kind === "csv") blob = new Blob([this.table()], { type: "text/csv" });
      else if (kind === "html")
        blob = new Blob([store.link ? (await store.link.ask("html", { state })).text : await options.html(state)], {
          type: "text/html",
        });
      else blob = await this.draw(kind);
      download(name, blob);
      this.say(`Saved ${name}`);
    } catch (error) {
      this.say(`Not saved: ${error.message}`);
    }
  }

  say(text) {
    this.told.textContent = text;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.told.textContent = "";
    }, 8000);
  }

  /* To the clipboard, or into a field to copy from where a page may not. */
  async copy(text) {
    const { paper } = this;
    paper.value = text;
    try {
      await navigator.clipboard.writeText(text);
      this.say("Copied");
    } catch {
      paper.hidden = false;
      paper.focus();
      paper.select();
      this.say("Press ctrl C to copy, Esc to close");
    }
  }

  /* Python that makes the same view and choice. */
  get code() {
    const { store } = this;
    const { code = {} } = store.content;
    const folders = [].concat(code.folders || code.folder || []);
    if (!folders.length) return "";
    const given = folders.map((folder) => `${python(folder)}, `).join("");
    return [
      "import stgcnlib",
      "from stgcnlib import figures",
      "",
      ...this.figures(folders),
      "",
      "# The same view in the workbench; its table has the chosen recordings, or all where none is chosen.",
      `state = ${python(store.json())}`,
      `workbench = stgcnlib.explore(${given}state=state)`,
      "workbench.table",
      "workbench",
      "",
    ].join("\n");
  }

  /* Code of the chosen recordings, and of the picture of each map shown. */
  figures(folders) {
    const { store } = this;
    const { names, categories } = store.nodes;
    const chosen = [...names.keys()].filter((node) => store.subset[node]);
    const studies = [...new Set(store.maps.map(({ study }) => study))];
    const lines = [];
    for (const { map: key, at } of store.state.panels) {
      const map = store.map(key);
      if (!map) continue;
      const pair = folders.length > 1;
      const folder = folders[pair ? Math.max(studies.indexOf(map.study), 0) : 0];
      const network = pair ? key.slice(map.study.length + 1) : key;
      const layer = map.layers[Math.round(at)].name;
      const told = categories.some((category) => category.key === "class")
        ? "ds_graph_map(graph, nodes.labels, nodes.class_names, "
        : "target_map(graph, nodes.targets, name=nodes.target_names[0], ";
      const picked = pair
        ? `[list(nodes.names).index(name) for name in ${python(chosen.map((node) => names[node]))}]`
        : python(chosen);
      lines.push(
        `study = stgcnlib.read_study(${python(folder)})`,
        `network, layer = ${python(network)}, ${python(layer)}`,
        'nodes, geometry = study["nodes"], study["geometry"]',
        ...(chosen.length ? [`chosen = nodes.select(${picked})`] : []),
        "graph = geometry.graphs[(layer, network, geometry.neighbours)]",
        `figures.${told}distances=study[f"distances/{network}/{layer}"])`,
      );
    }
    return lines;
  }

  /* CSV of the chosen recordings, or of all: every category and number, smoothness and degree at the layers shown. */
  table() {
    const { store } = this;
    const { names, categories, numbers } = store.nodes;
    const columns = [["recording", (node) => names[node]]];
    for (const { title, values, codes } of categories) columns.push([title, (node) => values[codes[node]] ?? ""]);
    for (const { title, values } of numbers)
      columns.push([title, (node) => (Number.isFinite(values[node]) ? +values[node].toPrecision(7) : "")]);
    for (const { map: key, at } of store.state.panels) {
      const map = store.map(key);
      const layer = Math.round(at);
      if (!map) continue;
      const where = `${map.title}, ${map.layers[layer].title}`;
      const degree = store.degree(key, layer);
      const smooth = map.smoothness.subarray(layer * store.count);
      columns.push(
        [`${store.smoothness}, ${where}`, (node) => (Number.isFinite(smooth[node]) ? +smooth[node].toPrecision(7) : "")],
        [`degree, ${where}`, (node) => degree[node]],
      );
    }
    const cell = (value) => (/[",\r\n]/.test(value) ? `"${`${value}`.replace(/"/g, '""')}"` : value);
    const rows = [...names.keys()]
      .filter((node) => !store.chosen || store.subset[node])
      .map((node) => columns.map(([, of]) => of(node)));
    return [columns.map(([title]) => title), ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
  }

  /* The maps beside each other with their legend, as a Blob: "png" or "svg". */
  draw(kind) {
    const views = this.explorer.panels.map(({ view }) => view);
    const sizes = views.map(({ area }) => [area.clientWidth, area.clientHeight]);
    const width = sizes.reduce((sum, [w]) => sum + w, 0);
    const tall = Math.max(...sizes.map(([, h]) => h));
    const height = tall + this.legendTo(new SvgContext(1, 1), width, tall);
    return picture(kind, width, height, (context) => {
      context.fillStyle = theme(this.explorer.root).paper;
      context.fillRect(0, 0, width, height);
      context.save();
      views.forEach((view, k) => {
        context.save();
        context.beginPath();
        context.rect(0, 0, ...sizes[k]);
        context.clip();
        view.drawTo(context, ...sizes[k]);
        context.restore();
        context.translate(sizes[k][0], 0);
      });
      context.restore();
      this.legendTo(context, width, tall);
    });
  }

  /* Draw the legend from `top` on; returns its height. */
  legendTo(context, width, top) {
    const { ink } = theme(this.explorer.root);
    const step = 20;
    let x = 12;
    let y = top + 16;
    const room = (need) => {
      if (x > 12 && x + need > width - 12) {
        x = 12;
        y += step;
      }
    };
    const text = (words) => {
      context.fillStyle = ink;
      context.fillText(words, x, y);
      x += context.measureText(words).width + 14;
    };
    Object.assign(context, { font: "12px system-ui, sans-serif", textAlign: "left", textBaseline: "middle" });
    this.explorer.legend.drawn.forEach((drawn, k) => {
      const { items, low, high, ramp } = drawn;
      for (const { label, colour, marker, count } of items || []) {
        if (!count) continue;
        room(30 + context.measureText(label).width);
        context.fillStyle = colour;
        context.beginPath();
        drawMarker(context, marker, x + 5, y, 4.5);
        context.fill();
        x += 16;
        text(clipped(context, label, width - 60));
      }
      if (items) return;
      x = 12;
      text(`${this.explorer.legend.titleOf(drawn, k)}: ${+low.toPrecision(3)}`);
      for (let j = 0; j < 64; j++) {
        context.fillStyle = ramp[4 * j];
        context.fillRect(x + 2 * j, y - 6, 2.5, 12);
      }
      x += 140;
      text(`${+high.toPrecision(3)}`);
      y += step;
    });
    return y - top + 16;
  }
}
