"use strict";
// Two things that a style sheet cannot do. Without this script the page is whole; it is only less convenient.
(() => {
  // Boxes that scroll sideways can be reached and scrolled by keyboard, and say what they are. Formulas and tables
  // first take the room beside the text.
  const kinds = {Code: ".highlight", Output: "pre.printed, pre.recorded, pre.error", Table: ".table",
                 Formula: "mjx-container[display=true]"};
  const scrolls = (box) => box.scrollWidth > box.clientWidth + 1;
  const settle = () => {
    for (const [kind, selector] of Object.entries(kinds)) {
      document.querySelectorAll(selector).forEach((box, index) => {
        box.classList.remove("wide", "scrolls");
        if ((kind === "Formula" || kind === "Table") && scrolls(box)) box.classList.add("wide");
        if (scrolls(box)) {
          box.classList.add("scrolls");
          box.tabIndex = 0;
          box.setAttribute("role", "region");
          box.setAttribute("aria-label", `${kind} ${index + 1}, scrolls sideways`);
        } else if (box.tabIndex === 0) {
          for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
        }
      });
    }
  };
  let due = 0;
  const soon = () => { cancelAnimationFrame(due); due = requestAnimationFrame(settle); };
  addEventListener("resize", soon);
  addEventListener("load", () => {
    soon();
    if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(soon);
  });
  document.addEventListener("toggle", soon, true);  // what is folded has no width until it is opened

  // Figures open at twice their size, to be moved about in; a tap or Escape closes them.
  const plate = document.createElement("dialog");
  plate.className = "plate";
  const enlarge = (image, name) => {
    const copy = image.cloneNode();
    copy.removeAttribute("width");
    const fitting = Math.min(innerWidth - 32, image.naturalWidth || innerWidth);
    copy.style.width = `${Math.round(Math.max(2 * image.clientWidth, fitting))}px`;
    const close = document.createElement("button");
    close.textContent = "Close";
    const view = document.createElement("div");
    view.tabIndex = 0;
    view.setAttribute("role", "region");
    view.setAttribute("aria-label", `${name}, enlarged`);
    view.append(copy);
    plate.setAttribute("aria-label", name);
    plate.replaceChildren(close, view);
    plate.showModal();
    close.focus();
  };
  plate.addEventListener("click", () => plate.close());
  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(plate);
    document.querySelectorAll("figure").forEach((figure, index) => {
      const image = figure.querySelector("img");
      if (!image) return;
      const label = figure.querySelector("figcaption strong");
      const name = label ? label.textContent.replace(/\.\s*$/, "") : `Picture ${index + 1}`;
      const button = document.createElement("button");
      button.className = "enlarge";
      button.textContent = "Enlarge";
      button.setAttribute("aria-label", `Enlarge ${name}`);
      button.addEventListener("click", () => enlarge(image, name));
      image.addEventListener("click", () => enlarge(image, name));
      image.after(button);
    });
  });
})();
