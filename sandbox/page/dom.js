// How is an element made, redrawn and given an icon without ever parsing text as HTML?

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  hash: "M9 3 7.2 21M16.8 3 15 21M4 8.5h17M3 15.5h17",
  key:
    "M15.5 3a5.5 5.5 0 0 0-5.2 7.3L3 17.6V21h3.6v-2.4H9v-2.4h2.3l1.5-1.5A5.5 5.5 0 1 0 15.5 3Z" +
    "m1.3 3.2a1.2 1.2 0 1 1 0 2.4 1.2 1.2 0 0 1 0-2.4Z",
  eye: "M2 12s3.6-6.5 10-6.5S22 12 22 12s-3.6 6.5-10 6.5S2 12 2 12Zm10-3a3 3 0 1 0 0 6 3 3 0 0 0 0-6Z",
  send: "M3.5 20.5 21 12 3.5 3.5 5.5 12l-2 8.5ZM5.5 12H13",
  close: "M5 5l14 14M19 5 5 19",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  reload: "M20 11a8 8 0 1 0-2.3 6.7M20 4.5V11h-6.5",
  warning: "M12 3.5 22 20.5H2L12 3.5ZM12 10v5M12 17.8v.2",
  down: "M12 5v14M6 13l6 6 6-6",
  reply: "M4 4v7a4 4 0 0 0 4 4h12M15 10l5 5-5 5",
  slash: "M16 4 8 20",
};

/** An element: attributes (`onclick` is a listener, `dataset` an object), then children as nodes or text. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "dataset") Object.assign(element.dataset, value);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** One of the drawings above; it says nothing to a screen reader, so its control needs a name of its own. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** The address if a browser may open it, else null: text from a bot must not become a `javascript:` link. */
export function safeHref(address) {
  try {
    const url = new URL(address);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/** A link that opens elsewhere, or only its label where the address is not one to open. */
export function link(address, ...label) {
  const href = safeHref(address);
  if (href === null) return h("span", {}, ...label);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...label);
}

/**
 * Makes the children of `parent` those of `items` ({key, signature, make}). A node whose key and signature
 * are as before stays the same node, so that a redraw takes neither the focus nor a half-made choice away.
 */
export function reconcile(parent, items) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  const wanted = new Set(items.map((item) => item.key));
  for (const node of [...parent.children]) if (!wanted.has(node.dataset.key)) node.remove();
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let cursor = parent.firstElementChild;
  for (const item of items) {
    const node = old.get(item.key);
    if (node && node.signature === item.signature) {
      if (node === cursor) cursor = cursor.nextElementSibling;
      else parent.insertBefore(node, cursor);
      continue;
    }
    const fresh = Object.assign(item.make(), { signature: item.signature });
    fresh.dataset.key = item.key;
    if (node === cursor) cursor = cursor?.nextElementSibling ?? null;
    node?.remove();
    parent.insertBefore(fresh, cursor);
  }
  if (focused !== undefined && !parent.contains(document.activeElement)) focusOn(parent, focused);
}

/** Gives the focus to the control that bears this `data-focus`, if it is there. */
export function focusOn(parent, key) {
  const target = [...parent.querySelectorAll("[data-focus]")].find((node) => node.dataset.focus === key);
  if (target) target.focus({ preventScroll: true });
  return Boolean(target);
}

/** Shows on a control that an answer is awaited, and keeps it from being used twice meanwhile. */
export function setBusy(control, busy) {
  control.classList.toggle("busy", busy);
  for (const name of ["aria-busy", "aria-disabled"]) {
    if (busy) control.setAttribute(name, "true");
    else control.removeAttribute(name);
  }
}

/** The line that says why an act failed, and the function that fills or empties it with an answer. */
export function failureLine() {
  const node = h("div", { class: "failure", role: "alert", hidden: true });
  const report = (answer) => {
    node.hidden = answer.ok;
    node.replaceChildren(
      ...(answer.ok
        ? []
        : [icon("warning"), answer.text ?? `That did not work: the error was “${answer.error}”`]),
    );
  };
  return { node, report };
}

export function isBusy(control) {
  return control.getAttribute("aria-busy") === "true";
}
