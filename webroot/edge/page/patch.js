// DOM morphing: one tree is made like another, and what need not be touched is not.
//
//     morph(node, wanted)              two-way: what stands there becomes what is wanted
//     new Merge(shown, was, wanted)    three-way: the difference of two HTMLs is applied to what is shown, so that what
//                                      scripts have made of the first one stays; apply(), or a Conflict
//
// Theory.  A morph is the merge in which what was is what is shown.
//
// 1. Numbers.  Equal subtrees have the same number (hash consing: a node is its name, attributes and the numbers of its
//    children).  All of them cost O(bytes); then equality costs nothing, and what is equal in both HTMLs is not entered.
// 2. Pairs.  Elements with an id that each side has once belong together, wherever they are.  Children of a pair are
//    paired in rounds, each over all that are left, by a map: the same key (data-key), number, first id inside, last
//    id inside, attributes, name.  Text goes with the neighbour before it.  No round is quadratic.
// 3. Edits.  Planning touches nothing, so a conflict leaves everything as it was.  Then: places (parents first), changes,
//    removals last: what moves from one parent to another never leaves the document.
// 4. Places.  A longest increasing run of the children stays where it is; others are moved, by moveBefore where it
//    exists: frames, animations and focus survive that.  What has the focus is not moved among its siblings.
//
// A control that is not as its attributes say is as a reader wants it, and keeps its state; so does what has been opened.

const { ELEMENT_NODE } = Node;
/** Applied to a page that runs they would not do what they do to one that is loaded. */
const LOADED_ONLY = "script:not([type='application/ld+json']), base, meta[http-equiv], template[shadowrootmode]";

/** Elements with more to them than attributes and what is in them. */
const NOT_IN_STEP = /^(?:input|select|textarea|option|details|dialog|template|head|noscript|script|title)$|-/;

/** The new version does not fit what scripts have made of the old one, or has to be loaded; the message says why. */
export class Conflict extends Error {}

/**
 * Make *node* what *wanted* is: one node, or several.
 * @param {ChildNode} node @param {Node | Iterable<Node>} wanted @returns {Node[]} those that stand there now
 */
export function morph(node, wanted) {
  if (wanted instanceof Element && node instanceof Element) {
    /** @type {(() => void)[]} */
    const changes = [];
    if (inStep(node, wanted, changes)) {
      for (const change of changes) change();
      return [node];
    }
  }
  if (!node.parentNode) new DocumentFragment().append(node);
  const old = [node];
  return new Merge(old, old, wanted instanceof Node ? [wanted] : [...wanted]).apply();
}

/**
 * The same as a merge, and cheap, where it is clear what belongs together: as many children, and of those that differ no
 * two have the same name.  False: it is not clear, or there are controls and such.
 * @param {Element} node @param {Element} wanted @param {(() => void)[]} changes what is to be done
 */
function inStep(node, wanted, changes) {
  if (node.nodeName !== wanted.nodeName || node.id !== wanted.id || keyOf(node) !== keyOf(wanted) || NOT_IN_STEP.test(node.localName)) return false;
  if (node.childNodes.length !== wanted.childNodes.length || /** @type {HTMLElement} */ (node).isContentEditable) return false;
  for (const { name, value } of wanted.attributes) {
    if (node.getAttribute(name) !== value) changes.push(() => setAttribute(node, name, wanted));
  }
  if (node.attributes.length > wanted.attributes.length || changes.length) {
    for (const { name } of node.attributes) if (!wanted.hasAttribute(name)) changes.push(() => setAttribute(node, name, wanted));
  }
  const names = new Set();
  for (let child = node.firstChild, other = wanted.firstChild; child && other; child = child.nextSibling, other = other.nextSibling) {
    if (child.nodeType !== other.nodeType) return false;
    if (!(child instanceof Element && other instanceof Element)) {
      const [text, value] = [child, other.nodeValue];
      if (text.nodeValue !== value) changes.push(() => (text.nodeValue = value));
    } else if (!child.isEqualNode(other)) {
      if (names.has(child.nodeName) || !inStep(child, other, changes)) return false;
      names.add(child.nodeName);
    }
  }
  return true;
}

