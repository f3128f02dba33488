const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";

// The text that helpers/bench/packing.py packed: base 85 (five characters are four bytes), then zlib.
async function unpack(id) {
  const text = document.getElementById(id).textContent.trim();
  const value = new Uint8Array(128);
  for (let index = 0; index < DIGITS.length; index++) value[DIGITS.charCodeAt(index)] = index;
  const groups = Math.ceil(text.length / 5);
  const bytes = new Uint8Array(4 * groups);
  const view = new DataView(bytes.buffer);
  for (let group = 0; group < groups; group++) {
    let number = 0;
    for (let place = 5 * group; place < 5 * group + 5; place++) {
      number = number * 85 + (place < text.length ? value[text.charCodeAt(place)] : 84);
    }
    view.setUint32(4 * group, number);
  }
  const packed = bytes.subarray(0, 4 * groups - (5 * groups - text.length));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(plain).text();
}

async function showFigures() {
  const script = document.createElement("script");
  script.textContent = await unpack("plotly");
  document.body.append(script);
  drawFigures(JSON.parse(await unpack("figures")));
  document.getElementById("no-figures").remove();
}

// Draws the figures in the page's own ink, on any width, and again in black for paper.
function drawFigures(figures) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = () => document.querySelector("main").clientWidth < 620;
  let printing = false;

  function layoutOf(figure) {
    const layout = structuredClone(figure.layout);
    layout.font = { ...layout.font, color: printing ? "#000" : dark.matches ? "#d5dade" : "#33393f" };
    layout.autosize = true;
    if (printing) layout.width = 680;
    if (narrow() && !printing) {
      const labels = (layout.annotations || []).some((note) => note.name === "end-label");
      layout.annotations = (layout.annotations || []).filter((note) => note.name !== "end-label");
      layout.margin = { ...layout.margin, l: 46, r: 12 };
      layout.title = { ...layout.title, xref: "container", x: 0.02, font: { size: 13 } };
      for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
        const title = layout[name].title;
        if (title) layout[name].title = { ...title, text: title.text.replace(" (", "<br>("), font: { size: 11 } };
      }
      if (labels || layout.showlegend) {
        layout.showlegend = true;
        layout.height += 90;
        layout.margin.b = 130;
        const below = -72 / (layout.height - 48 - layout.margin.b);  // 72 px under the plot: past its axis title
        layout.legend = { orientation: "h", x: 0, xanchor: "left", y: below, yanchor: "top", yref: "paper" };
      }
    }
    return layout;
  }

  function draw() {
    figures.forEach((figure, index) => {
      const place = document.getElementById(`figure-${index}`);
      Plotly.react(place, figure.data, layoutOf(figure), { displayModeBar: false, responsive: true });
    });
  }

  draw();
  dark.addEventListener("change", draw);
  let wasNarrow = narrow();
  addEventListener("resize", () => { if (narrow() !== wasNarrow) { wasNarrow = narrow(); draw(); } });
  addEventListener("beforeprint", () => {
    printing = true;
    document.querySelectorAll("details").forEach((part) => { part.open = true; });
    draw();
  });
  addEventListener("afterprint", () => { printing = false; draw(); });
}
