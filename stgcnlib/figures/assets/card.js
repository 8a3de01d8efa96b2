/* The card beside a point of a map: lines of text, and the person moving. */

/* A node's poses as a body of a player; `poses` are those of all nodes. */
const posedBody = (poses, node, title) => {
  const { people, frames, joints, dimensions, camera } = poses;
  const size = people * frames * joints * dimensions;
  return {
    title,
    people,
    frames,
    points: poses.points.subarray(node * size, (node + 1) * size),
    maps: [],
    camera: camera && { azimuth: camera[0], elevation: camera[1] },
  };
};

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
    const { frames, dimensions, unit } = poses;
    const body = posedBody(poses, node, "");
    const range = poses.range.map(() => [0, 1e-9]);
    body.points.forEach((x, i) => {
      if (x !== MISSING) range[i % dimensions][1] = Math.max(range[i % dimensions][1], Math.abs(x * unit));
    });
    const person = new Recording({ ...poses, range }, body);
    let frame = 0;
    const draw = () => {
      const { context, width, height } = fit(this.pose);
      const box = { x: 6, y: 6, width: width - 12, height: height - 12 };
      drawBody(context, person, frame, box, theme(this.root), { ...body.camera, floor: false });
      frame = (frame + 0.6) % frames;
    };
    draw();
    if (frames > 1) this.timer = setInterval(draw, 83);
  }

  /* Beside a place of its map, or above or below it, within the map. */
  place([x, y], gap, width, height) {
    const { offsetWidth: w, offsetHeight: h } = this.root;
    const within = (from, size, whole) => Math.max(Math.min(from, whole - size), 0);
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
