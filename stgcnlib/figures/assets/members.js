/* Who is chosen or found, and whether neighbours at the layer shown are alike: more than by chance, or not. */

const MOST_ROWS = 100;

class Members {
  /* row(node) makes the button of a node. */
  constructor(root, store, row) {
    Object.assign(this, { root, store, row, k: 0 });
    this.heading = make("h4");
    this.alike = make("p", { className: "members-alike" });
    this.list = make("ul", {
      className: "explorer-list members-list",
      title: "The share says how much of its neighbourhood is of its own class: the most mixed come first",
    });
    root.append(this.heading, this.alike, this.list);
    this.off = store.on(["subset", "search", "panels", "maps", "colour", "from", "to", "theme"], () => this.draw());
  }

  destroy() {
    this.off();
  }

  draw() {
    const { store, root, k } = this;
    const { panels } = store.values;
    const { map: key, at } = panels[Math.min(k, panels.length - 1)] || {};
    const map = store.map(key);
    if (root.closest("[hidden]")) return;
    const mask = store.chosen ? store.subset : store.found;
    const nodes = [...store.nodes.names.keys()].filter((node) => !mask || mask[node]);
    const layer = Math.round(at);
    this.heading.textContent = !mask ? "All recordings" : `${nodes.length} ${store.chosen ? "chosen" : "found"}`;
    const edges = map ? nodes.map((node) => store.edgesOf(key, layer, node)) : [];
    const lines = map ? [...this.shares(nodes, edges), ...(mask ? this.kinds(edges) : [])] : [];
    const told = lines.length ? [`Their neighbours at ${map.title}, ${map.layers[layer].title}:`, ...lines] : [];
    if (map && store.values.colour === "flips") told.push(...this.changes(map, nodes));
    this.alike.textContent = told.join("\n");
    const rows = mask ? this.mixed(nodes, edges) : [];
    const rest = rows.length - MOST_ROWS;
    renew(
      this.list,
      [
        ...rows.slice(0, MOST_ROWS).map(([node, share]) => this.row(node, share)),
        ...(rest > 0 ? [`and ${rest} more`] : []),
      ].map((row) => make("li", {}, row)),
    );
  }

  /* [[node, share of its neighbours' weight that is of its own class], …], the smallest share first. */
  mixed(nodes, edges) {
    const [category] = this.store.nodes.categories;
    const sum = (found) => found.reduce((all, { weight }) => all + weight, 0);
    if (!category || !edges.length) return nodes.map((node) => [node, ""]);
    const own = nodes.map(
      (node, i) => sum(edges[i].filter((edge) => category.codes[edge.node] === category.codes[node])) / sum(edges[i]),
    );
    // Those without neighbours come last.
    const order = [...nodes.keys()].sort((a, b) => (own[a] >= 0 ? own[a] : 2) - (own[b] >= 0 ? own[b] : 2));
    return order.map((i) => [nodes[i], own[i] >= 0 ? `${Math.round(100 * own[i])} %` : ""]);
  }

  /* Of what classes the neighbours are that were gained and lost between the two layers that are compared. */
  changes(map, nodes) {
    const { store, k } = this;
    const { from, to } = store.span(k);
    const [category] = store.nodes.categories;
    const flips = nodes.map((node) => store.flipsOf(map.key, from, to, node));
    if (!category) return [];
    return ["gained", "lost"].map((kind) => {
      const ends = flips.flatMap((each) => each[kind]).map(({ node }) => ({ node, weight: 1 }));
      const most = this.words(ends, category, 4);
      const told = [ends.length, ...most].join(", ");
      return `${kind} from ${map.layers[from].title} to ${map.layers[to].title}: ${told}`;
    });
  }

  /* For each category: how much of the neighbours' weight is of the recording's own kind, and how much by chance. */
  shares(nodes, edges) {
    const { categories, apart } = this.store.nodes;
    return categories.flatMap(({ key, title, values, codes }) => {
      if (key === apart) return [`same ${title}: none, these are no neighbours in this study`];
      const counts = values.map(() => 0);
      const known = (node) => codes[node] in values;
      let all = 0;
      let alike = 0;
      let chance = 0;
      let seen = 0;
      let total = 0;
      codes.forEach((code) => {
        if (code in values) {
          counts[code]++;
          total++;
        }
      });
      nodes.forEach((node, i) => {
        if (!known(node)) return;
        seen++;
        chance += (counts[codes[node]] - 1) / (total - 1);
        for (const { node: other, weight } of edges[i]) {
          if (!known(other)) continue;
          all += weight;
          if (codes[other] === codes[node]) alike += weight;
        }
      });
      return all && values.length > 1
        ? [`same ${title}: ${Math.round((100 * alike) / all)} % (by chance ${Math.round((100 * chance) / seen)} %)`]
        : [];
    });
  }

  /* Of which kinds, by the colour, the neighbours of those chosen are. */
  kinds(edges) {
    const { categories } = this.store.nodes;
    const category = categories.find(({ key }) => key === this.store.values.colour) || categories[0];
    if (!category) return [];
    const told = this.words(edges.flat(), category, 6);
    return told.length ? [`Their neighbours by ${category.title}: ${told.join(", ")}`] : [];
  }

  /* The largest shares of edges' ends in words: ["45 % wave", …]. */
  words(edges, { codes, values }, most) {
    const shares = this.store.sharesOf(edges, codes).slice(0, most);
    return shares.map(([code, share]) => `${Math.round(100 * share)} % ${values[code] ?? "unknown"}`);
  }
}
