// Lists and toolbars that are one stop of the Tab key, with the arrow keys inside (data-roving): so a page has few stops.
// Without scripts each link and button is a stop, as ever.

const WITHIN = "a[href], button, input:not([type=hidden]), textarea, select";
const STEPS = /** @type {Record<string, number>} */ ({ ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 });

/** @param {Element} group */
const members = (group) => /** @type {HTMLElement[]} */ ([...group.querySelectorAll(WITHIN)]);

/** One of each group can be reached: that which has the focus, had it last, or is the first. @param {Element} group */
function settle(group) {
  const all = members(group);
  const stop = all.find((one) => one === document.activeElement) ?? all.find((one) => one.hasAttribute("data-stop")) ?? all[0];
  for (const one of all) {
    const index = one === stop ? 0 : -1;
    if (one.tabIndex !== index) one.tabIndex = index;
    one.toggleAttribute("data-stop", one === stop);
  }
}

/** What has been redrawn: attributes are as in the HTML again. @param {MutationRecord[]} records */
function redrawn(records) {
  const groups = new Set();
  for (const { target, addedNodes } of records) {
    const group = /** @type {Element} */ (target).closest("[data-roving]");
    if (group) groups.add(group);
    else for (const one of addedNodes) if (one instanceof Element) for (const inner of one.querySelectorAll("[data-roving]")) groups.add(inner);
  }
  for (const group of groups) settle(group);
}

addEventListener("keydown", (event) => {
  const { key, target } = event;
  const group = /** @type {Element} */ (target).closest?.("[data-roving]");
  if (!group || event.ctrlKey || event.altKey || event.metaKey || /^(input|textarea)$/i.test(/** @type {Element} */ (target).nodeName)) return;
  const all = members(group);
  const at = all.indexOf(/** @type {HTMLElement} */ (target));
  const to = key === "Home" ? 0 : key === "End" ? all.length - 1 : STEPS[key] ? at + STEPS[key] : -1;
  if (!all[to]) return;
  event.preventDefault();
  all[to].focus();
});
addEventListener("focusin", (event) => {
  const group = /** @type {Element} */ (event.target).closest?.("[data-roving]");
  if (group) settle(group);
});
new MutationObserver(redrawn).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["tabindex"] });
for (const group of document.querySelectorAll("[data-roving]")) settle(group);
