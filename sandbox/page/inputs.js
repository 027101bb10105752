// How do a form's fields look, what do they hold, and what would Slack's client not even send?

import { h } from "./dom.js";
import { plainText } from "./mrkdwn.js";

const FIELDS = {
  plain_text_input: "text",
  email_text_input: "email",
  url_text_input: "url",
  number_input: "number",
  datepicker: "date",
};

export function isField(element) {
  return Object.hasOwn(FIELDS, element.type);
}

/** An input block: label, element, hint and, once the bot or the page has found one, its error. */
export function drawInput(block, context) {
  const { element } = block;
  const id = `field-${block.block_id ?? ""}-${element.action_id ?? ""}`;
  const label = [
    ...plainText(block.label?.text),
    block.optional ? h("span", { class: "optional" }, " (optional)") : null,
  ];
  const control = inputControl(element, block, context);
  const isGroup = control.matches("fieldset");
  const target =
    control.querySelector("input, textarea") && !isGroup ? control.querySelector("input, textarea") : control;
  const error = context.form?.error(block);
  const notes = [block.hint ? `${id}-hint` : "", error ? `${id}-error` : ""].join(" ").trim();
  target.id = id;
  target.dataset.focus = id;
  if (isGroup) target.setAttribute("aria-labelledby", `${id}-label`);
  if (notes) target.setAttribute("aria-describedby", notes);
  if (error) target.setAttribute("aria-invalid", "true");
  return h(
    "div",
    { class: error ? "has-error" : "" },
    h(isGroup ? "div" : "label", { class: "label", for: isGroup ? null : id, id: `${id}-label` }, ...label),
    control,
    error ? h("div", { class: "field-error", id: `${id}-error`, role: "alert" }, error) : null,
    block.hint ? h("div", { class: "hint", id: `${id}-hint` }, ...plainText(block.hint.text)) : null,
  );
}

function inputControl(element, block, context) {
  const held = context.form?.get(block, element);
  const keep = (value) => {
    context.form?.set(block, element, value);
    if (block.dispatch_action)
      context
        .press({ block_id: block.block_id, action_id: element.action_id, selected: value })
        .then(context.report);
  };
  if (isField(element)) return fieldWithCounter(element, held, block, context);
  if (element.type === "radio_buttons" || element.type === "checkboxes") {
    const group = drawChoices(element, held, `${context.form?.id ?? context.place}-${block.block_id}`);
    group.addEventListener("change", () => keep(group.chosen()));
    return group;
  }
  if (element.type === "static_select" || element.type === "users_select") {
    const control = drawSelect(element, context.names, held);
    control.addEventListener("change", () => keep(control.selectedOption()));
    return control;
  }
  return h("span", { class: "unsupported" }, `[This sandbox does not draw inputs of type “${element.type}”]`);
}

function fieldWithCounter(element, held, block, context) {
  const control = drawField(element, held);
  const counter = element.max_length ? h("span", { class: "counter", "aria-hidden": "true" }) : null;
  const count = () => {
    if (!counter) return;
    counter.textContent = `${control.value.length}/${element.max_length}`;
    counter.classList.toggle("over", control.value.length > element.max_length);
  };
  control.addEventListener("input", () => {
    context.form?.set(block, element, control.value);
    count();
  });
  control.addEventListener("keydown", (event) => {
    const submits =
      event.key === "Enter" && !event.isComposing && (!element.multiline || event.metaKey || event.ctrlKey);
    if (submits && context.form) {
      event.preventDefault();
      if (block.dispatch_action)
        context
          .press({ block_id: block.block_id, action_id: element.action_id, selected: control.value })
          .then(context.report);
      else context.form.submit();
    }
  });
  count();
  return h("div", { class: "field-box" }, control, counter);
}

