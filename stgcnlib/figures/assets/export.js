/* Pictures to take away: a drawing context that writes SVG, and GIF. */

const SVG_STATE = {
  fillStyle: "#000",
  strokeStyle: "#000",
  lineWidth: 1,
  lineCap: "butt",
  lineJoin: "miter",
  globalAlpha: 1,
  font: "10px sans-serif",
  textAlign: "start",
  textBaseline: "alphabetic",
  dash: [],
  moved: "",
  open: 0,
};
const short = (...values) => values.map((value) => +value.toFixed(2)).join(" ");
// Signs below space cannot stand in XML at all.
const escaped = (text) =>
  `${text}`.replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, " ").replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
/* {name: value} as attributes; empty values are left out. */
const attributes = (given) =>
  Object.entries(given)
    .map(([name, value]) =>
      value === "" ? "" : ` ${name}="${typeof value === "number" ? short(value) : escaped(value)}"`,
    )
    .join("");

/* The part of CanvasRenderingContext2D that live figures draw with, recorded as SVG. Colours must be opaque: use
   globalAlpha. Move or turn before a path is begun. */
class SvgContext {
  constructor(width, height) {
    Object.assign(this, SVG_STATE, { width, height, parts: [], stack: [], path: "", clips: 0 });
    this.ruler = document.createElement("canvas").getContext("2d");
  }

  save() {
    this.stack.push(Object.fromEntries(Object.keys(SVG_STATE).map((name) => [name, this[name]])));
  }

  restore() {
    const before = this.stack.pop();
    this.parts.push("</g>".repeat(this.open - before.open));
    Object.assign(this, before);
  }

  translate(x, y) {
    this.moved += `translate(${short(x, y)})`;
  }
  rotate(angle) {
    this.moved += `rotate(${short((angle * 180) / Math.PI)})`;
  }
  setLineDash(dash) {
    this.dash = dash;
  }
  beginPath() {
    this.path = "";
  }
  closePath() {
    this.path += "Z";
  }
  moveTo(x, y) {
    this.path += `M${short(x, y)}`;
  }
  lineTo(x, y) {
    this.path += `${this.path ? "L" : "M"}${short(x, y)}`;
  }
  rect(x, y, width, height) {
    this.path += `M${short(x, y)}h${short(width)}v${short(height)}h${short(-width)}Z`;
  }

  /* Clockwise. One arc command cannot go all the way around, so there are two. */
  arc(x, y, r, from, to) {
    const point = (angle) => short(x + r * Math.cos(angle), y + r * Math.sin(angle)),
      middle = (from + to) / 2;
    this.path +=
      `${/^$|Z$/.test(this.path) ? "M" : "L"}${point(from)}` +
      [middle, to].map((end) => `A${short(r, r)} 0 0 1 ${point(end)}`).join("");
  }

  put(tag, given, inside = "") {
    const common = { opacity: this.globalAlpha < 1 ? this.globalAlpha : "", transform: this.moved };
    this.parts.push(`<${tag}${attributes({ ...given, ...common })}>${inside}</${tag}>`);
  }

  fill() {
    this.put("path", { d: this.path, fill: this.fillStyle });
  }

  stroke() {
    this.put("path", {
      d: this.path,
      fill: "none",
      stroke: this.strokeStyle,
      "stroke-width": this.lineWidth,
      "stroke-linecap": this.lineCap,
      "stroke-linejoin": this.lineJoin,
      "stroke-dasharray": short(...this.dash),
    });
  }

  clip() {
    const id = `clip${++this.clips}`;
    this.put("clipPath", { id }, `<path d="${this.path}"/>`);
    this.parts.push(`<g clip-path="url(#${id})">`);
    this.open++;
  }

  fillRect(x, y, width, height) {
    this.put("rect", { x, y, width, height, fill: this.fillStyle });
  }
  strokeRect(x, y, width, height) {
    this.put("rect", { x, y, width, height, fill: "none", stroke: this.strokeStyle, "stroke-width": this.lineWidth });
  }
  clearRect() {} // a fresh picture is empty

