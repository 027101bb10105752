// How do dialogs take the focus, hold it and give it back? Modals and confirmations share one host.

import { h } from "./dom.js";
import { textNodes } from "./blocks.js";

const FOCUSABLE = "a[href], button, input, select, textarea, [tabindex='0']";

/**
 * A host stacks dialogs over `background`, which cannot be used meanwhile. `open(node, onEscape)` gives the
 * function that takes the dialog away again.
 */
export function makeDialogs(host, background) {
  const stack = [];
  const refresh = () => {
    background.inert = stack.length > 0;
    host.hidden = stack.length === 0;
    stack.forEach((entry, index) => (entry.layer.inert = index < stack.length - 1));
  };
  const close = (entry) => {
    const index = stack.indexOf(entry);
    if (index < 0) return;
    const hadFocus = entry.layer.contains(document.activeElement) || document.activeElement === document.body;
    stack.splice(index, 1);
    entry.layer.remove();
    refresh();
    if (hadFocus && entry.before?.isConnected) entry.before.focus({ preventScroll: true });
  };
  document.addEventListener("keydown", (event) => {
    const top = stack.at(-1);
    if (!top || event.defaultPrevented) return;
    if (event.key === "Escape") top.onEscape();
    else if (event.key === "Tab") wrapFocus(event, top.layer);
  });
  return {
    open(node, onEscape) {
      const layer = h("div", { class: "layer" }, node);
      const entry = { layer, onEscape, before: document.activeElement };
      layer.addEventListener("mousedown", (event) => event.target === layer && event.preventDefault());
      stack.push(entry);
      host.append(layer);
      refresh();
      return () => close(entry);
    },
  };
}

function wrapFocus(event, layer) {
  const controls = [...layer.querySelectorAll(FOCUSABLE)].filter(
    (node) => node.offsetParent !== null && !node.disabled,
  );
  const edge = event.shiftKey ? controls[0] : controls.at(-1);
  const outside = !layer.contains(document.activeElement);
  if (
    !controls.length ||
    (document.activeElement !== edge && !outside && layer.firstElementChild !== document.activeElement)
  )
    return;
  if (layer.firstElementChild === document.activeElement && !event.shiftKey) return;
  event.preventDefault();
  (event.shiftKey ? controls.at(-1) : controls[0]).focus();
}

/**
 * Asks what a confirm object asks (docs.slack.dev, "Confirmation dialog object"). `ask` promises true for
 * confirm and false for deny or Escape; `cancel` answers an open question with no.
 */
export function makeConfirm(dialogs, namesNow) {
  let answerOpen = null;
  const ask = (confirm) =>
    new Promise((resolve) => {
      const answer = (yes) => {
        answerOpen = null;
        close();
        resolve(yes);
      };
      const { node, first } = confirmNode(confirm, namesNow(), answer);
      const close = dialogs.open(node, () => answer(false));
      answerOpen = answer;
      first.focus();
    });
  return { ask, cancel: () => answerOpen?.(false) };
}

function confirmNode(confirm, names, answer) {
  const danger = confirm.style === "danger";
  const words = (text, fallback) => (text ? textNodes(text, names) : [fallback]);
  const deny = h(
    "button",
    { type: "button", class: "button default", onclick: () => answer(false) },
    ...words(confirm.deny, "Cancel"),
  );
  const yes = h(
    "button",
    { type: "button", class: `button ${danger ? "danger" : "primary"} solid`, onclick: () => answer(true) },
    ...words(confirm.confirm, "Yes"),
  );
  const node = h(
    "div",
    {
      class: "dialog confirm",
      role: "dialog",
      "aria-modal": "true",
      "aria-labelledby": "confirm-title",
      "aria-describedby": "confirm-text",
    },
    h("h2", { id: "confirm-title" }, ...words(confirm.title, "Are you sure?")),
    h("div", { id: "confirm-text", class: "text" }, ...words(confirm.text, "")),
    h("div", { class: "dialog-buttons" }, deny, yes),
  );
  return { node, first: danger ? deny : yes };
}
