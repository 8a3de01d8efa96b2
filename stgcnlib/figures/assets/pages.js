/* Starts the live figures of a page, each once it comes near the screen. `live` is the function around all of this. */
const start = (figure) => {
  const { kind, content } = JSON.parse(figure.querySelector("script").textContent);
  const root = make("div");
  const html = (state) => standalone(figure, state);
  figure.append(root);
  try {
    if (kind === "player") figure.player = new Player(root, content, { html });
    else figure.explorer = new Explorer(root, unpack(content), null, { html });
    figure.classList.add("is-live");
    figure.dataset.ready = "yes";
  } catch (error) {
    root.remove();
    console.error(error);
  }
};

/* A page of this figure alone, with its numbers, its picture and these scripts; an explorer's with its state. */
const standalone = (figure, state) => {
  const copy = figure.cloneNode(true);
  const title = copy.querySelector("img").alt.replace(/[&<]/g, " ");
  copy.classList.remove("is-live");
  delete copy.dataset.ready;
  delete copy.dataset.jpThemeLight;
  copy.querySelectorAll(":scope > div").forEach((root) => root.remove());
  if (state) {
    const held = JSON.parse(copy.querySelector("script").textContent);
    held.content.state = state;
    copy.querySelector("script").textContent = JSON.stringify(held).replace(/</g, "\\u003c");
  }
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
  return (
    `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">` +
    `<title>${title}</title><style id="live-style">${document.getElementById("live-style").textContent}</style></head>` +
    `<body class="live-page">${copy.outerHTML}<script>(${live})();<\/script></body></html>`
  );
};

const begin = () => {
  // A figure in a frame of a notebook has the notebook's theme.
  try {
    const said = window.parent !== window && window.parent.document.querySelector("[data-jp-theme-light]");
    if (said) document.documentElement.dataset.jpThemeLight = said.dataset.jpThemeLight;
  } catch {
    /* a frame of another site: the reader's own wish counts */
  }
  if (document.body.classList.contains("live-page")) dress(document.body, () => {});
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries)
        if (isIntersecting) {
          seen.unobserve(target);
          start(target);
        }
    },
    { rootMargin: "200px" },
  );
  document.querySelectorAll("figure.live").forEach((figure) => seen.observe(figure));
};
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