  /* A canvas becomes a PNG inside. */
  drawImage(canvas, x, y, width = canvas.width, height = canvas.height) {
    this.put("image", {
      href: canvas.toDataURL(),
      x,
      y,
      width,
      height,
      preserveAspectRatio: "none",
      style: "image-rendering:pixelated",
    });
  }

  measureText(text) {
    this.ruler.font = this.font;
    return this.ruler.measureText(text);
  }

  fillText(text, x, y) {
    const [, weight, size, family] = /^(.*?) ?([\d.]+)px (.*)$/.exec(this.font);
    const drop = { middle: 0.35, top: 0.8, bottom: -0.2 }[this.textBaseline] || 0;
    this.put(
      "text",
      {
        x,
        y: y + drop * size,
        fill: this.fillStyle,
        "font-size": size,
        "font-family": family,
        "font-weight": weight,
        "text-anchor": { center: "middle", right: "end" }[this.textAlign] || "",
      },
      escaped(text),
    );
  }

  toString() {
    const { width, height } = this,
      size = attributes({ width, height, viewBox: `0 0 ${width} ${height}` });
    return `<svg xmlns="http://www.w3.org/2000/svg"${size}>${this.parts.join("")}${"</g>".repeat(this.open)}</svg>`;
  }

  toBlob() {
    return new Blob([this.toString()], { type: "image/svg+xml" });
  }
}

const gifBin = (bytes, i) => ((bytes[i] >> 3) << 10) | ((bytes[i + 1] >> 3) << 5) | (bytes[i + 2] >> 3);

/* The most frequent colours of RGBA frames, at most 255, and the entry for each bin of 5 bits a channel. */
const gifPalette = (frames) => {
  const counts = new Float64Array(32768),
    sums = new Float64Array(3 * 32768),
    entries = new Int16Array(32768).fill(-1);
  for (const frame of frames)
    for (let i = 0; i < frame.length; i += 4) {
      const bin = gifBin(frame, i);
      counts[bin]++;
      for (let c = 0; c < 3; c++) sums[3 * bin + c] += frame[i + c];
    }
  const used = [...counts.keys()]
    .filter((bin) => counts[bin])
    .sort((a, b) => counts[b] - counts[a])
    .slice(0, 255);
  const colours = used.map((bin) => [0, 1, 2].map((c) => Math.round(sums[3 * bin + c] / counts[bin])));
  const nearest = (frame, i) => {
    const away = colours.map((colour) => colour.reduce((sum, value, c) => sum + (value - frame[i + c]) ** 2, 0));
    return away.indexOf(Math.min(...away));
  };
  const entry = (frame, i) => {
    const bin = gifBin(frame, i);
    if (entries[bin] < 0) entries[bin] = nearest(frame, i);
    return entries[bin];
  };
  return { colours, entry };
};

/* 8-bit pixels in GIF's LZW code, in blocks of at most 255 bytes. */
const gifPixels = (pixels, out) => {
  const next = new Uint16Array(4096 * 256);
  let bits = 0,
    held = 0,
    width = 9,
    free = 258,
    block = [],
    code = pixels[0];
  const flush = () => {
    if (block.length) out.push(block.length, ...block);
    block = [];
  };
  const put = (value) => {
    bits |= value << held;
    for (held += width; held >= 8; held -= 8) {
      block.push(bits & 255);
      bits >>>= 8;
      if (block.length === 255) flush();
    }
  };
  out.push(8);
  put(256);
  for (let i = 1; i < pixels.length; i++) {
    const key = (code << 8) | pixels[i];
    if (next[key]) {
      code = next[key];
      continue;
    }
    put(code);
    if (free < 4096) {
      next[key] = free;
      if (free++ === 1 << width) width++;
    } else {
      put(256);
      next.fill(0);
      width = 9;
      free = 258;
    }
    code = pixels[i];
  }
  put(code);
  if (free === 1 << width && width < 12) width++; // the decoder counts an entry for the last code
  put(257);
  if (held) block.push(bits & 255);
  flush();
  out.push(0);
};

