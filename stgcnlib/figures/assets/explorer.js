/* The explorer: one or two maps, what is chosen on them, and beside them the opened recording, ways in, and classes. */

const KEYS = [
  ["arrows, Enter", "to the next recording in that direction; open it"],
  ["[ ]", "layer before, layer after"],
  ["space", "play or pause the opened recording"],
  ["p l r", "pointing, lasso, rectangle"],
  ["shift, alt", "add to those chosen, remove from them"],
  ["Esc", "choose none; close a menu"],
  ["ctrl Z", "take back a choice"],
  ["+ − 0", "zoom in, zoom out, whole map"],
  ["/", "search"],
  ["c", "compare: a second map"],
  ["1 2 3", "recording, ways in, classes"],
  ["?", "this help"],
];
const MODES = [
  ["point", "Point"],
  ["lasso", "Lasso"],
  ["rectangle", "Rectangle"],
];
const TABS = [
  ["recording", "Recording"],
  ["ways", "Ways in"],
  ["classes", "Classes"],
];
let explorers = 0;

class Explorer {
  /* content: of kind "explorer"; link: to a kernel, or null; options.html(state) -> the text of a stand-alone page. */
  constructor(root, content, link = null, options = {}) {
    const store = new Store(content, link);
    Object.assign(this, {
      root,
      store,
      options,
      panels: [],
      focus: 0,
      ending: new AbortController(),
      id: `explorer${++explorers}`,
    });
    root.classList.add("stgcnlib-live", "explorer");
    root.tabIndex = 0;
    Object.entries({
      role: "group",
      "aria-label": `Explorer of ${store.content.title}`,
      "data-lm-suppress-shortcuts": "true",
    }).forEach((each) => root.setAttribute(...each));
    this.build();
    this.listen(root, "keydown", (event) => this.key(event));
    this.listen(root, "stgcnlib-play", () => this.play());
    this.listen(document, "pointerdown", (event) => {
      if (!this.menu.contains(event.target)) this.menu.open = false;
    });
    this.offs = [
      dress(root, () => this.panels.forEach(({ view }) => view.request())),
      store.on("all", (changed) => this.update(changed)),
    ];
    this.update(new Set(["panels"]));
    this.tab("recording");
  }

  listen(target, kind, callback) {
    target.addEventListener(kind, callback, { signal: this.ending.signal });
  }

  destroy() {
    this.ending.abort();
    this.leaving.destroy();
    for (const off of this.offs) off();
    this.panels.splice(0).forEach((panel) => this.drop(panel));
    this.recording.destroy();
    this.classes.destroy();
    this.members.destroy();
    this.store.destroy();
    this.root.replaceChildren();
  }

  /* -------------------------------------------------------------- layout */

