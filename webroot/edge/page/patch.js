// DOM morphing: makes one tree like another, touching what differs and nothing else: focus, selection, scroll
// positions, what has been typed and the insides of custom elements stay.  Children are matched by key (data-key,
// else id).

/** @param {Node} node */
function keyOf(node) {
  return node instanceof Element ? (node.getAttribute("data-key") ?? node.id) : "";
}

/** @param {Node} one @param {Node} other */
function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
}

/** Make *node* like *wanted*, in place. @param {Node} node @param {Node} wanted */
export function morph(node, wanted) {
  if (!(node instanceof Element) || !(wanted instanceof Element)) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue;
    return;
  }
  if (node.isEqualNode(wanted)) return;
  attributes(node, wanted);
  // What is inside of a custom element, or being edited, belongs to somebody else.
  if (node.localName.includes("-") || node.localName === "textarea" || /** @type {HTMLElement} */ (node).isContentEditable) return;
  children(node, wanted);
}

/** @param {Element} node @param {Element} wanted */
function attributes(node, wanted) {
  for (const { name } of [...node.attributes]) {
    if (!wanted.hasAttribute(name) && !kept(node, name)) node.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (node.getAttribute(name) !== value && !kept(node, name)) node.setAttribute(name, value);
  }
}

/** Attributes that the visitor's doings are written into. @param {Element} node @param {string} name */
function kept(node, name) {
  if (name === "open") return node.localName === "details" || node.localName === "dialog";
  if (name === "value" || name === "checked") return node === document.activeElement;
  return false;
}

/** @param {Element} node @param {Element} wanted */
function children(node, wanted) {
  /** @type {Map<string, Node>} */
  const byKey = new Map();
  for (const child of node.childNodes) {
    const key = keyOf(child);
    if (key) byKey.set(key, child);
  }
  /** @type {ChildNode | null} */
  let here = node.firstChild;
  for (const child of [...wanted.childNodes]) {
    const key = keyOf(child);
    /** @type {Node | null | undefined} */
    let match = key ? byKey.get(key) : here;
    while (match && !key && match !== null && (keyOf(match) || !alike(match, child))) match = match.nextSibling;
    if (match && alike(match, child)) {
      if (key) byKey.delete(key);
      if (match === here) here = here?.nextSibling ?? null;
      else node.insertBefore(match, here);
      morph(match, child);
    } else {
      node.insertBefore(child, here);
    }
  }
  while (here) {
    const next = /** @type {ChildNode | null} */ (here.nextSibling);
    here.remove();
    here = next;
  }
}
