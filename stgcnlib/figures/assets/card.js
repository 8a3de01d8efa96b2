/* The card beside a point of a map: lines of text, and the person moving. */

class Card {
  constructor(area) {
    [this.pose, this.lines] = [make("canvas"), make("div")];
    this.root = make("div", { className: "live-card", hidden: true }, this.pose, this.lines);
    area.append(this.root);
    this.node = -1;
  }

  /* Show a node (-1: nobody) with its lines of text; poses: of all nodes, or null. */
  show(node, texts = [], poses = null) {
    clearInterval(this.timer);
    this.node = node;
    this.root.hidden = node < 0;
    this.pose.hidden = !poses;
    this.lines.replaceChildren(...texts.map((text) => make("div", {}, text)));
    if (node >= 0 && poses) this.animate(node, poses);
  }

  /* The picture fits this recording. */
  animate(node, poses) {
    const { people, frames, joints, dimensions, unit, camera } = poses,
      size = people * frames * joints * dimensions;
    const points = poses.points.subarray(node * size, (node + 1) * size),
      range = poses.range.map(() => [0, 1e-9]);
    points.forEach((x, i) => {
      if (x !== MISSING) range[i % dimensions][1] = Math.max(range[i % dimensions][1], Math.abs(x * unit));
    });
    const person = new Recording({ ...poses, range }, { people, frames, points }),
      [azimuth, elevation] = camera || [];
    let frame = 0;
    const draw = () => {
      const { context, width, height } = fit(this.pose),
        box = { x: 6, y: 6, width: width - 12, height: height - 12 };
      drawBody(context, person, frame, box, theme(this.root), { azimuth, elevation, floor: false });
      frame = (frame + 0.6) % frames;
    };
    draw();
    if (frames > 1) this.timer = setInterval(draw, 83);
  }

  /* Beside a place of its map, or above or below it, within the map. */
  place([x, y], gap, width, height) {
    const { offsetWidth: w, offsetHeight: h } = this.root,
      within = (from, size, whole) => Math.max(Math.min(from, whole - size), 0);
    const beside = [x + gap, x - gap - w].find((left) => left >= 0 && left + w <= width);
    const [left, top] =
      beside === undefined
        ? [within(x - w / 2, w, width), y + gap + h <= height ? y + gap : y - gap - h]
        : [beside, within(y - h / 2, h, height)];
    this.root.style.transform = `translate(${left}px, ${top}px)`;
  }

  destroy() {
    clearInterval(this.timer);
  }
}
