/* Pictures to take away: a drawing context that writes SVG, and GIF. */

/* The part of CanvasRenderingContext2D that live figures draw with, recorded as SVG. Colours must be opaque: use
   globalAlpha. A transform must not change between a path and its painting. */
class SvgContext {
  constructor(width, height) {
    Object.assign(this, { width, height, parts: [], stack: [], path: "", open: 0, clips: 0 });
    Object.assign(this, { fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, lineCap: "butt", lineJoin: "miter",
      globalAlpha: 1, font: "10px sans-serif", textAlign: "start", textBaseline: "alphabetic", dash: [], matrix: [1, 0, 0, 1, 0, 0] });
    this.ruler = document.createElement("canvas").getContext("2d");
  }

  save() {
    const { fillStyle, strokeStyle, lineWidth, lineCap, lineJoin, globalAlpha, font, textAlign, textBaseline, dash, matrix, open } = this;
    this.stack.push({ fillStyle, strokeStyle, lineWidth, lineCap, lineJoin, globalAlpha, font, textAlign, textBaseline, dash, matrix, open });
  }

  restore() {
    const before = this.stack.pop();
    if (!before) return;
    this.parts.push("</g>".repeat(this.open - before.open));
    Object.assign(this, before);
  }

  transform(a, b, c, d, e, f) {
    const [A, B, C, D, E, F] = this.matrix;
    this.matrix = [A * a + C * b, B * a + D * b, A * c + C * d, B * c + D * d, A * e + C * f + E, B * e + D * f + F];
  }

  translate(x, y) { this.transform(1, 0, 0, 1, x, y); }
  scale(x, y) { this.transform(x, 0, 0, y, 0, 0); }
  rotate(angle) { const c = Math.cos(angle), s = Math.sin(angle); this.transform(c, s, -s, c, 0, 0); }
  setLineDash(dash) { this.dash = dash; }
  beginPath() { this.path = ""; }
  closePath() { this.path += "Z"; }
  moveTo(x, y) { this.path += `M${svgNumbers(x, y)}`; }
  lineTo(x, y) { this.path += `${this.path ? "L" : "M"}${svgNumbers(x, y)}`; }
  quadraticCurveTo(...at) { this.path += `Q${svgNumbers(...at)}`; }
  bezierCurveTo(...at) { this.path += `C${svgNumbers(...at)}`; }
  rect(x, y, width, height) { this.path += `M${svgNumbers(x, y)}h${svgNumbers(width)}v${svgNumbers(height)}h${svgNumbers(-width)}Z`; }

  arc(x, y, r, from, to, back = false) {
    const turn = (back ? from - to : to - from), whole = turn >= 2 * Math.PI - 1e-6, sweep = back ? 0 : 1;
    const point = (angle) => svgNumbers(x + r * Math.cos(angle), y + r * Math.sin(angle));
    this.path += `${this.path && !this.path.endsWith("Z") ? "L" : "M"}${point(from)}`;
    // One arc command cannot go all the way around.
    if (whole) this.path += `A${svgNumbers(r, r)} 0 1 ${sweep} ${point(from + Math.PI)}A${svgNumbers(r, r)} 0 1 ${sweep} ${point(from)}`;
    else this.path += `A${svgNumbers(r, r)} 0 ${((turn % (2 * Math.PI)) + 2 * Math.PI) % (2 * Math.PI) > Math.PI ? 1 : 0} ${sweep} ${point(to)}`;
  }

  fill() { this.paint(`d="${this.path}" fill="${svgText(this.fillStyle)}"`); }

  stroke() {
    const dash = this.dash.length ? ` stroke-dasharray="${svgNumbers(...this.dash)}"` : "";
    this.paint(`d="${this.path}" fill="none" stroke="${svgText(this.strokeStyle)}" stroke-width="${svgNumbers(this.lineWidth)}"` +
      ` stroke-linecap="${svgText(this.lineCap)}" stroke-linejoin="${svgText(this.lineJoin)}"${dash}`);
  }

  paint(attributes) { this.parts.push(`<path ${attributes}${this.common()}/>`); }

  common() {
    const plain = this.matrix.join() === "1,0,0,1,0,0", { globalAlpha } = this;
    return (globalAlpha < 1 ? ` opacity="${svgNumbers(globalAlpha)}"` : "") + (plain ? "" : ` transform="matrix(${svgNumbers(...this.matrix)})"`);
  }

  apart(draw) { const { path } = this; this.path = ""; draw(); this.path = path; }
  fillRect(...box) { this.apart(() => { this.rect(...box); this.fill(); }); }
  strokeRect(...box) { this.apart(() => { this.rect(...box); this.stroke(); }); }
  clearRect() {} // a fresh picture is empty

  clip() {
    const name = `clip${++this.clips}`;
    this.parts.push(`<clipPath id="${name}"><path d="${this.path}"${this.common()}/></clipPath><g clip-path="url(#${name})">`);
    this.open++;
  }

  /* A canvas or image becomes a PNG inside. */
  drawImage(image, x, y, width = image.width, height = image.height) {
    this.parts.push(`<image href="${image.toDataURL()}" x="${svgNumbers(x)}" y="${svgNumbers(y)}" width="${svgNumbers(width)}"` +
      ` height="${svgNumbers(height)}" preserveAspectRatio="none" style="image-rendering:pixelated"${this.common()}/>`);
  }

  measureText(text) { this.ruler.font = this.font; return this.ruler.measureText(text); }

