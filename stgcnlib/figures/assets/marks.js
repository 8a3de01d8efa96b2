/* What maps of layers are drawn with: markers, edges, and names that leave each other room. */

// Kinds of edges: colours, of the theme or in the light and in the dark, and dashes.
const EDGES = {
  open: ["ink"],
  chosen: ["soft"],
  kept: ["soft"],
  lost: ["#c4541a", "#f0955f", 5, 4],
  gained: ["#1f6fc0", "#6db3f5", 2, 3],
};
const FONT = "px system-ui, sans-serif";

// Corners of markers: how many, angle of the first in degrees, radius of every second.
const SHAPES = {
  s: [4, 45],
  "^": [3, -90],
  D: [4, 0],
  v: [3, 90],
  p: [5, -90],
  "<": [3, 180],
  ">": [3, 0],
  h: [6, 0],
  "*": [10, -90, 0.45],
  P: [8, 0, 0.4],
  X: [8, 45, 0.4],
};

const drawMarker = (context, marker, x, y, r) => {
  const [count, first, inner = 1] = SHAPES[marker] || [0];
  if (!count) {
    context.moveTo(x + r, y);
    context.arc(x, y, r, 0, 2 * Math.PI);
  }
  for (let k = 0; k < count; k++) {
    const angle = (first / 180 + (2 * k) / count) * Math.PI;
    const reach = r * (count === 3 || count > 6 ? 1.45 : 1.15) * (k % 2 ? inner : 1);
    context[k ? "lineTo" : "moveTo"](x + reach * Math.cos(angle), y + reach * Math.sin(angle));
  }
  context.closePath();
};

/* The points of panel k, faded ones first; returns the places of the others by code. Hastily drawn, circles and markers
   too small to be told apart are two rectangles each: a software canvas fills 5,000 of those in 5 ms, and circles in
   30 ms. */
const drawPoints = (context, screen, store, k, radius, colours, width, height, hasty) => {
  const { codes, palette, markers } = store.colours(k);
  const members = palette.map(() => []);
  context.strokeStyle = colours.paper;
  context.lineWidth = 0.8;
  // Each by itself: one path of many circles takes 20 times as long.
  for (const faded of [true, false]) {
    context.globalAlpha = !faded ? 0.92 : hasty ? 0.1 : 0.16;
    codes.forEach((code, node) => {
      const x = screen[2 * node];
      const y = screen[2 * node + 1];
      if (store.faded(node) !== faded || !(x > -9 && x < width + 9 && y > -9 && y < height + 9)) return;
      context.fillStyle = palette[code];
      if (!faded) members[code].push([x, y]);
      if (hasty && (markers[code] === "o" || radius < 2.5)) {
        for (const [a, b] of [
          [radius, 0.6 * radius],
          [0.6 * radius, radius],
        ])
          context.fillRect(x - a, y - b, 2 * a, 2 * b);
        return;
      }
      context.beginPath();
      drawMarker(context, markers[code], x, y, radius);
      context.fill();
      if (!faded && !hasty) context.stroke();
    });
  }
  context.globalAlpha = 1;
  return members;
};

const drawRing = (context, [x, y], radius, weight, colour) => {
  if (!Number.isFinite(x + y)) return;
  context.strokeStyle = colour;
  context.lineWidth = weight;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
};

/* Edges [{from, node, weight, kind}], fainter with less weight. spot(node) is its place on the screen. */
const drawEdges = (context, spot, list, colours) => {
  const most = list.reduce((high, edge) => Math.max(high, edge.weight), 1e-9);
  for (const { from, node, weight, kind } of list) {
    const [light, dark, ...dash] = EDGES[kind];
    const many = kind === "chosen";
    const [a, b] = spot(from);
    const [c, d] = spot(node);
    if (!Number.isFinite(a + b + c + d)) continue;
    context.globalAlpha = (many ? 0.3 : 0.85) * (0.2 + (0.8 * weight) / most);
    context.strokeStyle = colours[light] || (colours.dark ? dark : light);
    context.lineWidth = many ? 0.7 : 1.5;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(a, b);
    context.lineTo(c, d);
    context.stroke();
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
};

/* The name of each item beside the most central of its members' places, where there is room. */
const drawLabels = (context, members, items, colours, width, height) => {
  const taken = [{ x: 0, y: 0, w: width, h: 28 }];
  const h = 17;
  context.font = `600 12${FONT}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  items.slice(0, -1).forEach(({ label, colour }, code) => {
    const spots = members[code];
    const mean = [0, 1].map((k) => spots.reduce((sum, spot) => sum + spot[k], 0) / spots.length);
    const away = ([x, y]) => Math.hypot(x - mean[0], y - mean[1]);
    const centre = spots.reduce((best, spot) => (away(spot) < away(best) ? spot : best), spots[0]);
    const text = clipped(context, label, 150);
    const w = context.measureText(text).width + 8;
    for (let k = 0; centre && k < 40; k++) {
      const ring = 15 + 9 * Math.floor(k / 8);
      const angle = (k / 4 - 0.5) * Math.PI;
      const x = centre[0] + (ring + w / 2 - 8) * Math.cos(angle) - w / 2;
      const y = centre[1] + ring * Math.sin(angle) - h / 2;
      if (
        x < 2 ||
        y < 2 ||
        x + w > width - 2 ||
        y + h > height - 2 ||
        taken.some((t) => x <= t.x + t.w && x + w >= t.x && y <= t.y + t.h && y + h >= t.y)
      )
        continue;
      taken.push({ x, y, w, h });
      context.globalAlpha = 0.8;
      context.fillStyle = colours.paper;
      context.fillRect(x, y, w, h);
      context.globalAlpha = 1;
      context.fillStyle = colours.ink;
      context.fillText(text, x + w / 2, y + h / 2);
      context.fillStyle = colour;
      context.fillRect(x + 4, y + h - 2, w - 8, 2);
      break;
    }
  });
};

/* Whether a place lies inside a polygon of places. */
const inside = (polygon, [x, y]) =>
  polygon.reduce((within, [a, b], k) => {
    const [c, d] = polygon.at(k - 1);
    return b > y !== d > y && x < ((c - a) * (y - b)) / (d - b) + a ? !within : within;
  }, false);
