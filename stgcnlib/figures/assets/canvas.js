/* Tools of all live figures: elements, arrays, themes, colours, and pictures to take away. Nothing is fetched, and text
   becomes text only. These scripts are joined into one function, so that their names stay private. */

/* An element; `props` are properties, and attributes where the name has a dash or is "role"; strings become text. */
const make = (tag, props = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
};

const KINDS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  float32: Float32Array,
};

/* Content with its arrays as typed arrays (with a `shape`), whether they came as base64 or as the k-th of `buffers`;
   what is unpacked already stays as it is. */
const unpack = (value, buffers = []) => {
  if (!value || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map((item) => unpack(item, buffers));
  if (!("dtype" in value && "shape" in value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item, buffers)]));
  const Kind = KINDS[value.dtype];
  const size = value.shape.reduce((a, b) => a * b, 1);
  const packed = buffers[value.buffer];
  if (!Kind) throw new Error(`an array has the type ${value.dtype}`);
  let bytes;
  if ("data" in value) bytes = Uint8Array.from(atob(value.data), (c) => c.charCodeAt(0));
  else
    bytes = ArrayBuffer.isView(packed)
      ? new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength)
      : new Uint8Array(packed);
  if (bytes.byteOffset % Kind.BYTES_PER_ELEMENT) bytes = bytes.slice();
  if (bytes.byteLength !== size * Kind.BYTES_PER_ELEMENT)
    throw new Error(`an array of shape ${value.shape} has ${bytes.byteLength} bytes`);
  return Object.assign(new Kind(bytes.buffer, bytes.byteOffset, size), { shape: value.shape });
};

/* Size a canvas to its place on the screen; draw in CSS pixels. The canvas is cleared. */
const fit = (canvas) => {
  const ratio = window.devicePixelRatio || 1;
  const context = canvas.getContext("2d");
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
};

const THEMES = {
  light: {
    dark: false,
    ink: "#1d2433",
    soft: "#5b6475",
    line: "#dfe3ea",
    paper: "#ffffff",
    wash: "#f6f7f9",
    accent: "#1f5fa8",
    bone: "#9aa5b1",
    rim: "#5a4a52",
  },
  dark: {
    dark: true,
    ink: "#e6e9ef",
    soft: "#a3adbd",
    line: "#3a4250",
    paper: "#15181e",
    wash: "#20252d",
    accent: "#7db4ee",
    bone: "#77828f",
    rim: "#d5c8ce",
  },
};
const NIGHT = window.matchMedia("(prefers-color-scheme: dark)");

/* Colours for drawing within `element`: JupyterLab's theme where it says one, else the reader's wish. */
const theme = (element) => {
  const said = element.closest("[data-jp-theme-light]");
  return THEMES[(said ? said.dataset.jpThemeLight === "false" : NIGHT.matches) ? "dark" : "light"];
};

/* Give a root the theme's colours as CSS variables, now and whenever the theme changes; returns what ends that. */
const dress = (root, changed) => {
  const apply = () => {
    const colours = theme(root);
    for (const [name, colour] of Object.entries(colours)) root.style.setProperty(`--live-${name}`, colour);
    root.style.colorScheme = colours.dark ? "dark" : "light";
    changed();
  };
  const said = root.closest("[data-jp-theme-light]");
  const watch = new MutationObserver(apply);
  if (said) watch.observe(said, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  NIGHT.addEventListener("change", apply);
  apply();
  return () => {
    watch.disconnect();
    NIGHT.removeEventListener("change", apply);
  };
};

const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
const hex = (colour) => `#${colour.map((c) => Math.round(c).toString(16).padStart(2, "0")).join("")}`;
/* For a dark background: light becomes dark and dark light, the hue stays. */
const turned = (colour) => colour.map((c) => c + 255 - Math.max(...colour) - Math.min(...colour));

/* 256 CSS colours along [[x, "#hex"], …] with x from 0 to 1. */
const ramp = (stops, dark = false) =>
  Array.from({ length: 256 }, (_, k) => {
    const x = k / 255;
    const after = stops.findIndex(([at]) => at >= x);
    const i = Math.min(Math.max(after, 1), stops.length - 1);
    const [from, a] = stops[i - 1];
    const [to, b] = stops[i];
    const t = Math.min(Math.max((x - from) / (to - from || 1), 0), 1);
    const end = rgb(b);
    const mixed = rgb(a).map((c, j) => c + (end[j] - c) * t);
    return hex(dark ? turned(mixed) : mixed);
  });

/* `text`, cut to `width` with an ellipsis. */
const clipped = (context, text, width) => {
  if (context.measureText(text).width <= width) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low ? `${text.slice(0, low)}…` : "";
};

const download = (name, blob) => {
  const link = make("a", { href: URL.createObjectURL(blob), download: name.replace(/[^\p{L}\p{N}._-]+/gu, "_") });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
