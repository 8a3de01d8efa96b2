/* Interactions of the workbench, each timed; benchmarks/workbench_latency.py runs this in a page of its own. */
const explorer = new Explorer(root, content), { store } = explorer, map = () => explorer.panels[0].view;
store.set({ panels: [{ map: content.maps[0].key, at: 8 }, { map: content.maps[0].key, at: 3 }] });
const last = content.maps[0].layers.length - 1, names = content.nodes.names;
const frame = () => new Promise((done) => requestAnimationFrame(() => done()));
const settled = async () => {
  do { await frame(); await frame(); } while (explorer.panels.some(({ view }) => view.motion || view.frame));
};
const timed = async (act) => {
  const began = performance.now();
  act();
  await frame();
  await frame();
  return performance.now() - began;
};

let seed = 1;
const random = (n) => (seed = (seed * 16807) % 2147483647) % n;
const fire = (type, [x, y], more = {}) => {
  const { left, top } = map().over.getBoundingClientRect();
  const event = { clientX: left + x, clientY: top + y, bubbles: true, cancelable: true, pointerId: 1, ...more };
  map().over.dispatchEvent(type === "wheel" ? new WheelEvent(type, event) : new PointerEvent(type, event));
};
const press = (key, more) => map().area.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
const enter = (input, value) => { input.value = value; input.dispatchEvent(new Event("input", { bubbles: true })); };
const place = () => map().spot(random(store.count));
const click = (more) => { const at = place(); fire("pointerdown", at, more); fire("pointerup", at, more); };
const drag = (places, more) => {
  fire("pointerdown", places[0]);
  for (const at of places.slice(1)) fire("pointermove", at);
  fire("pointerup", places.at(-1), more);
};
const loop = () => Array.from({ length: 60 }, (_, k) => [
  map().width / 2 + (100 + random(150)) * Math.cos(k / 9.5), map().height / 2 + 200 * Math.sin(k / 9.5),
]);
const slide = () => enter(explorer.panels[0].slider, (store.values.panels[0].at + 0.1) % last);
const mode = (name) => () => store.set({ mode: name });
const fresh = (change) => () => { store.set({ colour: "class", ...change() }); store.cache.clear(); };
const layers = () => ({ from: random(last + 1), to: random(last + 1) });
const several = () => [...Array(Math.min(500, store.count)).keys()];
const words = [names[5].slice(0, 3), "1", "class 3", names[0], ""];

/* Name -> what is done, or [what is done before, what is timed]. */
const acts = {
  "hover": () => fire("pointermove", place()),
  "click: open": () => click(),
  "shift-click: add": () => click({ shiftKey: true }),
  "lasso": [mode("lasso"), () => drag(loop())],
  "lasso with shift": [mode("lasso"), () => drag(loop(), { shiftKey: true })],
  "rectangle": [mode("rectangle"), () => drag([[random(200), random(150)], [250 + random(150), 200 + random(150)]])],
  "undo": [mode("point"), () => press("z", { ctrlKey: true })],
  "Escape: choose none": [() => store.choose([random(store.count)]), () => press("Escape")],
  "slider, a tenth of a layer": slide,
  "[ or ]: another layer": [() => store.show(0, { at: Math.round(store.values.panels[0].at) }), () => press(random(2) ? "[" : "]")],
  "zoom by the wheel": [() => map().area.focus(), () => fire("wheel", place(), { deltaY: random(2) ? 120 : -130 })],
  "pan": [mode("point"), () => drag([[200, 200], [220 + random(30), 210], [240, 200 + random(20)]])],
  "arrow key": () => press(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"][random(4)]),
  "search, a word": () => enter(explorer.search, words[random(words.length)]),
  "colour by class": [() => { enter(explorer.search, ""); store.set({ colour: "degree" }); }, () => store.set({ colour: "class" })],
  "colour by smoothness": [fresh(layers), () => store.set({ colour: "smoothness" })],
  "colour by degree": [fresh(layers), () => store.set({ colour: "degree" })],
  "colour by flips": [fresh(layers), () => store.set({ colour: "flips" })],
  "edges of 500 recordings": [
    () => store.set({ edges: "open", colour: "class" }), () => { store.choose(several()); store.set({ edges: "subset" }); },
  ],
  "slider with these edges": slide,
  "table of classes": [() => { store.set({ edges: "open" }); explorer.tab("recording"); }, () => explorer.tab("classes")],
  "compare: one map, two maps": () => press("c"),
  "dark and light": [
    () => store.values.panels.length > 1 || press("c"),
    () => { document.body.dataset.jpThemeLight = random(2) ? "true" : "false"; },
  ],
};

const ready = async () => {
  await settled();
  for (const { view } of explorer.panels) view.area.setPointerCapture = () => {}; // made-up pointers cannot be captured
};
const measure = async (repeats) => {
  const result = {};
  for (const [name, act] of Object.entries(acts)) {
    const [before, now] = Array.isArray(act) ? act : [() => {}, act];
    result[name] = [];
    for (let k = 0; k < repeats; k++) {
      before();
      await ready();
      result[name].push(await timed(now));
      await ready();
    }
  }
  return result;
};
const used = async () => {
  for (let k = 0; k < 3; k++) { gc(); await new Promise((done) => setTimeout(done, 100)); }
  return performance.memory.usedJSHeapSize;
};
const interact = async (count) => {
  const all = Object.values(acts).flat();
  for (let k = 0; k < count; k++) { all[k % all.length](); await ready(); }
};
Object.assign(window, { measure, used, interact });