export class Merge {
  /**
   * @param {ChildNode[]} shown siblings in the document
   * @param {Node[]} was the HTML that they came from, parsed; *shown* itself: all that is shown may be touched
   * @param {Node[]} wanted the new HTML, parsed
   * @param {Map<Node, Node>} made new nodes of *wanted* that stand in the document already
   * @throws {Conflict} nothing has been touched then
   */
  constructor(shown, was, wanted, made = new Map()) {
    this.twoWay = shown === was;
    this.made = made;
    this.document = /** @type {Document} */ (shown[0].ownerDocument);
    /** By what they stand for. @type {Map<string, number>} */
    this.known = new Map();
    /** @type {Map<Node, number>} */
    this.numbers = new Map();
    /** The first and the last of the ids in it that both sides have. @type {Map<Node, string>[]} */
    this.inside = [new Map(), new Map()];
    /** Wanted -> was. @type {Map<Node, Node>} */
    this.old = new Map();
    /** Was -> shown. @type {Map<Node, Node>} */
    this.now = new Map();
    /** @type {Place[]} */
    this.places = [];
    /** @type {(() => void)[]} */
    this.changes = [];
    /** @type {ChildNode[]} */
    this.removals = [];
    /** @type {Element[]} */
    this.controls = [];
    this.pairIds(shown, was, wanted);
    this.paired = { was: new Set(this.old.values()), shown: new Set([...this.now.values(), ...made.values()]) };
    this.order = this.children(/** @type {Node} */ (shown[0].parentNode), shown, was, wanted, shown[0].previousSibling);
  }

  /** Do it.  The nodes that stand for *wanted* now. */
  apply() {
    const focus = new Focus(this.document);
    const settle = this.controls.map((control) => settler(control, focus));
    for (const place of this.places) arrange(place, focus);
    for (const change of this.changes) change();
    for (const node of this.removals) node.remove();
    for (const done of settle) done();
    focus.restore();
    return this.order;
  }

  /** @param {Node[]} shown @param {Node[]} was @param {Node[]} wanted */
  pairIds(shown, was, wanted) {
    const before = byId(was);
    const now = this.twoWay ? before : byId(shown);
    /** @type {Element[]} */
    const both = [];
    for (const [id, element] of byId(wanted)) {
      const [old, current] = [before.get(id), now.get(id)];
      if (!element || !old || !current || old.nodeName !== element.nodeName || current.nodeName !== old.nodeName) continue;
      this.old.set(element, old);
      this.now.set(old, current);
      both.push(element, old);
      if (!this.twoWay) both.push(current);
    }
    for (const first of this.inside) {
      for (const element of both) {
        for (let up = /** @type {Node | null} */ (element); up && !first.has(up); up = up.parentNode) first.set(up, element.id);
      }
      both.reverse();
    }
  }

  /** The same for equal subtrees. @param {Node} node @returns {number} */
  number(node) {
    let number = this.numbers.get(node);
    if (number === undefined) {
      let text = this.made.has(node) ? `new ${this.known.size}` : outside(node);
      for (let child = inner(node).firstChild; child; child = child.nextSibling) text += ` ${this.number(child)}`;
      number = this.known.get(text) ?? this.known.size;
      this.known.set(text, number);
      this.numbers.set(node, number);
    }
    return number;
  }

  /**
   * Pair those of *news* that are not with those of *olds* that are not.
   * @param {Node[]} olds @param {Node[]} news @param {Map<Node, Node>} pairs new -> old @param {Set<Node>} paired olds
   * @param {boolean} guess whether by name and place alone, too; otherwise only where as many are left on both sides
   */
  pair(olds, news, pairs, paired, guess) {
    /** @type {Node[]} */
    let left = [];
    /** @type {Node[]} */
    let open = [];
    const rest = () => {
      left = olds.filter((node) => !paired.has(node));
      open = news.filter((node) => !pairs.has(node) && !this.made.has(node));
      return left.length && open.length;
    };
    /** @param {Node} node @param {Node} old */
    const join = (node, old) => {
      pairs.set(node, old);
      paired.add(old);
    };
    /** @param {(node: Node, isOld: boolean) => unknown} word those with the same one are; undefined: none @param {boolean} [exact] */
    const round = (word, exact = false) => {
      if (!rest()) return;
      const groups = grouped(left, (node) => word(node, true));
      for (const [same, nodes] of grouped(open, (node) => word(node, false))) {
        const found = groups.get(same) ?? [];
        if (exact && found.length !== nodes.length) continue;
        for (const [number, old] of found.slice(0, nodes.length).entries()) join(nodes[number], old);
      }
    };
    /** @param {(element: Element, isOld: boolean) => unknown} word */
    const ofElements = (word) => (/** @type {Node} */ node, /** @type {boolean} */ isOld) => {
      const said = node instanceof Element ? word(node, isOld) : undefined;
      return said === undefined ? undefined : `${node.nodeName} ${keyOf(/** @type {Element} */ (node))} ${said}`;
    };
    const ofOthers = (/** @type {(node: Node) => unknown} */ word) => (/** @type {Node} */ node) => (node.nodeType === ELEMENT_NODE ? undefined : word(node));
    round(ofElements((element) => (keyOf(element) ? "" : undefined)));
    round(ofElements((element) => this.number(element)));
    for (const first of this.inside) round(ofElements((element) => first.get(element)));
    round(ofElements((element) => (isSheet(element) ? undefined : outside(element))));
    round(ofElements((element, isOld) => (isSheet(element) || (guess && isOld && element.id) ? undefined : guess ? "" : element.id)), !guess);
    if (guess && rest()) {
      const free = new Set(left);
      for (const node of open) {
        const beside = pairs.get(/** @type {Node} */ (node.previousSibling))?.nextSibling;
        if (beside && beside.nodeType !== ELEMENT_NODE && beside.nodeName === node.nodeName && free.delete(beside)) join(node, beside);
      }
    }
    round(ofOthers((node) => this.number(node)));
    round(ofOthers((node) => node.nodeName), !guess);
  }