/** A one-line or many-line field of text, or a date. */
export function drawField(element, held) {
  const placeholder = element.placeholder?.text;
  const value = held ?? initialValue(element) ?? "";
  const control = element.multiline
    ? h("textarea", { class: "input", rows: 4, placeholder })
    : h("input", {
        class: "input",
        type: FIELDS[element.type],
        placeholder,
        autocomplete: "off",
        spellcheck: "false",
      });
  control.value = value;
  return control;
}

/** A menu; `selectedOption()` gives the chosen option as the bot wrote it. */
export function drawSelect(element, names, held) {
  const groups = element.option_groups ?? [{ options: element.options ?? personOptions(element, names) }];
  const all = groups.flatMap((group) => group.options);
  const chosen = held ?? initialValue(element);
  const control = h("select", { class: "select", dataset: { action: element.action_id ?? "" } });
  control.append(
    h("option", { value: "", disabled: true, hidden: true }, element.placeholder?.text ?? "Choose an option"),
  );
  for (const group of groups) {
    const options = group.options.map((option) =>
      h("option", { value: option.value }, ...optionText(option)),
    );
    control.append(...(group.label ? [h("optgroup", { label: group.label.text }, ...options)] : options));
  }
  control.value = all.some((option) => option.value === chosen?.value) ? chosen.value : "";
  control.selectedOption = () => all.find((option) => option.value === control.value) ?? null;
  return control;
}

function personOptions(element, names) {
  if (element.type !== "users_select") return [];
  return names.everybody().map(([id, name]) => ({ value: id, text: { type: "plain_text", text: name } }));
}

/** An option can hold text only, so an emoji's character goes in without its node. */
function optionText(option) {
  return plainText(option.text?.text).map((part) => (typeof part === "string" ? part : part.textContent));
}

/** Radio buttons or checkboxes; `chosen()` gives the option, or the list of options. */
export function drawChoices(element, held, name) {
  const many = element.type === "checkboxes";
  const initial = held ?? initialValue(element);
  const values = (many ? (initial ?? []) : [initial]).map((option) => option?.value);
  const options = element.options ?? [];
  const boxes = options.map((option) =>
    h("input", { type: many ? "checkbox" : "radio", name, value: option.value }),
  );
  boxes.forEach((box) => (box.checked = values.includes(box.value)));
  const rows = options.map((option, index) =>
    h(
      "label",
      { class: "choice" },
      boxes[index],
      h(
        "span",
        {},
        ...plainText(option.text?.text),
        option.description
          ? h("span", { class: "choice-note" }, ...plainText(option.description.text))
          : null,
      ),
    ),
  );
  const group = h(
    "fieldset",
    { class: "choices", role: many ? "group" : "radiogroup", tabindex: "-1" },
    ...rows,
  );
  group.chosen = () => {
    const on = options.filter((_, index) => boxes[index].checked);
    return many ? on : (on[0] ?? null);
  };
  return group;
}

/** What a field holds before anybody has touched it. */
export function initialValue(element) {
  if (element.type === "users_select") return element.initial_user ? { value: element.initial_user } : null;
  return (
    element.initial_value ?? element.initial_option ?? element.initial_options ?? element.initial_date ?? null
  );
}

/** The value as a submission carries it (docs.slack.dev, "view_submission payload", view.state.values). */
export function stateValue(element, value) {
  const { type } = element;
  if (type === "checkboxes") return { type, selected_options: value ?? [] };
  if (type === "users_select") return { type, selected_user: value?.value ?? null };
  if (type === "datepicker") return { type, selected_date: value || null };
  if (isField(element)) return { type, value: value || null };
  return { type, selected_option: value ?? null };
}

/** Why Slack's client would not even send this value, or null. */
export function problemWith(block, value) {
  const { element } = block;
  const empty =
    value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);
  if (empty) return block.optional ? null : "Please complete this required field.";
  if (element.max_length && value.length > element.max_length)
    return `Please use at most ${element.max_length} characters.`;
  if (element.min_length && value.length < element.min_length)
    return `Please use at least ${element.min_length} characters.`;
  return null;
}