  build() {
    const { store, id } = this,
      { title, subtitle, lists } = store.content,
      set = (key) => (value) => store.set({ [key]: value });
    const div = (className, ...children) => make("div", { className }, ...children);
    this.colour = choice("colour", set("colour"));
    this.edges = choice("edges", set("edges"));
    fill(this.edges.select, [
      ["open", "of the opened one"],
      ["subset", "of those chosen"],
      ["none", "none"],
    ]);
    this.search = make("input", {
      type: "search",
      placeholder: "name, class, subject",
      "aria-label": "Search recordings",
    });
    this.search.oninput = () => store.set({ search: this.search.value });
    this.search.onkeydown = (event) => {
      if (event.key === "Enter") this.take();
    };
    this.modes = MODES.map(([mode, text]) => button(text, () => store.set({ mode }), { value: mode }));
    this.comparing = button("Compare", () => this.compare());
    this.leaving = new TakeAway(this);
    this.menu = this.leaving.menu;
    this.top = div(
      "explorer-top",
      div(
        "explorer-name",
        make("strong", {}, title || ""),
        make("span", { className: "explorer-soft", title: subtitle || "" }, subtitle || ""),
      ),
      this.colour,
      this.edges,
      this.search,
      make("span", { className: "explorer-modes", role: "group", "aria-label": "choose by" }, ...this.modes),
      this.comparing,
      this.menu,
      button("?", () => this.helped(), { "aria-label": "Help: keys" }),
    );
    this.hint = div(
      "explorer-hint",
      make("span", {}, "Point at a recording: it moves. Click: it opens. [ and ] change the layer, ? lists all keys."),
      button("×", () => this.hint.remove(), { "aria-label": "Close the hint" }),
    );
    this.mapsPlace = div("explorer-maps");
    this.legend = div("explorer-legend");
    this.span = div(
      "explorer-row",
      ...["from", "to"].map((key) =>
        Object.assign(
          choice(key, (value) => store.set({ [key]: +value })),
          { key },
        ),
      ),
    );
    this.status = make("span", { role: "status" });
    this.clear = button("Choose none", () => store.choose([]));
    this.undo = button("Undo", () => store.undo());
    this.tabs = TABS.map(([key, text]) =>
      button(text, () => this.tab(key), {
        value: key,
        role: "tab",
        id: `${id}-${key}`,
        "aria-controls": `${id}-${key}-panel`,
      }),
    );
    this.sides = TABS.map(([key]) =>
      make("div", { role: "tabpanel", id: `${id}-${key}-panel`, "aria-labelledby": `${id}-${key}`, tabIndex: 0 }),
    );
    const bar = make("div", { role: "tablist", className: "explorer-tabs" }, ...this.tabs);
    bar.onkeydown = ({ key }) => {
      const step = { ArrowLeft: 2, ArrowRight: 1 }[key],
        next = TABS[(this.tabs.findIndex(({ tabIndex }) => !tabIndex) + step) % 3];
      if (next) {
        this.tab(next[0]);
        this.tabs.find(({ value }) => value === next[0]).focus();
      }
    };
    this.help = make(
      "div",
      { className: "explorer-help", role: "dialog", "aria-label": "Keys", hidden: true, tabIndex: -1 },
      make("dl", {}, ...KEYS.flatMap(([keys, text]) => [make("dt", {}, keys), make("dd", {}, text)])),
      button("Close", () => this.helped(false)),
    );
    this.root.replaceChildren(
      this.top,
      this.hint,
      this.leaving.paper,
      div(
        "explorer-main",
        div(
          "explorer-left",
          this.mapsPlace,
          this.legend,
          this.span,
          div("explorer-row", this.status, this.clear, this.undo, this.leaving.told),
        ),
        div("explorer-side", bar, ...this.sides),
      ),
      this.help,
    );
    this.recording = new RecordingPanel(this.sides[0], store);
    this.sides[1].replaceChildren(div(""), ...this.ways(lists || []));
    this.members = new Members(this.sides[1].firstChild, store, (node, share) =>
      this.recording.row(
        node,
        () => {
          this.recording.open(store.nodes.names[node]);
          this.tab("recording"); // where it is open already, too
        },
        share,
      ),
    );
    this.classes = new ClassTable(this.sides[2], store);
  }

  tab(key) {
    this.tabs.forEach((tab, k) => {
      const on = tab.value === key;
      tab.setAttribute("aria-selected", on);
      tab.tabIndex = on ? 0 : -1;
      this.sides[k].hidden = !on;
    });
    this.members.draw();
  }

  helped(on = this.help.hidden) {
    this.help.hidden = !on;
    (on ? this.help : this.root).focus();
  }

