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
    for (const panel of this.panels.splice(0)) panel.destroy();
    this.recording.destroy();
    this.classes.destroy();
    this.members.destroy();
    this.store.destroy();
    this.root.replaceChildren();
  }

  /* -------------------------------------------------------------- layout */

  build() {
    const { store } = this;
    const { title, subtitle, lists, poses, note } = store.content;
    const set = (key) => (value) => store.set({ [key]: value });
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
    const soft = make("span", { className: "explorer-soft", title: subtitle || "" }, subtitle || "");
    const modes = make(
      "span",
      { className: "explorer-modes", role: "group", "aria-label": "choose by" },
      ...this.modes,
    );
    const help = button("?", () => this.helped(), { "aria-label": "Help: keys" });
    const name = div("explorer-name", make("strong", {}, title || ""), soft);
    const top = div("explorer-top", name, this.colour, this.edges, this.search, modes, this.comparing, this.menu, help);
    const pointing = poses ? "Point at a recording: it moves. Click it: it opens." : "Click a recording: it opens.";
    this.hint = div(
      "explorer-hint",
      make("span", {}, `${pointing} [ and ] change the layer, ? lists all keys. ${note || ""}`),
      button("×", () => this.hint.remove(), { "aria-label": "Close the hint" }),
    );
    this.mapsPlace = div("explorer-maps");
    this.legend = new Legend(store);
    this.status = make("span", { role: "status" });
    this.clear = button("Choose none", () => store.choose([]));
    this.undo = button("Undo", () => store.undo());
    const bar = this.tabbing();
    this.help = make(
      "div",
      { className: "explorer-help", role: "dialog", "aria-label": "Keys", hidden: true, tabIndex: -1 },
      make("dl", {}, ...KEYS.flatMap(([keys, text]) => [make("dt", {}, keys), make("dd", {}, text)])),
      button("Close", () => this.helped(false)),
    );
    this.root.replaceChildren(
      top,
      this.hint,
      this.leaving.paper,
      div(
        "explorer-main",
        div(
          "explorer-left",
          this.mapsPlace,
          this.legend.root,
          this.legend.span,
          div("explorer-row", this.status, this.clear, this.undo, this.leaving.told),
        ),
        div("explorer-side", bar, ...this.sides),
      ),
      this.help,
    );
    this.recording = new RecordingPanel(this.sides[0], store);
    this.sides[1].replaceChildren(div(""), ...this.ways(lists || []));
    const opening = (node) => () => {
      this.recording.open(store.nodes.names[node]);
      this.tab("recording"); // where it is open already, too
    };
    const row = (node, share) => this.recording.row(node, opening(node), share);
    this.members = new Members(this.sides[1].firstChild, store, row);
    this.classes = new ClassTable(this.sides[2], store);
  }

  /* The tabs beside the maps, and a place for what each shows. */
  tabbing() {
    const { id } = this;
    this.tabs = TABS.map(([key, text]) => {
      const about = { value: key, role: "tab", id: `${id}-${key}`, "aria-controls": `${id}-${key}-panel` };
      return button(text, () => this.tab(key), about);
    });
    this.sides = TABS.map(([key]) =>
      make("div", { role: "tabpanel", id: `${id}-${key}-panel`, "aria-labelledby": `${id}-${key}`, tabIndex: 0 }),
    );
    const bar = make("div", { role: "tablist", className: "explorer-tabs" }, ...this.tabs);
    bar.onkeydown = ({ key }) => {
      const step = { ArrowLeft: 2, ArrowRight: 1 }[key];
      const next = TABS[(this.tabs.findIndex(({ tabIndex }) => !tabIndex) + step) % 3];
      if (next) {
        this.tab(next[0]);
        this.tabs.find(({ value }) => value === next[0]).focus();
      }
    };
    return bar;
  }

  /* Show a tab. */
  tab(key) {
    this.tabs.forEach((tab, k) => {
      const on = tab.value === key;
      tab.setAttribute("aria-selected", on);
      tab.tabIndex = on ? 0 : -1;
      this.sides[k].hidden = !on;
    });
    this.members.draw();
  }

  /* Show the help, or close it. */
  helped(on = this.help.hidden) {
    this.help.hidden = !on;
    (on ? this.help : this.root).focus();
  }

  /* One more map. */
  addPanel() {
    const k = this.panels.length;
    const panel = new MapPanel(this.mapsPlace, this.store, k);
    panel.box.addEventListener("focusin", () => this.attend(k));
    this.panels.push(panel);
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

  /* ------------------------------------------------------------ following the store */

  /* Everything as the store says; `changed` are keys of its state. */
  update(changed) {
    const { store, panels } = this;
    const { state } = store;
    while (panels.length > state.panels.length) panels.pop().destroy();
    this.attend(Math.min(this.focus, Math.max(state.panels.length - 1, 0)));
    while (panels.length < state.panels.length) this.addPanel();
    const offered = store.link ? store.offered.filter(({ key }) => !store.map(key)) : [];
    const maps = [...store.maps, ...offered].map(({ key, title }) => [key, title]);
    for (const panel of panels) panel.update(maps);
    const colours = store.choices.map(({ key, title }) => [key, title]);
    fill(this.colour.select, colours, state.colour);
    this.edges.select.value = state.edges;
    if (this.search.value !== state.search) this.search.value = state.search;
    for (const mode of this.modes) mode.setAttribute("aria-pressed", mode.value === state.mode);
    this.comparing.setAttribute("aria-pressed", panels.length > 1);
    this.comparing.disabled = !panels.length;
    const chosen = store.chosen ? [`${store.chosen} of `, " chosen"] : ["", ""];
    const found = store.found ? `, ${store.found.reduce((sum, on) => sum + on, 0)} found` : "";
    this.status.textContent = `${chosen[0]}${store.count} recordings${chosen[1]}${found}`;
    this.clear.disabled = !store.chosen;
    this.undo.disabled = !store.undone.length;
    this.legend.draw();
    if (state.open !== null) this.hint.remove();
    if (changed.has("open") && state.open !== null && !this.staying) this.tab("recording");
  }

  /* ------------------------------------------------------------ doing */

  /* Play or pause the opened recording. */
  play() {
    const { player } = this.recording;
    if (player) player[player.playing ? "pause" : "play"]();
  }

  /* A second map: another network or study where there is one, else the next layer. Where there are two, one again. */
  compare() {
    const { store } = this;
    const [first, second] = store.state.panels;
    if (second) return store.set({ panels: [first] });
    const other = [...store.maps, ...(store.link ? store.offered : [])].find(({ key }) => key !== first.map);
    const last = (store.map(first.map)?.layers.length || 1) - 1;
    const at = Math.round(first.at);
    const next = at < last ? at + 1 : Math.max(at - 1, 0);
    store.set({ panels: [first, other ? { map: other.key, at: first.at } : { map: first.map, at: next }] });
  }

  /* What was found: open it, or choose all of it. */
  take() {
    const { store } = this;
    const nodes = store.found ? [...store.found.keys()].filter((node) => store.found[node]) : [];
    if (nodes.length === 1) {
      this.recording.open(store.nodes.names[nodes[0]]);
      this.tab("recording");
    } else if (nodes.length) store.choose(nodes);
  }

  /* The lists of recordings worth a look; each item leads somewhere. */
  ways(lists) {
    const filled = lists.filter(({ items }) => items.length);
    if (!filled.length) return [make("p", { className: "explorer-soft" }, "There are no lists here.")];
    const row = (item) =>
      make(
        "li",
        {},
        button(item.text, () => this.enter(item), { className: "explorer-item" }),
      );
    return filled.flatMap(({ title, items }) => [
      make("h4", {}, title),
      make("ul", { className: "explorer-list" }, ...items.map(row)),
    ]);
  }

  /* Go where an item of a list leads; several recordings become those chosen, and the list stays. */
  enter({ nodes, map, layer, colour, from, to }) {
    const { store, focus: k } = this;
    const found = nodes.map((node) => this.recording.number(node));
    const { names } = store.nodes;
    this.staying = found.length > 1;
    setTimeout(() => {
      this.staying = false;
    });
    if (map !== undefined || layer !== undefined)
      store.show(k, { ...(map === undefined ? {} : { map }), ...(layer === undefined ? {} : { at: layer }) });
    // What changes between two layers is coloured so; other ways in take that back.
    const { colour: now } = store.values;
    const usual = now === "flips" ? store.choices[0].key : now;
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
    const { target, key } = event;
    const { panels, menu, help } = this;
    const { paper } = this.leaving;
    const typing = target.closest("input:not([type=range]), textarea, select");
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
      panels[this.focus].view.hand.key(event);
  }
}
