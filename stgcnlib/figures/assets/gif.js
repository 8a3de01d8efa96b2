/* Pictures to take away as GIF: few colours, LZW code. */

/* The bin of a pixel at byte i: 5 bits of each channel. */
const gifBin = (bytes, i) => ((bytes[i] >> 3) << 10) | ((bytes[i + 1] >> 3) << 5) | (bytes[i + 2] >> 3);

/* The most frequent colours of RGBA frames, at most 255, and the entry for each bin of 5 bits a channel. */
const gifPalette = (frames) => {
  const counts = new Float64Array(32768);
  const sums = new Float64Array(3 * 32768);
  const entries = new Int16Array(32768).fill(-1);
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
  let bits = 0;
  let held = 0;
  let width = 9;
  let free = 258;
  let block = [];
  let code = pixels[0];
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
  const read = (k) => (typeof frames[k] === "function" ? frames[k]() : frames[k]);
  const word = (value) => [value & 255, value >> 8];
  const letters = (text) => [...text].map((c) => c.charCodeAt(0));
  const count = Math.min(frames.length, 12);
  const samples = Array.from({ length: count }, (_, k) => read(Math.floor((k * frames.length) / count)));
  const { colours, entry } = gifPalette(samples);
  const table = Array.from({ length: 256 }, (_, k) => colours[k] || [0, 0, 0]).flat();
  const size = [...word(width), ...word(height)];
  const repeat = [[0x21, 0xff, 11], letters("NETSCAPE2.0"), [3, 1, 0, 0, 0]].flat();
  const head = [letters("GIF89a"), size, [0xf7, 0, 0], table, repeat].flat();
  const before = new Uint8Array(width * height).fill(255);
  const parts = delays.map((delay, k) => {
    const frame = read(k);
    const pixels = new Uint8Array(width * height);
    for (let i = 0; i < pixels.length; i++) {
      const colour = entry(frame, 4 * i);
      pixels[i] = colour === before[i] ? 255 : colour;
      before[i] = colour;
    }
    const hundredths = word(Math.max(Math.round(delay / 10), 2));
    const control = [0x21, 0xf9, 4, 5, hundredths, 255, 0].flat();
    const out = [control, [0x2c, 0, 0, 0, 0], size, [0]].flat();
    gifPixels(pixels, out);
    return Uint8Array.from(out);
  });
  return new Blob([Uint8Array.from(head), ...parts, Uint8Array.of(0x3b)], { type: "image/gif" });
};
