/* The stage of a player: where its bodies stand, and the scale of relevance beside them. */

const TITLE_HEIGHT = 20;
const SCALE_WIDTH = 34;

/* A box {x, y, width, height} for each of `count` bodies, below its title: as many columns as make them largest. With a
   scale there is room for it at the right. */
const stageBoxes = (count, width, height, scale) => {
  const across = width - (scale ? SCALE_WIDTH : 0);
  const rowsOf = (columns) => Math.ceil(count / columns);
  const sizes = Array.from({ length: count }, (_, k) =>
    Math.min(across / (k + 1), height / rowsOf(k + 1) - TITLE_HEIGHT),
  );
  const columns = sizes.indexOf(Math.max(...sizes)) + 1;
  const w = across / columns;
  const h = height / rowsOf(columns);
  return sizes.map((_, b) => ({
    x: (b % columns) * w + 4,
    y: Math.floor(b / columns) * h + TITLE_HEIGHT,
    width: w - 8,
    height: h - TITLE_HEIGHT - 4,
  }));
};

/* The scale of relevance at the right, from -1 where it is signed, else from 0, to 1. */
const drawScale = (context, width, height, colours, palette, signed) => {
  const tall = Math.min(height * 0.6, 200);
  const top = (height - tall) / 2;
  const x = width - 30;
  const low = signed ? -1 : 0;
  for (let k = 0; k < 32; k++) {
    context.fillStyle = palette[Math.round((k / 31) * 255)];
    context.fillRect(x, top + tall * (1 - (k + 1) / 32), 9, tall / 32 + 0.5);
  }
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colours.soft;
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const value of signed ? [-1, 0, 1] : [0, 0.5, 1])
    context.fillText(`${value}`.replace("-", "−"), x + 12, top + tall * (1 - (value - low) / (1 - low)));
  context.textAlign = "right";
  context.fillText("relevance", width - 2, top - 12);
};