/* A GIF that repeats: frames are RGBA bytes, or functions that give them; delays in milliseconds. Colours are chosen
   from at most 12 of the frames; entry 255 stands for "as before". */
const encodeGif = (frames, width, height, delays) => {
  const read = (k) => (typeof frames[k] === "function" ? frames[k]() : frames[k]),
    word = (value) => [value & 255, value >> 8];
  const letters = (text) => [...text].map((c) => c.charCodeAt(0)),
    samples = Math.min(frames.length, 12);
  const { colours, entry } = gifPalette(
    Array.from({ length: samples }, (_, k) => read(Math.floor((k * frames.length) / samples))),
  );
  const table = Array.from({ length: 256 }, (_, k) => colours[k] || [0, 0, 0]).flat(),
    before = new Uint8Array(width * height).fill(255);
  const head = [
    ...letters("GIF89a"),
    ...word(width),
    ...word(height),
    0xf7,
    0,
    0,
    ...table,
    0x21,
    0xff,
    11,
    ...letters("NETSCAPE2.0"),
    3,
    1,
    0,
    0,
    0,
  ];
  const parts = delays.map((delay, k) => {
    const frame = read(k),
      pixels = new Uint8Array(width * height);
    for (let i = 0; i < pixels.length; i++) {
      const colour = entry(frame, 4 * i);
      pixels[i] = colour === before[i] ? 255 : colour;
      before[i] = colour;
    }
    const out = [
      0x21,
      0xf9,
      4,
      5,
      ...word(Math.max(Math.round(delay / 10), 2)),
      255,
      0,
      0x2c,
      0,
      0,
      0,
      0,
      ...word(width),
      ...word(height),
      0,
    ];
    gifPixels(pixels, out);
    return Uint8Array.from(out);
  });
  return new Blob([Uint8Array.from(head), ...parts, Uint8Array.of(0x3b)], { type: "image/gif" });
};

/* What this browser can record: "mp4", "webm" or nothing. */
const FILM = ["mp4", "webm"].find((kind) => window.MediaRecorder && MediaRecorder.isTypeSupported(`video/${kind}`));

/* A drawing of width x height CSS pixels as a Blob: "svg", "png" at twice the size, or, with `count` frames at `rate` a
   second, "gif" (at most 15 a second) or the browser's FILM. paint(context, k) draws frame k, or the still one. */
const picture = async (kind, width, height, paint, count = 1, rate = 30) => {
  const scale = kind === "png" ? 2 : Math.min(1, 720 / width),
    even = (length) => 2 * Math.round((length * scale) / 2);
  if (kind === "svg") {
    const pen = new SvgContext(width, height);
    paint(pen);
    return pen.toBlob();
  }
  const canvas = make("canvas", { width: even(width), height: even(height) }),
    context = canvas.getContext("2d", { willReadFrequently: kind === "gif" });
  const wait = (ms) => new Promise((done) => setTimeout(done, ms)),
    every = kind === "gif" ? Math.max(Math.round(rate / 15), 1) : 1;
  const frames = Array.from({ length: Math.ceil(count / every) }, (_, k) => k * every),
    parts = [];
  context.scale(canvas.width / width, canvas.height / height);
  if (kind === "png") {
    paint(context);
    return new Promise((done) => canvas.toBlob(done));
  }
  await wait(30); // so that the page can say that it takes a while
  if (kind === "gif") {
    const read = (k) => () => {
      paint(context, k);
      return context.getImageData(0, 0, canvas.width, canvas.height).data;
    };
    return encodeGif(
      frames.map(read),
      canvas.width,
      canvas.height,
      frames.map(() => (1000 * every) / rate),
    );
  }
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: `video/${kind}`, videoBitsPerSecond: 4e6 });
  const stopped = new Promise((done) => {
    recorder.onstop = done;
  });
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.start();
  for (const k of frames) {
    paint(context, k);
    await wait(1000 / rate);
  }
  recorder.stop();
  await stopped;
  return new Blob(parts, { type: `video/${kind}` });
};
