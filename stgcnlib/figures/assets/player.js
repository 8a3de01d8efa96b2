/* The skeleton player: plays one recording, or up to six side by side, frame by frame. */

const SPEEDS = [0.25, 0.5, 1, 2, 4];

/* `content` is what figures.skeleton_player packs. options: onstep(step), height of the drawing in CSS pixels,
   html() -> the text of a stand-alone page, where there is one to be had. */
class Player {
  constructor(root, content, options = {}) {
    Object.assign(this, { root, options, step: 0, playing: false, speed: 1, pointer: null, drawn: [] });
    root.classList.add("stgcnlib-live", "player-live");
    root.tabIndex = 0;
    Object.entries({ role: "group", "aria-label": "Skeleton player", "data-lm-suppress-shortcuts": "true" }).forEach(
      (each) => root.setAttribute(...each),
    );
    this.build();
    this.setContent(content);
    this.ends = [dress(root, () => this.draw())];
    this.listen(root, "keydown", (event) => this.key(event));
    this.listen(document, "pointerdown", (event) => {
      if (!this.menu.contains(event.target)) this.menu.open = false;
    });
    const sizes = new ResizeObserver(() => this.draw());
    sizes.observe(this.canvas);
    this.ends.push(() => sizes.disconnect());
  }

  listen(target, kind, callback) {
    target.addEventListener(kind, callback);
    this.ends.push(() => target.removeEventListener(kind, callback));
  }

  build() {
    const choice = (className, label, options) => {
      const select = make("select", { className });
      for (const [value, text] of options) select.append(make("option", { value }, text));
      return [make("label", {}, `${label} `, select), select];
    };
    this.canvas = make("canvas", { className: "player-canvas", role: "img" });
    if (this.options.height) this.canvas.style.height = `${this.options.height}px`;
    this.tip = make("div", { className: "player-tip", hidden: true });
    this.button = make("button", { type: "button", className: "player-play" }, "Play");
    this.slider = make("input", { type: "range", className: "player-frame", min: 0, "aria-label": "frame" });
    this.readout = make("output", { className: "player-readout", "aria-live": "off" });
    const [speeds, speed] = choice(
      "player-speed",
      "speed",
      SPEEDS.map((s) => [s, `${s}×`]),
    );
    const [layers, layer] = choice("player-layer", "relevance at", []);
    speed.value = 1;
    Object.assign(this, { layers, layerChoice: layer, menu: this.saving() });
    this.root.replaceChildren(
      make("div", { className: "player-stage" }, this.canvas, this.tip),
      make("div", { className: "player-bar" }, this.button, this.slider, this.readout, speeds, layers, this.menu),
    );
    this.button.onclick = () => (this.playing ? this.pause() : this.play());
    this.slider.oninput = () => {
      this.pause();
      this.show(+this.slider.value);
    };
    speed.onchange = () => {
      this.speed = +speed.value;
    };
    layer.onchange = () => {
      this.layer = +layer.value;
      this.draw();
    };
    this.canvas.onpointerdown = (event) => this.grip(event);
    this.canvas.onpointermove = (event) => {
      this.pointer = event;
      this.point();
    };
    this.canvas.onpointerleave = () => {
      this.pointer = null;
      this.point();
    };
    this.canvas.ondblclick = () => {
      this.reset();
      this.draw();
    };
  }

  /* Show something else in the same place, from its first frame. The same cameras stay turned; where no relevance was
     shown, none is. */
  setContent(content) {
    const before = this.content;
    const cameras = (each) => JSON.stringify(each.bodies.map(({ camera }) => camera));
    const views = before && cameras(before) === cameras(content) && this.views;
    const off = before && before.layers.length && this.layer < 0;
    this.pause();
    content = this.content = unpack(content);
    this.bodies = content.bodies.map((body) => new Recording(content, body));
    this.steps = content.path
      ? content.path.length / this.bodies.length
      : Math.max(...this.bodies.map((b) => b.frames));
    this.palettes = content.scale && [false, true].map((dark) => ramp(content.scale, dark));
    this.layer = off ? -1 : content.layers.length - 1;
    this.layerChoice.replaceChildren(
      ...[[-1, "no relevance"], ...content.layers.map((title, k) => [k, title])].map(([value, text]) =>
        make("option", { value }, text),
      ),
    );
    this.layerChoice.value = this.layer;
    this.layers.hidden = !content.layers.length;
    this.slider.max = this.steps - 1;
    this.canvas.setAttribute("aria-label", content.bodies.map((body) => body.title).join(", beside "));
    this.reset();
    this.views = views || this.views;
    this.show(0);
  }

