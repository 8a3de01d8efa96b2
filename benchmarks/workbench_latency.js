/* Interactions of the workbench, each timed; benchmarks/workbench_latency.py runs this in a page of its own. */
const store = new Store(content), maps = [];
store.set({ panels: Array.from({ length: PANELS }, (_, k) => ({ map: "trained", at: k ? 3 : 8 })) });
for (let k = 0; k < PANELS; k++) { const place = make("div"); root.append(place); maps.push(new LayerMap(place, store, k)); }
const frame = () => new Promise((done) => requestAnimationFrame(() => done()));
const settled = async () => { do { await frame(); await frame(); } while (maps.some((map) => map.motion || map.frame)); };
const timed = async (act) => { const began = performance.now(); act(); await frame(); await frame(); return performance.now() - began; };
let seed = 1;
const random = (n) => (seed = (seed * 16807) % 2147483647) % n;
const fire = (type, [x, y], more = {}) => {
  const box = maps[0].over.getBoundingClientRect(), at = { clientX: box.left + x, clientY: box.top + y, bubbles: true, cancelable: true, ...more };
  maps[0].over.dispatchEvent(type === "wheel" ? new WheelEvent(type, at) : new PointerEvent(type, { pointerId: 1, ...at }));
};
const press = (key, more = {}) => maps[0].area.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
const node = () => maps[0].spot(random(store.count));
const click = (more) => { const at = node(); fire("pointerdown", at, more); fire("pointerup", at, more); };
const drag = (places, more) => {
  fire("pointerdown", places[0]);
  for (const place of places.slice(1)) fire("pointermove", place);
  fire("pointerup", places.at(-1), more);
};
const ring = () => Array.from({ length: 60 }, (_, k) => [350 + (150 + random(200)) * Math.cos(k / 9.5), 300 + 250 * Math.sin(k / 9.5)]);
const words = ["class 3", "s1", "class 12", "a01", "class 7 s2", ""];
maps[0].area.setPointerCapture = () => {};  // made-up pointers cannot be captured
const acts = {
  "hover": () => fire("pointermove", node()),
  "click: open": () => click(),
  "shift-click: add": () => click({ shiftKey: true }),
  "lasso": [() => store.set({ mode: "lasso" }), () => drag(ring())],
  "lasso with shift": [() => store.set({ mode: "lasso" }), () => drag(ring(), { shiftKey: true })],
  "rectangle": [() => store.set({ mode: "rectangle" }), () => drag([[random(300), random(200)], [400 + random(200), 300 + random(250)]])],
  "undo": [() => store.set({ mode: "point" }), () => press("z", { ctrlKey: true })],
  "Escape: nothing chosen": [() => store.choose([random(store.count)]), () => press("Escape")],
  "slider, a tenth of a layer": () => store.show(0, { at: (store.values.panels[0].at + 0.1) % 10 }),
  "[ or ]: another layer": [() => store.show(0, { at: Math.round(store.values.panels[0].at) }), () => press(random(2) ? "[" : "]")],
  "zoom by the wheel": [() => maps[0].area.focus(), () => fire("wheel", node(), { deltaY: random(2) ? 120 : -130 })],
  "pan": () => drag([[300, 300], [320 + random(30), 310], [340, 300 + random(20)]]),
  "arrow key": () => press(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"][random(4)]),
  "search": () => store.set({ search: words[random(6)] }),
  "colour by class": [() => store.set({ search: "", colour: "frames" }), () => store.set({ colour: "class" })],
  "colour by subject": () => store.set({ colour: random(2) ? "subject" : "class" }),
  "colour by smoothness, another layer": [() => store.show(0, { at: random(11) }), () => store.set({ colour: "smoothness" })],
  "colour by degree, another layer": [() => { store.show(0, { at: random(11) }); store.cache.clear(); }, () => store.set({ colour: "degree" })],
  "colour by flips, other layers": [() => { store.set({ colour: "class", from: random(11), to: random(11) }); store.cache.clear(); }, () => store.set({ colour: "flips" })],
  "edges of 500 recordings": [() => store.set({ edges: "open", colour: "class" }), () => { store.choose([...Array(500).keys()]); store.set({ edges: "subset" }); }],
  "slider with edges of 500": () => store.show(0, { at: (store.values.panels[0].at + 0.1) % 10 }),
  "dark and light": [() => store.set({ edges: "open" }), () => { root.dataset.jpThemeLight = random(2) ? "true" : "false"; maps.forEach((map) => map.request()); }],
};
const measure = async (repeats) => {
  const result = {};
  await settled();
  for (const [name, act] of Object.entries(acts)) {
    const [before, now] = Array.isArray(act) ? act : [() => {}, act];
    result[name] = [];
    for (let k = 0; k < repeats; k++) {
      before();
      await settled();
      result[name].push(await timed(now));
      await settled();
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
  for (let k = 0; k < count; k++) { all[k % all.length](); await settled(); }
};
Object.assign(window, { measure, used, interact, settled });