  /**
   * Plan what becomes of the children of *parent*.  Those that will stand for *wanted*, in order.
   * @param {Node} parent @param {ChildNode[]} shown @param {Node[]} was @param {Node[]} wanted
   * @param {Node | null} after what they stand
   */
  children(parent, shown, was, wanted, after) {
    /** @type {Node[]} */
    const order = [];
    this.places.push({ parent, order, after });
    if (!this.twoWay) {
      this.pair(shown, was, this.now, this.paired.shown, false);
      if (shown.length && !was.some((node) => this.now.has(node))) throw new Conflict(`a script has filled ${name(parent)}`);
    }
    this.pair(was, wanted, this.old, this.paired.was, true);
    for (const node of wanted) {
      const old = this.old.get(node);
      const current = old ? this.current(old) : this.create(node);
      if (current) order.push(current);
      else if (old && this.number(old) !== this.number(node)) throw new Conflict(`a script has taken ${name(node)} away`);
      if (old && current) this.node(current, old, node);
    }
    const gone = was.filter((node) => !this.paired.was.has(node));
    const strange = new Set(gone.length && !this.twoWay ? shown.filter((node) => !this.paired.shown.has(node)).map((node) => node.nodeName) : []);
    for (const node of gone) {
      this.refuse(node);
      const current = this.current(node);
      if (current) this.removals.push(/** @type {ChildNode} */ (current));
      else if (strange.has(node.nodeName) && (node instanceof Element || node.nodeValue?.trim())) throw new Conflict(`a script may have changed ${name(node)}`);
    }
    return order;
  }

  /** What is shown of *was*. @param {Node} was */
  current(was) {
    return this.twoWay ? was : this.now.get(was);
  }

  /** What *wanted* will be, which is new. @param {Node} wanted @returns {Node} */
  create(wanted) {
    const made = this.made.get(wanted);
    if (made) return made;
    this.refuse(wanted);
    const isShell = this.inside[0].has(wanted);
    const node = this.document.importNode(wanted, !isShell);
    // What is in it stands elsewhere, and comes.
    if (isShell) this.children(inner(node), [], [], contents(wanted), null);
    return node;
  }

  /** Only a page that is loaded anew has *node*, or has it no more. @param {Node} node @param {boolean} [deep] with what is in it */
  refuse(node, deep = true) {
    if (this.twoWay || !(node instanceof Element)) return;
    if (node.matches(LOADED_ONLY) || (deep && node.querySelector(LOADED_ONLY))) throw new Conflict(`${name(node)} is for pages that are loaded`);
  }

  /** Plan what becomes of one pair. @param {Node} shown @param {Node} was @param {Node} wanted */
  node(shown, was, wanted) {
    if (this.number(was) === this.number(wanted)) return;
    if (!(shown instanceof Element && was instanceof Element && wanted instanceof Element)) {
      this.text(shown, was, wanted);
      return;
    }
    this.refuse(was, false);
    const { localName } = shown;
    if (localName === "noscript" && !this.twoWay) return; // text, where scripts run
    this.attributes(shown, was, wanted);
    if (/^(input|select|textarea)$/.test(localName)) this.controls.push(shown);
    // What is in a custom element, or edited, is somebody else's.
    if (this.twoWay && (localName.includes("-") || /** @type {HTMLElement} */ (shown).isContentEditable)) return;
    this.children(inner(shown), contents(shown), this.twoWay ? contents(shown) : contents(was), contents(wanted), null);
  }