  fillText(text, x, y) {
    const [, style, size, family] = /^(.*?)([\d.]+)px\s+(.*)$/.exec(this.font) || ["", "", "10", "sans-serif"];
    const anchor = { center: "middle", right: "end", end: "end" }[this.textAlign] || "start";
    const drop = { middle: 0.35, top: 0.8, hanging: 0.8, bottom: -0.2 }[this.textBaseline] || 0;
    const weight = style.trim() ? ` font-weight="${svgText(style.trim())}"` : "";
    this.parts.push(`<text x="${svgNumbers(x)}" y="${svgNumbers(y + drop * size)}" fill="${svgText(this.fillStyle)}" font-size="${size}"` +
      ` font-family="${svgText(family)}" text-anchor="${anchor}"${weight}${this.common()}>${svgText(text)}</text>`);
  }

  toString() {
    const size = `width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}"`;
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${this.parts.join("")}${"</g>".repeat(this.open)}</svg>`;
  }

  toBlob() { return new Blob([this.toString()], { type: "image/svg+xml" }); }
}

const svgNumbers = (...values) => values.map((value) => +value.toFixed(2)).join(" ");
// Signs below space cannot stand in XML at all.
const svgText = (text) => `${text}`.replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, " ").replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/* The most frequent colours of some frames, at most 255, by bins of 5 bits a channel; and the entry of each bin. */
const gifPalette = (frames) => {
  const counts = new Float64Array(32768), sums = new Float64Array(3 * 32768);
  for (const frame of frames)
    for (let i = 0; i < frame.length; i += 4) {
      const bin = (frame[i] >> 3 << 10) | (frame[i + 1] >> 3 << 5) | (frame[i + 2] >> 3);
      counts[bin]++;
      for (let c = 0; c < 3; c++) sums[3 * bin + c] += frame[i + c];
    }
  const used = [...counts.keys()].filter((bin) => counts[bin]).sort((a, b) => counts[b] - counts[a]).slice(0, 255);
  const colours = used.map((bin) => [0, 1, 2].map((c) => Math.round(sums[3 * bin + c] / counts[bin])));
  const entries = new Int16Array(32768).fill(-1);
  return { colours, entry: (r, g, b) => {
    const bin = (r >> 3 << 10) | (g >> 3 << 5) | (b >> 3);
    if (entries[bin] < 0) {
      const away = colours.map(([R, G, B]) => (R - r) ** 2 + (G - g) ** 2 + (B - b) ** 2);
      entries[bin] = away.indexOf(Math.min(...away));
    }
    return entries[bin];
  } };
};

/* GIF's LZW code of 8-bit pixels, in blocks of at most 255 bytes. */
const gifPixels = (pixels, out) => {
  const next = new Uint16Array(4096 * 256);
  let bits = 0, held = 0, width = 9, free = 258, block = [];
  const flush = () => { if (block.length) out.push(block.length, ...block); block = []; };
  const put = (code) => {
    bits |= code << held;
    for (held += width; held >= 8; held -= 8) { block.push(bits & 255); bits >>>= 8; if (block.length === 255) flush(); }
  };
  out.push(8);
  put(256);
  let code = pixels[0];
  for (let i = 1; i < pixels.length; i++) {
    const key = (code << 8) | pixels[i];
    if (next[key]) { code = next[key]; continue; }
    put(code);
    if (free < 4096) { next[key] = free; if (free++ === 1 << width) width++; }
    else { put(256); next.fill(0); width = 9; free = 258; }
    code = pixels[i];
  }
  put(code);
  if (free === 1 << width && width < 12) width++; // the decoder has added an entry for it
  put(257);
  if (held) block.push(bits & 255);
  flush();
  out.push(0);
};

/* A GIF that repeats: frames are RGBA bytes, or functions that give them; delays in milliseconds. Entry 255 stands for
   "as before". Colours are chosen from at most 12 of the frames. */
const encodeGif = (frames, width, height, delays) => {
  const read = (k) => (typeof frames[k] === "function" ? frames[k]() : frames[k]), short = (value) => [value & 255, value >> 8];
  const samples = Math.min(frames.length, 12);
  const { colours, entry } = gifPalette(Array.from({ length: samples }, (_, k) => read(Math.floor((k * frames.length) / samples))));
  const head = [...new TextEncoder().encode("GIF89a"), ...short(width), ...short(height), 0xf7, 0, 0];
  for (let k = 0; k < 256; k++) head.push(...(colours[k] || [0, 0, 0]));
  head.push(0x21, 0xff, 11, ...new TextEncoder().encode("NETSCAPE2.0"), 3, 1, 0, 0, 0);
  const parts = [Uint8Array.from(head)], before = new Uint8Array(width * height).fill(255);
  frames.forEach((_, k) => {
    const frame = read(k), pixels = new Uint8Array(width * height), out = [];
    for (let i = 0; i < pixels.length; i++) {
      const colour = entry(frame[4 * i], frame[4 * i + 1], frame[4 * i + 2]);
      pixels[i] = colour === before[i] ? 255 : colour;
      before[i] = colour;
    }
    out.push(0x21, 0xf9, 4, 5, ...short(Math.max(Math.round(delays[k] / 10), 2)), 255, 0, 0x2c, 0, 0, 0, 0, ...short(width), ...short(height), 0);
    gifPixels(pixels, out);
    parts.push(Uint8Array.from(out));
  });
  return new Blob([...parts, Uint8Array.of(0x3b)], { type: "image/gif" });
};
