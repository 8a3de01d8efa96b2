/* Pictures to take away as SVG: a drawing context that writes it. */

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
    const point = (angle) => short(x + r * Math.cos(angle), y + r * Math.sin(angle));
    const middle = (from + to) / 2;
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
    const { width, height } = this;
    const size = attributes({ width, height, viewBox: `0 0 ${width} ${height}` });
    return `<svg xmlns="http://www.w3.org/2000/svg"${size}>${this.parts.join("")}${"</g>".repeat(this.open)}</svg>`;
  }

  toBlob() {
    return new Blob([this.toString()], { type: "image/svg+xml" });
  }
}