  /* One map with its controls. */
  panel(k) {
    const { store } = this,
      show = (change) => {
        this.stop(panel);
        store.show(k, change);
      },
      near = (step) => show({ at: (step < 0 ? Math.ceil : Math.floor)(store.state.panels[k].at) + step });
    const slider = make("input", { type: "range", min: 0, step: "any", "aria-label": "slide through the layers" }),
      place = make("div", { className: "explorer-map" });
    const panel = {
      k,
      slider,
      map: choice("map", (map) => show({ map })),
      layer: choice("layer", (at) => show({ at: +at })),
      play: button("Play layers", () => this.playLayers(panel)),
    };
    slider.oninput = () => show({ at: +slider.value });
    slider.onchange = () => {
      if (Math.abs(slider.value - Math.round(slider.value)) < 0.15) show({ at: Math.round(slider.value) });
    };
    slider.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (step) {
        near(step);
        event.preventDefault();
      }
    };
    panel.box = make(
      "section",
      { className: "explorer-panel" },
      make(
        "div",
        { className: "explorer-row" },
        panel.map,
        button("[", () => near(-1), { "aria-label": "layer before" }),
        slider,
        button("]", () => near(1), { "aria-label": "layer after" }),
        panel.layer,
        panel.play,
      ),
      place,
    );
    this.mapsPlace.append(panel.box);
    panel.view = new LayerMap(place, store, k);
    panel.box.addEventListener("focusin", () => this.attend(k));
    return panel;
  }

  /* What lies beside the maps is about the map used last. */
  attend(k) {
    const { recording, classes, members } = this;
    if (k === this.focus) return;
    this.focus = recording.k = classes.k = members.k = k;
    recording.refresh();
    classes.draw();
    members.draw();
  }

  drop(panel) {
    this.stop(panel);
    panel.view.destroy();
    panel.box.remove();
  }

  /* ------------------------------------------------------------ following the store */

  update(changed) {
    const { store, panels } = this,
      { state } = store;
    while (panels.length > state.panels.length) this.drop(panels.pop());
    this.attend(Math.min(this.focus, Math.max(state.panels.length - 1, 0)));
    while (panels.length < state.panels.length) panels.push(this.panel(panels.length));
    const maps = [...store.maps, ...(store.link ? store.offered.filter(({ key }) => !store.map(key)) : [])].map(
      ({ key, title }) => [key, title],
    );
    panels.forEach(({ map, layer, slider, play }, k) => {
      const { map: key, at } = state.panels[k],
        shown = store.map(key);
      fill(map.select, maps, key);
      map.hidden = maps.length < 2;
      fill(layer.select, shown ? layersOf(shown) : [], Math.round(at));
      slider.max = shown ? shown.layers.length - 1 : 0;
      slider.value = at;
      slider.setAttribute("aria-valuetext", shown ? shown.layers[Math.round(at)].title : "");
      for (const part of [layer.select, slider, play]) part.disabled = !shown || shown.layers.length < 2;
    });
    fill(
      this.colour.select,
      store.choices.map(({ key, title }) => [key, title]),
      state.colour,
    );
    this.edges.select.value = state.edges;
    if (this.search.value !== state.search) this.search.value = state.search;
    for (const mode of this.modes) mode.setAttribute("aria-pressed", mode.value === state.mode);
    this.comparing.setAttribute("aria-pressed", panels.length > 1);
    this.comparing.disabled = !panels.length;
    const found = store.found ? `, ${store.found.reduce((sum, on) => sum + on, 0)} found` : "";
    this.status.textContent = `${store.chosen ? `${store.chosen} of ` : ""}${store.count} recordings${store.chosen ? " chosen" : ""}${found}`;
    this.clear.disabled = !store.chosen;
    this.undo.disabled = !store.undone.length;
    this.explain();
    if (state.open !== null) this.hint.remove();
    if (changed.has("open") && state.open !== null && !this.staying) this.tab("recording");
  }

  /* ------------------------------------------------------------- legend */

  /* What colours mean; each map by itself where they depend on it. */
  get drawn() {
    const { store } = this,
      { categories, numbers } = store.nodes,
      drawn = this.panels.map((_, k) => store.colours(k));
    return [...categories, ...numbers].some(({ key }) => key === store.values.colour) ? drawn.slice(0, 1) : drawn;
  }

  titleOf({ title }, k) {
    const map = this.store.map(this.store.values.panels[k].map);
    return this.drawn.length > 1 && map ? `${map.title}: ${title}` : title;
  }

  explain() {
    const { store, drawn } = this,
      same =
        this.legend.drawn &&
        drawn.length === this.legend.drawn.length &&
        drawn.every((one, k) => one === this.legend.drawn[k]);
    this.legend.drawn = drawn;
    if (!same)
      renew(
        this.legend,
        drawn.flatMap((one, k) => (one.items ? this.entries(one) : [this.scale(one, this.titleOf(one, k))])),
      );
    const map = store.map(store.state.panels[0]?.map),
      span = store.span();
    for (const label of this.span.children) fill(label.select, map ? layersOf(map) : [], span[label.key]);
    this.span.hidden = store.state.colour !== "flips";
    for (const entry of this.legend.querySelectorAll("[aria-pressed]")) {
      const { shown, count } = drawn[0].items[entry.value];
      entry.lastChild.textContent = store.chosen ? `${shown} of ${count}` : count;
      entry.setAttribute("aria-pressed", Boolean(store.chosen && shown === count));
    }
  }

  entries({ items, codes, title }) {
    const { store } = this,
      all = [...codes.keys()];
    return items.flatMap(({ label, colour, marker, count }, code) =>
      !count
        ? []
        : [
            button(
              "",
              (event) => {
                const nodes = all.filter((node) => codes[node] === code),
                  whole = store.chosen && nodes.every((node) => store.subset[node]);
                store.choose(nodes, event.altKey ? "replace" : whole ? "remove" : "add");
              },
              {
                className: "explorer-item",
                value: code,
                title: `${title}: click to choose or leave out, with alt this one only`,
                "aria-pressed": "false",
              },
            ),
          ].map((entry) => {
            entry.append(swatch(colour, marker), make("span", {}, label), make("span", { className: "explorer-soft" }));
            return entry;
          }),
    );
  }

  scale({ low, high, ramp }, title) {
    const bar = make("span", { className: "explorer-ramp" }),
      number = (x) => `${+x.toPrecision(3)}`.replace("-", "−");
    bar.style.background = `linear-gradient(to right, ${ramp.filter((_, k) => k % 15 === 0).join(", ")})`;
    return make(
      "span",
      { className: "explorer-row" },
      make("span", {}, title),
      make("span", {}, number(low)),
      bar,
      make("span", {}, number(high)),
    );
  }

  /* ------------------------------------------------------------ doing */

  play() {
    const { player } = this.recording;
    if (player) player[player.playing ? "pause" : "play"]();
  }

  playLayers(panel) {
    if (panel.timer) return this.stop(panel);
    const { store } = this,
      { k } = panel,
      last = +panel.slider.max;
    let at = store.state.panels[k].at >= last ? 0 : store.state.panels[k].at,
      before = performance.now();
    panel.play.textContent = "Pause layers";
    const tick = (now) => {
      at = Math.min(at + Math.max(now - before, 0) / 1200, last);
      before = now;
      store.show(k, { at });
      if (at < last) panel.timer = requestAnimationFrame(tick);
      else this.stop(panel);
    };
    panel.timer = requestAnimationFrame(tick);
  }

  stop(panel) {
    cancelAnimationFrame(panel.timer);
    panel.timer = 0;
    panel.play.textContent = "Play layers";
  }

  /* A second map: another network or study where there is one, else the next layer. */
  compare() {
    const { store } = this,
      [first, second] = store.state.panels,
      other = [...store.maps, ...(store.link ? store.offered : [])].find(({ key }) => key !== first.map);
    const last = (store.map(first.map)?.layers.length || 1) - 1,
      at = Math.round(first.at);
    store.set({
      panels: second
        ? [first]
        : [
            first,
            other ? { map: other.key, at: first.at } : { map: first.map, at: at < last ? at + 1 : Math.max(at - 1, 0) },
          ],
    });
  }

  /* What was found: open it, or choose all of it. */
  take() {
    const { store } = this,
      nodes = store.found ? [...store.found.keys()].filter((node) => store.found[node]) : [];
    if (nodes.length === 1) {
      this.recording.open(store.nodes.names[nodes[0]]);
      this.tab("recording");
    } else if (nodes.length) store.choose(nodes);
  }

  ways(lists) {
    if (!lists.some(({ items }) => items.length))
      return [make("p", { className: "explorer-soft" }, "There are no lists here.")];
    return lists
      .filter(({ items }) => items.length)
      .flatMap(({ title, items }) => [
        make("h4", {}, title),
        make(
          "ul",
          { className: "explorer-list" },
          ...items.map((item) =>
            make(
              "li",
              {},
              button(item.text, () => this.enter(item), { className: "explorer-item" }),
            ),
          ),
        ),
      ]);
  }

  /* Go where an item of a list leads; several recordings become those chosen, and the list stays. */
  enter({ nodes, map, layer, colour, from, to }) {
    const { store, focus: k } = this,
      found = nodes.map((node) => this.recording.number(node)),
      { names } = store.nodes;
    this.staying = found.length > 1;
    setTimeout(() => {
      this.staying = false;
    });
    if (map !== undefined || layer !== undefined)
      store.show(k, { ...(map === undefined ? {} : { map }), ...(layer === undefined ? {} : { at: layer }) });
    // What changes between two layers is coloured so; other ways in take that back.
    const { colour: now } = store.values,
      usual = now === "flips" ? store.choices[0].key : now;
    store.set({
      colour: colour ?? (from === undefined ? usual : "flips"),
      from: from ?? null,
      to: to ?? null,
      open: names[found[0]],
      pinned: null,
    });
    store.choose(found.length > 1 ? found : []);
  }

  key(event) {
    const { target, key } = event,
      {
        panels,
        menu,
        help,
        leaving: { paper },
      } = this,
      typing = target.closest("input:not([type=range]), textarea, select");
    const pressing = target.closest("button, summary") && (key === " " || key === "Enter");
    event.stopPropagation();
    if (key === "Escape" && (menu.open || !help.hidden || !paper.hidden)) {
      menu.open = false;
      paper.hidden = true;
      return this.helped(false);
    }
    if (typing || pressing || event.defaultPrevented) return;
    const acts = { "?": () => this.helped(), "/": () => this.search.focus(), c: () => this.comparing.click() };
    TABS.forEach(([tab], k) => {
      acts[k + 1] = () => this.tab(tab);
    });
    if (acts[key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
      acts[key]();
      event.preventDefault();
    } else if (panels.length && (target === this.root || !/^Arrow|^Enter/.test(key)))
      panels[this.focus].view.key(event);
  }
}
