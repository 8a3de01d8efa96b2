/* Buttons, choices and lists of an explorer. */

const button = (text, onclick, props = {}) => make("button", { type: "button", onclick, ...props }, text);

/* A label with a select; act(value). */
const choice = (label, act) => {
  const select = make("select", { onchange: () => act(select.value) });
  return Object.assign(make("label", {}, make("span", {}, `${label} `), select), { select });
};

/* Give a select its options [[value, text], …], anew only where they have changed. */
const fill = (select, options, value) => {
  const told = JSON.stringify(options);
  if (select.told !== told) select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  Object.assign(select, { told, value });
};

/* Other children in a place; the focus stays on the button of the same value, or within the explorer. */
const renew = (place, children) => {
  const held = document.activeElement;
  const within = place.contains(held);
  place.replaceChildren(...children);
  if (within)
    ((held.value && place.querySelector(`button[value="${held.value}"]`)) || place.closest(".explorer")).focus({
      preventScroll: true,
    });
};

/* A marker as the map draws it. */
const swatch = (colour, marker) => {
  const canvas = make("canvas", { className: "explorer-swatch", width: 28, height: 28, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  context.fillStyle = colour;
  context.beginPath();
  drawMarker(context, marker, 14, 14, 8.5);
  context.fill();
  return canvas;
};

const classesOf = ({ nodes }) => nodes.categories.find(({ key }) => key === "class");
/* A node's value of the first category, or "" where there are none. */
const classOf = ({ nodes }, node) => {
  const [category] = nodes.categories;
  return category ? (category.values[category.codes[node]] ?? "unknown") : "";
};
/* Layers of a map as options of a select. */
const layersOf = (map) => map.layers.map(({ title }, k) => [k, title]);
