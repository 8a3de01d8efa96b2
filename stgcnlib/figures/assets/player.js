/* The skeleton player: draws one recording, or two side by side, frame by frame through plotly.js.

   Positions (16 bit) and relevance (8 bit) lie once in the page; a frame restyles the same few traces. Plotly's own
   frames would hold positions again for every layer, about ten times as much. Nothing is fetched. */
(() => {
  "use strict";
  const MISSING = -32768, SPEEDS = [0.25, 0.5, 1, 2, 4];

  const decode = (text, Kind) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

  const make = (tag, attributes = {}, text = "") => {
    const node = Object.assign(document.createElement(tag), attributes);
    node.textContent = text;
    return node;
  };

  class Player {
    constructor(figure) {
      const content = JSON.parse(figure.querySelector("script").textContent);
      Object.assign(this, { figure, content, step: 0, playing: false, busy: false, wanted: null });
      this.bodies = content.bodies.map((body) => ({
        ...body,
        points: decode(body.points, Int16Array),
        maps: body.maps.map((map) => decode(map, content.signed ? Int8Array : Uint8Array)),
      }));
      this.path = content.path ? decode(content.path, Uint16Array) : null;
      this.steps = this.path ? this.path.length / this.bodies.length : Math.max(...this.bodies.map((b) => b.frames));
      this.layer = content.layers.length - 1;
      this.speed = 1;
      this.build();
    }

    build() {
      const bar = make("div", { className: "player-bar" });
      this.button = make("button", { type: "button", className: "player-play" }, "Play");
      this.slider = make("input", { type: "range", className: "player-frame", min: 0, max: this.steps - 1, value: 0 });
      this.slider.setAttribute("aria-label", "frame");
      this.readout = make("output", { className: "player-readout" });
      const speeds = SPEEDS.map((s) => [s, `${s}×`]);
      const layers = [[-1, "no relevance"], ...this.content.layers.map((title, k) => [k, title])];
      this.speedChoice = this.choice("player-speed", "speed", speeds, this.speed);
      bar.append(this.button, this.slider, this.readout, this.speedChoice.parentNode);
      if (this.content.layers.length) {
        this.layerChoice = this.choice("player-layer", "relevance at", layers, this.layer);
        bar.append(this.layerChoice.parentNode);
        this.layerChoice.addEventListener("change", () => { this.layer = +this.layerChoice.value; this.show(this.step); });
      }
      this.plot = make("div", { className: "player-plot" });
      const live = make("div", { className: "player-live" });
      live.append(this.plot, bar);
      this.figure.append(live);
      this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
      this.slider.addEventListener("input", () => { this.pause(); this.show(+this.slider.value); });
      this.speedChoice.addEventListener("change", () => { this.speed = +this.speedChoice.value; });
      this.figure.classList.add("is-live");
      this.ready = Plotly.newPlot(this.plot, this.traces(0), this.layout(), {
        displayModeBar: false, responsive: true, scrollZoom: false, showLink: false, plotlyServerURL: "",
      }).then(() => { this.figure.dataset.ready = "yes"; this.tell(); }, () => this.figure.classList.remove("is-live"));
    }

    choice(className, label, options, value) {
      const holder = make("label", {}, `${label} `), select = make("select", { className });
      for (const [key, text] of options) select.append(make("option", { value: key, selected: key === value }, text));
      holder.append(select);
      return select;
    }

    frameOf(b, step) {
      const frame = this.path ? this.path[step * this.bodies.length + b] : step;
      return Math.min(frame, this.bodies[b].frames - 1);
    }

    /* Coordinates of one person at one frame: [x, y, z] or [x, y], each a list over joints, null where unseen. */
    position(body, person, frame) {
      const { joints, dimensions, unit } = this.content, V = joints.length;
      const start = (person * body.frames + frame) * V * dimensions;
      return Array.from({ length: dimensions }, (_, axis) => Array.from({ length: V }, (_, v) => {
        const value = body.points[start + v * dimensions + axis];
        return value === MISSING ? null : value * unit;
      }));
    }

    relevance(body, person, frame) {
      const V = this.content.joints.length, map = body.maps[this.layer];
      if (!map) return null;
      const start = (person * body.frames + frame) * V;
      return Array.from(map.subarray(start, start + V), (value) => value / (this.content.signed ? 127 : 255));
    }

    /* The values that change with the frame: per person a trace of bones and one of joints. */
    values(step) {
      const { bones, sides, joints } = this.content, found = [];
      this.bodies.forEach((body, b) => {
        const frame = this.frameOf(b, step);
        for (let person = 0; person < body.people; person++) {
          const at = this.position(body, person, frame), levels = this.relevance(body, person, frame);
          found.push({ at: at.map((axis) => bones.flatMap(([child, parent]) => [axis[child], axis[parent], null])) });
          found.push({
            at,
            color: levels ?? sides,
            size: levels ? levels.map((level) => 4 + 13 * Math.sqrt(Math.abs(level))) : joints.map(() => 6),
            text: levels ? joints.map((name, v) => `${name}: ${levels[v].toFixed(2)}`) : joints,
          });
        }
      });
      return found;
    }

    traces(step) {
      const { dimensions, signed, scale } = this.content, deep = dimensions === 3, axes = ["x", "y", "z"];
      const owner = this.bodies.flatMap((body, b) => Array(2 * body.people).fill(b));
      const values = this.values(step);
      return values.map((value, k) => {
        const place = owner[k] ? `${owner[k] + 1}` : "";
        const trace = deep ? { type: "scatter3d", scene: `scene${place}` }
          : { type: "scatter", xaxis: `x${place}`, yaxis: `y${place}` };
        value.at.forEach((list, axis) => { trace[axes[axis]] = list; });
        if (k % 2 === 0)
          return { ...trace, mode: "lines", hoverinfo: "skip", line: { color: "#9aa5b1", width: deep ? 5 : 3 } };
        return {
          ...trace, mode: "markers", text: value.text, hovertemplate: "%{text}<extra></extra>",
          marker: {
            color: value.color, size: value.size, cmin: signed ? -1 : 0, cmax: 1, colorscale: scale, opacity: 1,
            line: { color: "#5a4a52", width: deep ? 0 : 0.6 },
            showscale: this.content.layers.length > 0 && k === values.length - 1,
            colorbar: { title: { text: "relevance", side: "right" }, thickness: 9, len: 0.6, outlinewidth: 0 },
          },
        };
      });
    }

    layout() {
      const { dimensions, range } = this.content, count = this.bodies.length;
      const layout = {
        height: 440, margin: { l: 4, r: 4, t: 34, b: 4 }, showlegend: false, paper_bgcolor: "rgba(0,0,0,0)",
        font: { family: "inherit", size: 12, color: "#1f2933" }, annotations: [], hovermode: "closest",
      };
      const bare = { visible: false, showgrid: false, zeroline: false };
      this.bodies.forEach((body, b) => {
        const place = b ? `${b + 1}` : "", domain = [b / count, (b + 1) / count - (b + 1 < count ? 0.02 : 0)];
        const [x, y, z] = range, reach = Math.max(...range.map((limits) => limits[1]));
        if (dimensions === 3) {
          const floor = { showgrid: true, gridcolor: "#e3e7ec", showbackground: false, showticklabels: false,
            zeroline: false, showspikes: false, title: { text: "" } };
          layout[`scene${place}`] = {
            domain: { x: domain, y: [0, 1] }, aspectmode: "manual", camera: body.camera, dragmode: "orbit",
            // One unit of length is equally long along all axes, and the box fits the scene.
            aspectratio: { x: (1.6 * x[1]) / reach, y: (1.6 * y[1]) / reach, z: (1.6 * z[1]) / reach },
            xaxis: { ...floor, range: x }, yaxis: { ...floor, range: y }, zaxis: { ...floor, range: z },
          };
        } else {
          layout[`xaxis${place}`] = { ...bare, domain, range: x, fixedrange: true, constrain: "domain" };
          layout[`yaxis${place}`] = { ...bare, range: y, fixedrange: true, scaleanchor: `x${place}`, anchor: `x${place}` };
        }
        layout.annotations.push({ text: body.title, x: (domain[0] + domain[1]) / 2, y: 1, yshift: 26, xref: "paper",
          yref: "paper", yanchor: "top", showarrow: false });
      });
      return layout;
    }

    /* Draw a step; while one is being drawn only the last wish is kept. */
    show(step) {
      this.step = step;
      this.slider.value = step;
      this.tell();
      if (this.busy) { this.wanted = step; return this.drawing; }
      this.busy = true;
      const values = this.values(step), update = { x: [], y: [] };
      if (this.content.dimensions === 3) update.z = [];
      Object.assign(update, { "marker.color": [], "marker.size": [], text: [] });
      for (const value of values) {
        ["x", "y", "z"].forEach((name, axis) => { if (update[name]) update[name].push(value.at[axis]); });
        update["marker.color"].push(value.color ?? null);
        update["marker.size"].push(value.size ?? null);
        update.text.push(value.text ?? null);
      }
      this.drawing = Plotly.restyle(this.plot, update).then(() => {
        this.busy = false;
        if (this.wanted !== null) { const next = this.wanted; this.wanted = null; return this.show(next); }
        return null;
      });
      return this.drawing;
    }

    tell() {
      const frames = this.bodies.map((body, b) => `${b ? "neighbour" : "frame"} ${this.frameOf(b, this.step) + 1} of ${body.frames}`);
      this.readout.textContent = frames.join(" · ");
    }

    play() {
      this.playing = true;
      this.button.textContent = "Pause";
      if (this.step >= this.steps - 1) this.step = 0;
      let before = performance.now(), owed = 0;
      const tick = (now) => {
        if (!this.playing) return;
        owed += ((now - before) / 1000) * this.content.fps * this.speed;
        before = now;
        // A slow machine drops frames instead of slowing the motion down.
        if (owed >= 1 && !this.busy) {
          const next = this.step + Math.floor(owed);
          owed %= 1;
          this.show(Math.min(next, this.steps - 1));
          if (next >= this.steps - 1) return this.pause();
        }
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }

    pause() {
      this.playing = false;
      this.button.textContent = "Play";
    }
  }

  /* A browser holds few 3-D drawings at a time, so each player starts once it comes near the screen. */
  const start = () => {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries.filter((e) => e.isIntersecting)) {
        seen.unobserve(entry.target);
        entry.target.player = new Player(entry.target);
      }
    }, { rootMargin: "200px" });
    document.querySelectorAll("figure.player").forEach((figure) => seen.observe(figure));
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
