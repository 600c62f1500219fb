"use strict";
// Three things that a style sheet cannot do. Without this script the page is whole; it is only less convenient.
(() => {
  // Boxes that scroll sideways can be reached and scrolled by keyboard, and say what they are. Formulas and tables
  // first take the room beside the text.
  const kinds = {Code: ".highlight", Output: "pre.printed, pre.recorded, pre.error", Table: ".table",
                 Formula: "mjx-container"};
  const scrolls = (box) => box.scrollWidth > box.clientWidth + 1;
  const settle = () => {
    for (const [kind, selector] of Object.entries(kinds)) {
      document.querySelectorAll(selector).forEach((box, index) => {
        box.classList.remove("wide", "long", "scrolls");
        if (box.matches("mjx-container:not([display])")) {
          const column = box.closest("p, li, figcaption, h1, h2, h3, h4, main");
          box.classList.toggle("long", box.getBoundingClientRect().width > column.clientWidth);
        } else if ((kind === "Formula" || kind === "Table") && scrolls(box)) box.classList.add("wide");
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
    if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(join).then(soon);
  });
  document.addEventListener("toggle", soon, true);  // what is folded has no width until it is opened

  // A formula in a line keeps the brackets and full stops that touch it: no line begins with a comma.
  const join = () => {
    document.querySelectorAll("mjx-container:not([display])").forEach((formula) => {
      const {previousSibling: before, nextSibling: after} = formula;
      const opening = before instanceof Text && /[(\[“"]+$/.exec(before.data);
      const closing = after instanceof Text && /^[.,;:!?)\]”"’]+/.exec(after.data);
      if (!opening && !closing) return;
      const whole = document.createElement("span");
      whole.className = "whole";
      formula.before(whole);
      if (opening) whole.append(before.splitText(opening.index));
      whole.append(formula);
      if (closing) { after.splitText(closing[0].length); whole.append(after); }
    });
  };

  // Figures open at twice their size (on a phone to be moved about in); a tap or Escape closes them.
  const plate = document.createElement("dialog");
  plate.className = "plate";
  const enlarge = (image, name) => {
    const copy = image.cloneNode();
    copy.removeAttribute("width");
    const twice = 2 * image.clientWidth;
    const whole = Math.min(innerWidth - 32, (innerHeight - 32) * image.clientWidth / image.clientHeight);
    copy.style.width = `${Math.round(innerWidth < 700 ? twice : Math.max(image.clientWidth, Math.min(twice, whole)))}px`;
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
      const caption = figure.querySelector("figcaption");
      if (caption) caption.prepend(button); else image.after(button);
    });
  });
})();
