/* The local cost matrix of two recordings at a layer with its DTW path; a cross-hair follows the player, pointing
   moves it. */

class CostMatrix {
  constructor() {
    this.canvas = make("canvas", {
      className: "recording-matrix",
      tabIndex: 0,
      role: "img",
      "aria-label": "Cost matrix",
    });
    this.caption = make("p", { className: "explorer-soft" });
    this.root = make("div", { hidden: true }, make("h4", {}, "Cost matrix"), this.canvas, this.caption);
    this.canvas.onpointermove = (event) => this.scrub(event);
    this.canvas.onkeydown = (event) => this.player.key(event);
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.canvas);
  }

  destroy() {
    this.sizes.disconnect();
  }

  /* cost: {values (rows, columns), low, high, path (P, 2)} of what the player shows, or null. */
  show(cost, player) {
    Object.assign(this, { cost, player });
    this.root.hidden = !cost;
    if (!cost) return;
    const [rows, columns] = cost.values.shape;
    const image = new ImageData(columns, rows);
    const palette = viridis(false).map(rgb);
    cost.values.forEach((value, i) => image.data.set([...palette[value], 255], 4 * i));
    this.picture = make("canvas", { width: columns, height: rows });
    this.picture.getContext("2d").putImageData(image, 0, 0);
    const [one, other] = player.content.bodies.map(({ title }) => title);
    const [low, high] = [cost.low, cost.high].map((x) => +x.toPrecision(3));
    this.caption.textContent = `Down: frames of ${one}; across: frames of ${other}. Distances from ${low} (dark) to ${high}.`;
    this.canvas.setAttribute(
      "aria-label",
      `Cost matrix of ${one} and ${other} with its DTW path; arrow keys move through the frames`,
    );
    this.draw();
  }

  draw() {
    const { cost, canvas, player } = this;
    if (!cost || !canvas.clientWidth) return;
    const [rows, columns] = cost.values.shape;
    const { context, width, height } = fit(canvas);
    const [y, x] = this.share(player.step);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.picture, 0, 0, width, height);
    for (const [colour, wide] of [
      ["#000", 4],
      ["#fff", 2],
    ]) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.beginPath();
      for (let p = 0; p < cost.path.length; p += 2)
        context.lineTo(((cost.path[p + 1] + 0.5) / columns) * width, ((cost.path[p] + 0.5) / rows) * height);
      context.stroke();
      // The cross-hair, so that it is seen on dark and light cells.
      context.lineWidth = wide / 2;
      context.strokeRect(x * width, -9, 0, height + 18);
      context.strokeRect(-9, y * height, width + 18, 0);
    }
  }

  /* Where the frames of a step lie in both recordings, from 0 to 1. */
  share(step) {
    return this.player.bodies.slice(0, 2).map((body, b) => (this.player.frameOf(b, step) + 0.5) / body.frames);
  }

  /* To the step that lies nearest. */
  scrub({ offsetX, offsetY }) {
    const { clientWidth, clientHeight } = this.canvas;
    const { player } = this;
    let best = 0;
    let least = Infinity;
    for (let step = 0; step < player.steps; step++) {
      const [y, x] = this.share(step);
      const away = Math.hypot(y - offsetY / clientHeight, x - offsetX / clientWidth);
      if (away < least) [best, least] = [step, away];
    }
    player.seek(best);
  }
}
