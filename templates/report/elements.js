// Elements are made by calls, never from strings of HTML: a name of a model cannot become a tag.

const SVG = "http://www.w3.org/2000/svg";

/** Give an element its attributes and children; texts become text nodes. */
function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** An HTML element. */
function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element. */
function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Units of a picture from left to right: the place's own pixels, but not too few for the labels. */
function pictureWidth(place, least = 560) {
  return Math.max(least, place.clientWidth || 1100);
}

/** The root of a picture, which replaces what was in its place. */
function picture(place, height, label, least) {
  const width = pictureWidth(place, least);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  place.replaceChildren(root);
  return { root, width };
}

/** A box with a title that the browser shows on hovering. */
function box(attributes, title) {
  return svg("rect", attributes, svg("title", {}, title));
}

/** A row of buttons of which one is pressed; made anew, it keeps the keyboard where it was. */
function choice(place, label, options, chosen, choose) {
  const buttons = options.map(([value, text, hint]) => {
    const pressed = value === chosen ? "true" : "false";
    const button = html("button", { type: "button", "aria-pressed": pressed, title: hint }, text);
    button.addEventListener("click", () => choose(value));
    return button;
  });
  const focused = place.contains(document.activeElement) ? document.activeElement.textContent : null;
  place.replaceChildren(html("div", { class: "choice", role: "group", "aria-label": label }, ...buttons));
  buttons.find((button) => button.textContent === focused)?.focus();
}

/** One entry of a legend: a swatch, a name and a figure. */
function legendEntry(colour, name, figure) {
  return html(
    "span",
    { class: "entry" },
    svg("svg", { class: "swatch", viewBox: "0 0 10 10" }, svg("rect", { width: 10, height: 10, rx: 2, class: colour })),
    name,
    html("b", {}, figure),
  );
}

/** Show what is under the pointer in a line of text; `describe` gets the element's data-item. */
function explainHover(place, readout, describe) {
  const rest = readout.textContent;
  place.onpointerover = (event) => {
    const item = event.target.closest("[data-item]");
    readout.textContent = item ? describe(Number(item.dataset.item)) : rest;
  };
  place.onpointerleave = () => {
    readout.textContent = rest;
  };
}