  /** @param {Node} shown @param {Node} was @param {Node} wanted */
  text(shown, was, wanted) {
    if (shown.nodeValue === wanted.nodeValue) return;
    if (shown.nodeValue === was.nodeValue) this.changes.push(() => (shown.nodeValue = wanted.nodeValue));
    else if (shown.parentNode?.nodeName !== "TITLE") throw new Conflict(`a script has written into ${name(/** @type {Node} */ (shown.parentNode))}`);
  }

  /** @param {Element} shown @param {Element} was @param {Element} wanted */
  attributes(shown, was, wanted) {
    for (const attribute of new Set([...was.getAttributeNames(), ...wanted.getAttributeNames()])) {
      const [before, after, current] = [was, wanted, shown].map((element) => element.getAttribute(attribute));
      if (before === after || current === after || attribute === "nonce") continue;
      if (attribute === "open" && /^(details|dialog)$/.test(shown.localName)) continue; // as its reader has it
      if (current === before) this.changes.push(() => setAttribute(shown, attribute, wanted));
      else if (attribute === "class") this.changes.push(() => changeWords(shown.classList, before, after));
      else throw new Conflict(`a script has changed ${attribute} of ${name(shown)}`);
    }
  }
}

/** @typedef {{parent: Node, order: Node[], after: Node | null}} Place what stands in *parent*, behind *after* */

/** Put the nodes of a place in order; others that stand between them stay. @param {Place} place @param {Focus} focus */
function arrange({ parent, order, after }, focus) {
  let at = after ? after.nextSibling : parent.firstChild;
  if (order.every((node) => {
    const isThere = at === node;
    at = at && at.nextSibling;
    return isThere;
  })) return;
  const index = new Map([...parent.childNodes].map((node, number) => [/** @type {Node} */ (node), number]));
  const isHead = parent.nodeName === "HEAD"; // where only the order of styles matters
  const free = isHead ? order.filter((node) => index.has(node) && !isStyle(node)) : [];
  const moving = isHead ? order.filter((node) => !index.has(node) || isStyle(node)) : order;
  const stays = new Set([...free, ...increasing(moving, index, moving.find((node) => focus.path.has(node)))]);
  let last = after;
  for (const node of order) {
    const next = last ? last.nextSibling : parent.firstChild;
    if (!stays.has(node) && node !== next) move(parent, node, next);
    last = node;
  }
}

/** @param {Node} parent @param {Node} node @param {Node | null} next */
export function move(parent, node, next) {
  try {
    /** @type {any} */ (parent).moveBefore(node, next);
  } catch { // the browser has no such thing, or the node is not in the document
    parent.insertBefore(node, next);
  }
}

/**
 * A longest run of *nodes* whose places grow (patience sorting), with *fixed* if it has a place.
 * @param {Node[]} nodes @param {Map<Node, number>} places @param {Node | undefined} fixed @returns {Node[]}
 */
export function increasing(nodes, places, fixed) {
  const at = fixed === undefined ? undefined : places.get(fixed);
  const turn = fixed === undefined ? -1 : nodes.indexOf(fixed);
  /** The last of the best run of each length, and what each stands behind. @type {{place: number, node: Node, before: any}[]} */
  const best = [];
  nodes.forEach((node, number) => {
    const place = places.get(node);
    if (place === undefined) return;
    if (at !== undefined && number !== turn && number < turn !== place < at) return; // would cross it
    let [low, high] = [0, best.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (best[middle].place < place) low = middle + 1;
      else high = middle;
    }
    best[low] = { place, node, before: best[low - 1] };
  });
  const run = [];
  for (let one = best.at(-1); one; one = one.before) run.push(one.node);
  return run;
}

/** Where the reader is. */
class Focus {
  /** @param {Document} document */
  constructor(document) {
    this.element = /** @type {HTMLInputElement | null} */ (document.activeElement === document.body ? null : document.activeElement);
    /** It and what it is in. @type {Set<Node>} */
    this.path = new Set();
    for (let up = /** @type {Node | null} */ (this.element); up; up = up.parentNode) this.path.add(up);
    /** What is selected in it; null: nothing, or it has no text. */
    this.selection = this.element?.selectionStart ?? null;
    this.selectionEnd = this.element?.selectionEnd ?? null;
  }