  reset() {
    this.views = this.content.bodies.map(({ camera }) => ({ azimuth: -60, elevation: 12, ...camera }));
  }

  /* The frame that body `b` shows at a step. */
  frameOf(b, step) {
    const { path } = this.content;
    return Math.min(path ? path[step * this.bodies.length + b] : step, this.bodies[b].frames - 1);
  }

  show(step) {
    this.step = this.slider.value = Math.min(Math.max(Math.round(step), 0), this.steps - 1);
    const at = this.bodies.map((body, b) => [this.frameOf(b, this.step) + 1, body.frames]);
    const neighbour = at.length === 2 ? ` · neighbour ${at[1].join(" of ")}` : "";
    this.readout.textContent = `frame ${at[0].join(" of ")}${neighbour}`;
    this.slider.setAttribute("aria-valuetext", this.readout.textContent);
    this.draw();
    if (this.options.onstep) this.options.onstep(this.step);
  }

  boxes(width, height) {
    return stageBoxes(this.bodies.length, width, height, this.layer >= 0);
  }

  draw() {
    if (!this.canvas.clientWidth) return;
    const { context, width, height } = fit(this.canvas);
    this.drawn = this.drawTo(context, width, height);
    this.point();
  }

  /* Draw a step into any context; returns the joints drawn, with their `body`. */
  drawTo(context, width, height, step = this.step) {
    const { content, layer } = this;
    const colours = theme(this.root);
    const palette = this.palettes && this.palettes[+colours.dark];
    const drawn = [];
    this.boxes(width, height).forEach((box, b) => {
      const frame = this.frameOf(b, step);
      const options = { ...this.views[b], map: layer, palette, signed: content.signed };
      context.save();
      context.beginPath();
      context.rect(box.x, box.y, box.width, box.height);
      context.clip();
      for (const joint of drawBody(context, this.bodies[b], frame, box, colours, options))
        drawn.push({ ...joint, body: b });
      context.restore();
      context.font = `${b === content.active && this.bodies.length > 1 ? "600 " : ""}12px system-ui, sans-serif`;
      Object.assign(context, { fillStyle: colours.ink, textAlign: "center", textBaseline: "alphabetic" });
      context.fillText(clipped(context, content.bodies[b].title, box.width), box.x + box.width / 2, box.y - 6);
    });
    if (layer >= 0 && palette) drawScale(context, width, height, colours, palette, content.signed);
    return drawn;
  }

  /* Tell the joint under the pointer. */
  point() {
    const { pointer, canvas, tip } = this;
    let best = null;
    if (pointer && !this.turning) {
      const { left, top } = canvas.getBoundingClientRect();
      const [x, y] = [pointer.clientX - left, pointer.clientY - top];
      for (const joint of this.drawn) {
        const away = Math.hypot(joint.x - x, joint.y - y) - joint.radius;
        if (away < 6 && (!best || away <= best.away)) best = { ...joint, away };
      }
    }
    tip.hidden = !best;
    if (!best) return;
    const name = this.content.joints[best.joint];
    tip.textContent = best.level === null ? name : `${name}: ${best.level.toFixed(2).replace("-", "−")}`;
    tip.style.left = `${Math.min(best.x + 12, canvas.clientWidth - tip.offsetWidth)}px`;
    tip.style.top = `${Math.max(best.y - 28, 0)}px`;
  }

  /* Turn all bodies by dragging; with alt, only the one under the pointer. */
  grip(event) {
    if (this.content.dimensions !== 3 || event.button) return;
    const { canvas } = this;
    const { left, top } = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    const boxes = this.boxes(canvas.clientWidth, canvas.clientHeight);
    const alone = boxes.findIndex(
      (box) => x >= box.x && x <= box.x + box.width && y <= box.y + box.height && y >= box.y - 20,
    );
    let last = event;
    this.turning = true;
    canvas.setPointerCapture(event.pointerId);
    const move = (now) => {
      this.turn((last.clientX - now.clientX) / 2, (now.clientY - last.clientY) / 2, event.altKey ? alone : -1);
      last = now;
    };
    const end = () => {
      this.turning = false;
      canvas.removeEventListener("pointermove", move);
    };
    canvas.addEventListener("pointermove", move);
    ["pointerup", "pointercancel"].forEach((kind) => canvas.addEventListener(kind, end, { once: true }));
  }

