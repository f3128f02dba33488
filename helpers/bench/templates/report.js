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