  restore() {
    const { element, selection, selectionEnd } = this;
    if (!element?.isConnected) return;
    if (element.ownerDocument.activeElement !== element) element.focus({ preventScroll: true });
    if (selection !== null && element.selectionStart === element.selectionEnd) element.setSelectionRange(selection, selectionEnd);
  }
}

/** What has a control show what its attributes say, later, unless a reader has changed that until now. @param {Element} control @param {Focus} focus */
function settler(control, focus) {
  if (control instanceof HTMLSelectElement) {
    const options = () => [...control.options];
    const initial = () => options().some((one) => one.defaultSelected) ? options().map((one) => one.defaultSelected) : options().map((_, number) => !control.multiple && number === 0);
    const wanted = initial();
    if (options().some((one, number) => one.selected !== wanted[number])) return () => {};
    return () => initial().forEach((selected, number) => (control.options[number].selected = selected));
  }
  const field = /** @type {HTMLInputElement} */ (control);
  const { value } = field;
  const typed = value !== field.defaultValue;
  const ticked = field.checked !== field.defaultChecked;
  return () => {
    const now = field === focus.element || typed ? value : field.defaultValue;
    if (field.value !== now && field.type !== "file") field.value = now;
    if (!ticked && field.checked !== field.defaultChecked) field.checked = field.defaultChecked;
  };
}

/** As *like* has it; whatever the parser takes for a name is one. @param {Element} element @param {string} name @param {Element} like */
function setAttribute(element, name, like) {
  const value = like.getAttribute(name);
  if (value !== null && /^[a-z][\w-]*$/.test(name)) {
    element.setAttribute(name, value);
    return;
  }
  const [wanted, old] = [like.getAttributeNode(name), element.getAttributeNode(name)];
  if (wanted) element.setAttributeNodeNS(element.ownerDocument.importNode(wanted));
  else if (old) element.removeAttributeNode(old);
}

/** @param {DOMTokenList} list @param {string | null} before @param {string | null} after */
function changeWords(list, before, after) {
  const words = (/** @type {string | null} */ text) => (text ?? "").split(/\s+/).filter(Boolean);
  list.remove(...words(before).filter((word) => !words(after).includes(word)));
  list.add(...words(after).filter((word) => !words(before).includes(word)));
}

/** Elements of *nodes* by id; null: several have it. @param {Node[]} nodes */
function byId(nodes) {
  /** @type {Map<string, Element | null>} */
  const found = new Map();
  for (const node of nodes) {
    if (!(node instanceof Element)) continue;
    for (const element of [node, ...node.querySelectorAll("[id]")]) {
      if (element.id) found.set(element.id, found.has(element.id) ? null : element);
    }
  }
  return found;
}

/** @param {Node[]} nodes @param {(node: Node) => unknown} word undefined: of no group */
function grouped(nodes, word) {
  /** @type {Map<unknown, Node[]>} */
  const groups = new Map();
  for (const node of nodes) {
    const said = word(node);
    const group = groups.get(said);
    if (group) group.push(node);
    else if (said !== undefined) groups.set(said, [node]);
  }
  return groups;
}

/** @param {Element} element */
const keyOf = (element) => element.getAttribute("data-key") ?? "";

/** What its children are in. @param {Node} node */
const inner = (node) => (node.nodeName === "TEMPLATE" && node instanceof HTMLTemplateElement ? node.content : node);

/** @param {Node} node @returns {ChildNode[]} */
const contents = (node) => [...inner(node).childNodes];

/** A node but for what is in it; two that are alike have the same: its name, and attributes with the length of each value. @param {Node} node */
function outside(node) {
  const { nodeName } = node;
  const attributes = /** @type {Element} */ (node).attributes;
  if (!attributes) return `${nodeName} ${node.nodeValue}`;
  if (!attributes.length) return nodeName;
  const all = [];
  for (const { name, value } of attributes) if (name !== "nonce") all.push(`${name}=${value.length}:${value}`); // that is of one answer
  return `${nodeName} ${all.sort().join(" ")}`;
}

/** @param {Node} node */
const isSheet = (node) => node instanceof HTMLLinkElement && node.relList.contains("stylesheet");

/** @param {Node} node */
const isStyle = (node) => isSheet(node) || node instanceof HTMLStyleElement;

/** For people. @param {Node} node */
const name = (node) => (node instanceof Element ? `<${node.localName}${node.id && ` id="${node.id}"`}>` : node.nodeName);
