// "There is a new version": what a reader is shown when a new version of the page has to be loaded, and the site does
// not say it in its own way.  In a shadow tree of its own, with system colours, and nothing that a content security
// policy forbids.

const STYLE = `
:host { all: initial; position: fixed; inset: auto 1rem 1rem auto; z-index: 2147483647; }
div { display: flex; gap: .75rem; align-items: center; padding: .5rem .75rem; font: 14px/1.4 system-ui, sans-serif;
  color: CanvasText; background: Canvas; border: 1px solid GrayText; border-radius: .5rem; }
button { font: inherit; cursor: pointer; }`;

export function showNotice() {
  const host = document.createElement("div");
  host.setAttribute("role", "status");
  const root = host.attachShadow({ mode: "open" });
  const style = new CSSStyleSheet();
  style.replaceSync(STYLE);
  root.adoptedStyleSheets = [style];
  const box = document.createElement("div");
  box.append("There is a new version of this page.", button("Reload", () => location.reload()), button("Later", () => host.remove()));
  root.append(box);
  document.body.append(host);
}

/** @param {string} text @param {() => void} onClick */
function button(text, onClick) {
  const element = document.createElement("button");
  element.textContent = text;
  element.addEventListener("click", onClick);
  return element;
}
