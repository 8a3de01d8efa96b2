/* One map of an explorer with its controls: which map, which layer, and all layers as a film. */

const LAYER_TIME = 1200; // ms from one layer to the next

class MapPanel {
  /* Panel k of the store, at the end of `root`. */
  constructor(root, store, k) {
    Object.assign(this, { store, k, timer: 0 });
    const place = make("div", { className: "explorer-map" });
    this.map = choice("map", (map) => this.show({ map }));
    this.layer = choice("layer", (at) => this.show({ at: +at }));
    this.play = button("Play layers", () => this.playLayers());
    this.slider = this.sliding();
    const before = button("[", () => this.step(-1), { "aria-label": "layer before" });
    const after = button("]", () => this.step(1), { "aria-label": "layer after" });
    const controls = [this.map, before, this.slider, after, this.layer, this.play];
    this.box = make(
      "section",
      { className: "explorer-panel" },
      make("div", { className: "explorer-row" }, ...controls),
      place,
    );
    root.append(this.box);
    this.view = new LayerMap(place, store, k);
  }

  destroy() {
    this.stop();
    this.view.destroy();
    this.box.remove();
  }

  /* The slider stops between layers, too; let go near one it goes there. */
  sliding() {
    const slider = make("input", { type: "range", min: 0, step: "any", "aria-label": "slide through the layers" });
    slider.oninput = () => this.show({ at: +slider.value });
    slider.onchange = () => {
      if (Math.abs(slider.value - Math.round(slider.value)) < 0.15) this.show({ at: Math.round(slider.value) });
    };
    slider.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!step) return;
      this.step(step);
      event.preventDefault();
    };
    return slider;
  }

  show(change) {
    this.stop();
    this.store.show(this.k, change);
  }

  /* To the next layer (1) or the one before (-1). */
  step(by) {
    const { at } = this.store.state.panels[this.k];
    this.show({ at: (by < 0 ? Math.ceil : Math.floor)(at) + by });
  }

  /* Show what the store says; maps are [[key, title], …]. */
  update(maps) {
    const { store, map, layer, slider, play } = this;
    const { map: key, at } = store.state.panels[this.k];
    const shown = store.map(key);
    fill(map.select, maps, key);
    map.hidden = maps.length < 2;
    fill(layer.select, shown ? layersOf(shown) : [], Math.round(at));
    slider.max = shown ? shown.layers.length - 1 : 0;
    slider.value = at;
    slider.setAttribute("aria-valuetext", shown ? shown.layers[Math.round(at)].title : "");
    for (const part of [layer.select, slider, play]) part.disabled = !shown || shown.layers.length < 2;
  }

  /* From this layer to the last, or from the first where it is the last; again: stop. */
  playLayers() {
    if (this.timer) return this.stop();
    const { store, k } = this;
    const last = +this.slider.max;
    let { at } = store.state.panels[k];
    if (at >= last) at = 0;
    let before = performance.now();
    this.play.textContent = "Pause layers";
    const tick = (now) => {
      at = Math.min(at + Math.max(now - before, 0) / LAYER_TIME, last);
      before = now;
      store.show(k, { at });
      if (at < last) this.timer = requestAnimationFrame(tick);
      else this.stop();
    };
    this.timer = requestAnimationFrame(tick);
  }

  stop() {
    cancelAnimationFrame(this.timer);
    this.timer = 0;
    this.play.textContent = "Play layers";
  }
}
