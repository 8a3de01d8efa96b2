/* A kernel: window.kernel = {delay, fail, log, hold: kinds whose answers wait for kernel.release(kind)}. */
const kernel = window.kernel = { delay: 0, fail: {}, log: [], held: [], hold: new Set(), relevance: "absent", heard: new Map() };
kernel.push = (kind, told) => (kernel.heard.get(kind) || []).forEach((callback) => callback(told));
kernel.release = (which) => kernel.held.splice(which, 1)[0]();
const opened = ({ node, map, layer }, stored) => {
  const at = explorer.store.index(node), others = explorer.store.edgesOf(map, layer, at).slice(0, 5), V = 7, T = 40;
  const base = explorer.recording.posed(at);
  const lengths = [T, ...others.map((_, k) => 30 + 5 * k)], path = new Uint16Array(T * lengths.length);
  path.forEach((_, i) => { const t = Math.floor(i / lengths.length), b = i % lengths.length; path[i] = Math.round((t / (T - 1)) * (lengths[b] - 1)); });
  const bodies = base.bodies.map((body, b) => {
    const points = new Int16Array(lengths[b] * V * 3);
    points.forEach((_, i) => { const t = Math.floor(i / V / 3); points[i] = body.points[Math.floor((t / lengths[b]) * 12) * V * 3 + (i % (V * 3))]; });
    return { ...body, frames: lengths[b], points, maps: stored ? [new Uint8Array(lengths[b] * V).map((_, i) => (i * 37) % 256)] : [] };
  });
  const costs = others.map((_, k) => {
    const rows = 20, columns = 15 + k, values = new Uint8Array(rows * columns), cells = [];
    values.forEach((_, i) => { values[i] = Math.min(255, 30 * Math.abs(Math.floor(i / columns) - ((i % columns) * rows) / columns)); });
    for (let r = 0; r < rows; r++) cells.push(r, Math.floor((r * columns) / rows));
    return { rows, columns, values: Object.assign(values, { shape: [rows, columns] }), low: 0.125, high: 3, path: Object.assign(Uint16Array.from(cells), { shape: [rows, 2] }) };
  });
  return {
    player: { ...base, fps: 20, joints: ["hip", "chest", "head", "hand l", "hand r", "foot l", "foot r"], path, bodies, layers: stored ? [`layer ${layer}`] : [],
      signed: false, scale: [[0, "#ffffff"], [1, "#b40426"]] },
    neighbours: others.map(({ node: k, weight }) => ({ node: explorer.store.nodes.names[k], weight, distance: 1.5, frames: 30 })), costs, relevance: stored ? "stored" : kernel.relevance,
  };
};
const link = {
  on: (kind, callback) => {
    if (!kernel.heard.has(kind)) kernel.heard.set(kind, new Set());
    kernel.heard.get(kind).add(callback);
    return () => kernel.heard.get(kind).delete(callback);
  },
  ask: (kind, payload) => new Promise((resolve, reject) => {
    kernel.log.push({ kind, ...payload });
    const answer = () => {
      if (kernel.fail[kind]) return reject(new Error(kernel.fail[kind]));
      resolve({ map: () => other, open: () => opened(payload, false), relevance: () => opened(payload, true), cancel: () => null,
        html: () => ({ text: `<p>${JSON.stringify(payload.state.open)}</p>` }) }[kind]());
    };
    if (kernel.hold.has(kind)) kernel.held.push(answer);
    else setTimeout(answer, kernel.delay);
  }),
};