  /* Turn by degrees; `alone` is a body's index, or -1 for all. */
  turn(right, up, alone = -1) {
    this.views = this.views.map((view, b) =>
      alone >= 0 && alone !== b
        ? view
        : { azimuth: view.azimuth + right, elevation: Math.min(Math.max(view.elevation + up, -90), 90) },
    );
    this.draw();
  }

  key(event) {
    const inner = event.target.closest("select, summary, .player-menu button, .player-play");
    const shift = event.shiftKey;
    const keys = {
      " ": () => (this.playing ? this.pause() : this.play()),
      Home: () => this.seek(0),
      End: () => this.seek(this.steps - 1),
      ArrowLeft: () => (shift ? this.turn(-10, 0) : this.seek(this.step - 1)),
      ArrowRight: () => (shift ? this.turn(10, 0) : this.seek(this.step + 1)),
    };
    if (shift) Object.assign(keys, { ArrowUp: () => this.turn(0, 10), ArrowDown: () => this.turn(0, -10) });
    if (event.key === "Escape" && this.menu.open) {
      this.menu.open = false;
      this.menu.firstChild.focus();
      event.stopPropagation();
    }
    const act = event.ctrlKey || event.metaKey || event.altKey || inner ? null : keys[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
    // Nobody outside acts on a player's keys; within an explorer the others are the explorer's.
    if (act || inner || !this.root.parentElement.closest(".stgcnlib-live")) event.stopPropagation();
  }

  seek(step) {
    this.pause();
    this.show(step);
  }

  play() {
    if (this.playing) return;
    this.playing = true;
    this.button.textContent = "Pause";
    if (this.step >= this.steps - 1) this.show(0);
    let before = performance.now();
    let owed = 0;
    const tick = (now) => {
      owed += (Math.max(now - before, 0) / 1000) * this.content.fps * this.speed;
      before = now;
      // A slow machine drops frames instead of slowing the motion down.
      if (owed >= 1) {
        this.show(this.step + Math.floor(owed));
        owed %= 1;
      }
      if (this.step >= this.steps - 1) this.pause();
      else if (this.playing) this.timer = requestAnimationFrame(tick);
    };
    this.timer = requestAnimationFrame(tick);
  }

  pause() {
    cancelAnimationFrame(this.timer);
    this.playing = false;
    this.button.textContent = "Play";
  }

  /* The menu of what can be saved here. */
  saving() {
    const kinds = {
      gif: "GIF, moving",
      [FILM]: FILM && FILM.toUpperCase(),
      png: "PNG",
      svg: "SVG",
      html: this.options.html && "Page (HTML)",
    };
    const items = Object.entries(kinds)
      .filter(([, words]) => words)
      .map(([kind, words]) => make("button", { type: "button", onclick: () => this.save(kind) }, words));
    return make("details", { className: "player-menu" }, make("summary", {}, "Save"), make("div", {}, ...items));
  }

  async save(kind) {
    this.menu.open = false;
    this.menu.firstChild.focus();
    this.readout.textContent = `writing ${kind.toUpperCase()} …`;
    try {
      const titles = this.content.bodies.slice(0, 2).map(({ title }) => title);
      download(`${titles.join(" beside ")}.${kind}`, await this.take(kind));
      this.show(this.step);
    } catch (error) {
      this.readout.textContent = `not saved: ${error.message}`;
    }
  }

  /* The player as a Blob, as it is seen: all its steps as "gif" or FILM, the one shown as "png" or "svg", or "html". */
  async take(kind) {
    if (kind === "html") return new Blob([this.options.html()], { type: "text/html" });
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const { paper } = theme(this.root);
    const paint = (context, step) => {
      context.fillStyle = paper;
      context.fillRect(0, 0, width, height);
      this.drawTo(context, width, height, step);
    };
    return picture(kind, width, height, paint, this.steps, this.content.fps * this.speed);
  }

  destroy() {
    this.pause();
    this.ends.forEach((end) => end());
    this.root.replaceChildren();
  }
}
