/* What recordings are coloured by: categories, and numbers along a ramp. */

const UNKNOWN_COLOUR = "#8a94a0";

/* Viridis, without the end that cannot be told from the ground. */
const viridis = (dark) => {
  const stops = "440154 472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725"
    .split(" ")
    .slice(dark ? 2 : 0, dark ? 9 : 8);
  return ramp(stops.map((hex, k) => [k / (stops.length - 1), `#${hex}`]));
};

/* A colour that can be seen on a dark ground. */
const onDark = (hex) => {
  const [r, g, b] = rgb(hex);
  const light = (0.3 * r + 0.59 * g + 0.11 * b) / 255;
  return light < 0.5
    ? ramp([
        [0, hex],
        [1, "#ffffff"],
      ])[Math.round(140 - 230 * light)]
    : hex;
};

/* A category with a code for each recording; the last of its items means unknown. */
const categorical = ({ title, values, codes: given, colours, markers }, dark) => {
  const codes = Uint16Array.from(given, (code) => Math.min(code, values.length));
  const items = values.map((label, k) => ({ label, colour: colours[k], marker: markers[k], count: 0 }));
  items.push({ label: "unknown", colour: UNKNOWN_COLOUR, marker: "o", count: 0 });
  for (const code of codes) items[code].count++;
  if (dark) for (const item of items) item.colour = onDark(item.colour);
  return {
    kind: "category",
    title,
    codes,
    items,
    palette: items.map(({ colour }) => colour),
    markers: items.map(({ marker }) => marker),
  };
};

/* A number of each recording, or of its edges at this layer, as codes into a ramp; 256 means unknown. */
const numeric = (store, key, map, layer, { from, to }) => {
  const { count } = store;
  const named = store.nodes.numbers.find((number) => number.key === key);
  const name = (l) => map.layers[l].title;
  let { title } = store.choices.find((choice) => choice.key === key);
  let values = named?.values || new Float32Array(count).fill(NaN);
  let all;
  if (!named && map) {
    title += key === "flips" ? `, ${name(from)} to ${name(to)}` : `, ${name(layer)}`;
    if (key === "smoothness") values = (all = map.smoothness).subarray(layer * count, (layer + 1) * count);
    else if (key === "degree") values = store.degree(map.key, layer);
    else {
      const { lost, gained } = store.flips(map.key, from, to);
      values = lost.map((n, node) => n + gained[node]);
    }
  }
  // A few extreme values shall not take the whole ramp.
  const range = () => {
    const sorted = Float32Array.from(all || values)
      .filter(Number.isFinite)
      .sort();
    const last = sorted.length - 1;
    return [sorted[Math.floor(0.01 * last)] ?? 0, sorted[Math.ceil(0.99 * last)] ?? 1];
  };
  const [low, high] = all ? store.cached(`range ${map.key}`, range) : range();
  const codes = Uint16Array.from(values, (x) =>
    Number.isFinite(x) ? Math.round(255 * Math.min(Math.max(high > low ? (x - low) / (high - low) : 0.5, 0), 1)) : 256,
  );
  const colours = viridis(store.dark);
  return {
    kind: "number",
    title,
    codes,
    palette: [...colours, UNKNOWN_COLOUR],
    markers: "o".repeat(257),
    values,
    low,
    high,
    ramp: colours,
  };
};
