// The module that a notebook loads: the scripts travel packed and are unpacked when the first view opens.
const PACKED = "";
let loaded;

const load = async () => {
  const bytes = Uint8Array.from(atob(PACKED), (letter) => letter.charCodeAt(0));
  const text = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return (await import(address)).default;
  } finally {
    URL.revokeObjectURL(address);
  }
};

export default { render: async (context) => (await (loaded ??= load())).render(context) };
