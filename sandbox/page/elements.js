// How do buttons, menus and choices look, and how do they tell the bot? (docs.slack.dev, "Block elements".)

import { h, icon, isBusy, safeHref, setBusy } from "./dom.js";
import { plainText } from "./mrkdwn.js";
import { drawChoices, drawField, drawSelect, isField } from "./inputs.js";

/** One element of an actions block, a section's accessory or a context's image. */
export function drawElement(element, block, context) {
  switch (element.type) {
    case "button":
      return button(element, block, context);
    case "static_select":
    case "users_select":
      return select(element, block, context);
    case "overflow":
      return overflow(element, block, context);
    case "radio_buttons":
    case "checkboxes":
      return choices(element, block, context);
    case "image":
      return picture(element);
    default:
      return isField(element) ? field(element, block, context) : unsupported(element);
  }
}

/** Asks for confirmation if the element wants it, then tells the bot. True once the bot has acked. */
async function press(control, element, block, context, selected) {
  if (isBusy(control) || (element.confirm && !(await context.ask(element.confirm)))) return false;
  setBusy(control, true);
  try {
    context.report({ ok: true });
    const answer = await context.press({ block_id: block.block_id, action_id: element.action_id, selected });
    context.report(answer);
    return answer.ok;
  } finally {
    setBusy(control, false);
  }
}

function focusKey(element, block) {
  return `${block.block_id ?? ""}/${element.action_id ?? ""}`;
}

function button(element, block, context) {
  const control = h(
    "button",
    {
      type: "button",
      class: `button ${element.style ?? "default"}`,
      "aria-label": element.accessibility_label,
      dataset: { focus: focusKey(element, block), action: element.action_id ?? "" },
      onclick: () => {
        const href = element.url ? safeHref(element.url) : null;
        if (href) window.open(href, "_blank", "noopener");
        return press(control, element, block, context);
      },
    },
    h("span", { class: "button-text" }, ...plainText(element.text?.text)),
  );
  return control;
}

function select(element, block, context) {
  const control = drawSelect(element, context.names);
  let before = control.value;
  control.dataset.focus = focusKey(element, block);
  control.setAttribute("aria-label", element.placeholder?.text ?? "Choose an option");
  control.addEventListener("change", async () => {
    const chosen = control.selectedOption();
    context.form?.set(block, element, chosen);
    if (
      await press(control, element, block, context, element.type === "users_select" ? chosen.value : chosen)
    )
      before = control.value;
    else control.value = before;
  });
  return control;
}

function choices(element, block, context) {
  const group = drawChoices(
    element,
    context.form?.get(block, element),
    `${context.place}-${focusKey(element, block)}`,
  );
  group.setAttribute("aria-label", element.action_id ?? "Choices");
  group.addEventListener("change", () => {
    context.form?.set(block, element, group.chosen());
    return press(group, element, block, context, group.chosen());
  });
  return group;
}

function field(element, block, context) {
  const control = drawField(element, context.form?.get(block, element));
  control.setAttribute("aria-label", element.placeholder?.text ?? element.action_id ?? "Value");
  control.addEventListener("change", () => {
    context.form?.set(block, element, control.value);
    return press(control, element, block, context, control.value);
  });
  return control;
}

function overflow(element, block, context) {
  const control = h(
    "button",
    {
      type: "button",
      class: "button default overflow-button",
      "aria-label": "More options",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
    },
    icon("more"),
  );
  const menu = h("div", { class: "menu", role: "menu", hidden: true });
  const place = h("span", { class: "overflow" }, control, menu);
  const show = (open) => {
    menu.hidden = !open;
    control.setAttribute("aria-expanded", String(open));
    if (open) menu.firstElementChild?.focus();
  };
  const choose = (option) => {
    show(false);
    control.focus();
    const href = option.url ? safeHref(option.url) : null;
    if (href) window.open(href, "_blank", "noopener");
    return press(control, element, block, context, option);
  };
  menu.append(...(element.options ?? []).map((option) => menuItem(option, choose)));
  control.dataset.focus = focusKey(element, block);
  control.addEventListener("click", () => show(menu.hidden));
  place.addEventListener("keydown", (event) => menuKey(event, menu, () => (show(false), control.focus())));
  place.addEventListener("focusout", (event) => place.contains(event.relatedTarget) || show(false));
  return place;
}

function menuItem(option, choose) {
  return h(
    "button",
    { type: "button", role: "menuitem", class: "menu-item", onclick: () => choose(option) },
    ...plainText(option.text?.text),
  );
}

function menuKey(event, menu, close) {
  if (menu.hidden) return;
  if (event.key === "Escape") {
    event.stopPropagation();
    close();
    return;
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...menu.children];
  const next = items.indexOf(document.activeElement) + step;
  items[(next + items.length) % items.length].focus();
}

/** The sandbox loads nothing from outside: only pictures of its own, or within their address, are shown. */
function picture(element) {
  const address = String(element.image_url ?? "");
  const own = address.startsWith("data:image/") || address.startsWith(`${location.origin}/`);
  if (own) return h("img", { src: address, alt: element.alt_text ?? "" });
  return h(
    "span",
    {
      class: "no-picture",
      role: "img",
      "aria-label": element.alt_text ?? "",
      title: "The sandbox loads no outside pictures",
    },
    element.alt_text || "Picture",
  );
}

function unsupported(element) {
  return h(
    "span",
    { class: "unsupported" },
    `[This sandbox does not draw elements of type “${element.type}”]`,
  );
}
