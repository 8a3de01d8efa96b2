/* Skeletons: a recording's joints as unpacked numbers, and one frame of it drawn into a box. */

const MISSING = -32768;

/* One recording: `skeleton` says {dimensions, unit, bones, sides, range}, `body` {people, frames, points, maps}. */
class Recording {
  constructor(skeleton, body) {
    const { dimensions, unit } = skeleton;
    Object.assign(this, {
      skeleton,
      people: body.people,
      frames: body.frames,
      points: body.points,
      maps: body.maps || [],
    });
    this.joints = body.points.length / (body.people * body.frames * dimensions);
    let low = 0;
    for (let k = dimensions - 1; k < this.points.length; k += dimensions)
      if (this.points[k] !== MISSING && this.points[k] < low) low = this.points[k];
    this.floor = low * unit;
  }

  /* [across, depth, up], or [across, up] of flat ones; null where unseen. Between two frames the line between them. */
  at(person, joint, frame) {
    const { dimensions: D, unit } = this.skeleton;
    const whole = Math.floor(frame);
    const rest = frame - whole;
    const place = (f) => ((person * this.frames + Math.min(Math.max(f, 0), this.frames - 1)) * this.joints + joint) * D;
    const a = place(whole);
    const b = rest ? place(whole + 1) : a;
    const found = [];
    if (this.points[a] === MISSING || this.points[b] === MISSING) return null;
    for (let k = 0; k < D; k++)
      found.push((this.points[a + k] + (this.points[b + k] - this.points[a + k]) * rest) * unit);
    return found;
  }

  /* Relevance of a joint at a frame, from -1 or 0 to 1; null without maps. */
  level(map, person, joint, frame) {
    const values = this.maps[map];
    const f = Math.min(Math.max(Math.floor(frame), 0), this.frames - 1);
    return values
      ? values[(person * this.frames + f) * this.joints + joint] / (values instanceof Int8Array ? 127 : 255)
      : null;
  }
}

/* A function (point) -> [x, y, nearness] on the screen, and its pixels per unit. The picture keeps its size while it is
   turned around, and one unit is equally long along all axes. */
const viewed = (skeleton, box, azimuth, elevation) => {
  const [x, y, z] = skeleton.range.map((limits) => limits[1]);
  const middle = [box.x + box.width / 2, box.y + box.height / 2];
  if (skeleton.dimensions === 2) {
    const scale = Math.min(box.width / 2 / x, box.height / 2 / y);
    return { scale, place: ([a, b]) => [middle[0] + scale * a, middle[1] - scale * b, 0] };
  }
  const turn = (azimuth * Math.PI) / 180;
  const tilt = (elevation * Math.PI) / 180;
  const reach = Math.hypot(x, y);
  const [c, s, C, S] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
  const scale = Math.min(box.width / 2 / reach, box.height / 2 / (z * C + reach * Math.abs(S)));
  return {
    scale,
    place: ([a, b, up]) => {
      const near = c * a + s * b;
      return [middle[0] + scale * (c * b - s * a), middle[1] - scale * (C * up - S * near), C * near + S * up];
    },
  };
};

/* Lines of the floor below the feet, 1, 2 or 5 times a power of ten apart. */
const drawFloor = (context, recording, place, colours) => {
  const [x, y] = recording.skeleton.range.map((limits) => limits[1]);
  const raw = Math.max(x, y) / 3;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((k) => k * power >= raw * 0.7);
  const z = recording.floor;
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  const line = (...ends) => ends.map(place).forEach(([a, b], k) => (k ? context.lineTo(a, b) : context.moveTo(a, b)));
  const [X, Y] = [x, y].map((limit) => Math.ceil(limit / step) * step);
  for (let a = -X; a <= X + step / 9; a += step) line([a, -Y, z], [a, Y, z]);
  for (let b = -Y; b <= Y + step / 9; b += step) line([-X, b, z], [X, b, z]);
  context.stroke();
};

/* Draw one frame into box {x, y, width, height}; `colours` come from theme().
   options: azimuth and elevation in degrees, map: index of the relevance map or -1, palette: its 256 colours (see
   ramp), signed, floor: whether to draw it. Returns the drawn joints, the far ones first: {person, joint, x, y, radius,
   colour, level}. */
const drawBody = (context, recording, frame, box, colours, options = {}) => {
  const { skeleton } = recording;
  const { azimuth = -60, elevation = 12, map = -1, palette, signed, floor = true } = options;
  const { place } = viewed(skeleton, box, azimuth, elevation);
  const drawn = [];
  const bones = [];
  const size = Math.min(Math.max(Math.min(box.width, box.height) / 360, 0.3), 1.2);
  const sides = colours.dark ? skeleton.sides.map((side) => hex(turned(rgb(side)))) : skeleton.sides;
  context.save();
  context.lineCap = context.lineJoin = "round";
  if (floor && skeleton.dimensions === 3) drawFloor(context, recording, place, colours);
  for (let person = 0; person < recording.people; person++) {
    const seen = [];
    for (let joint = 0; joint < recording.joints; joint++) {
      const point = recording.at(person, joint, frame);
      if (!point) continue;
      const [x, y, near] = place(point);
      const level = recording.level(map, person, joint, frame);
      const colour =
        level === null ? sides[joint] : palette[Math.round((signed ? (level + 1) / 2 : Math.max(level, 0)) * 255)];
      drawn.push(
        (seen[joint] = {
          person,
          joint,
          x,
          y,
          near,
          level,
          colour,
          radius: size * (level === null ? 3.2 : 2 + 6.5 * Math.sqrt(Math.abs(level))),
        }),
      );
    }
    for (const [child, parent] of skeleton.bones)
      if (seen[child] && seen[parent]) bones.push([seen[child], seen[parent]]);
  }
  context.strokeStyle = colours.bone;
  bones.sort((a, b) => a[0].near + a[1].near - b[0].near - b[1].near);
  const reach = Math.max(...skeleton.range.map((limits) => limits[1]));
  for (const [a, b] of bones) {
    // Near bones are a little thicker.
    context.lineWidth = size * (3 + (1.2 * (a.near + b.near)) / reach / 2);
    context.beginPath();
    context.moveTo(a.x, a.y);
    context.lineTo(b.x, b.y);
    context.stroke();
  }
  drawn.sort((a, b) => a.near - b.near);
  context.strokeStyle = colours.rim;
  context.lineWidth = 0.7 * size;
  for (const { x, y, radius, colour, level } of drawn) {
    context.fillStyle = colour;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
    // A thin rim keeps pale joints visible.
    if (level !== null) context.stroke();
  }
  context.restore();
  return drawn;
};

/* The joints that a layer looks at most, in words: a line for each recording with relevance, its mean over frames. */
const lookedAt = ({ bodies, joints, layers }) => {
  const last = layers.length - 1;
  const line = ({ title, maps }) => {
    const map = maps[last];
    const scale = (map instanceof Int8Array ? 127 : 255) * (map.length / joints.length);
    const sums = joints.map(() => 0);
    map.forEach((x, k) => {
      sums[k % joints.length] += x / scale;
    });
    const most = [...sums.keys()].sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a])).slice(0, 4);
    const told = most.map((joint) => `${joints[joint]} ${sums[joint].toFixed(2).replace("-", "−")}`);
    return `${title}: ${told.join(", ")}`;
  };
  return bodies.filter(({ maps }) => maps[last]).map(line);
};
