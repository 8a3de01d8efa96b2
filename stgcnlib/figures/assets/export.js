/* Pictures and films to take away. */

/* What this browser can record: "mp4", "webm" or nothing. */
const FILM = ["mp4", "webm"].find((kind) => window.MediaRecorder && MediaRecorder.isTypeSupported(`video/${kind}`));

/* A drawing of width x height CSS pixels as a Blob: "svg", "png" at twice the size, or, with `count` frames at `rate` a
   second, "gif" (at most 15 a second) or the browser's FILM. paint(context, k) draws frame k, or the still one. */
const picture = async (kind, width, height, paint, count = 1, rate = 30) => {
  const scale = kind === "png" ? 2 : Math.min(1, 720 / width);
  const even = (length) => 2 * Math.round((length * scale) / 2);
  if (kind === "svg") {
    const pen = new SvgContext(width, height);
    paint(pen);
    return pen.toBlob();
  }
  const canvas = make("canvas", { width: even(width), height: even(height) });
  const context = canvas.getContext("2d", { willReadFrequently: kind === "gif" });
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const every = kind === "gif" ? Math.max(Math.round(rate / 15), 1) : 1;
  const frames = Array.from({ length: Math.ceil(count / every) }, (_, k) => k * every);
  const parts = [];
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
