// How does one write: the field, the slash commands that fit what is typed, the error of one that failed?

import { h, icon, setBusy } from "./dom.js";

/** `send(person, channel, text)` promises the sandbox's answer. Drafts are kept by person and channel. */
export function makeComposer(root, send) {
  const self = { send, drafts: new Map(), errors: new Map(), at: null, commands: [], chosen: 0 };
  build(self, root);
  self.field.addEventListener("input", () => {
    if (self.at) sayError(self, self.at.key, "");
    self.chosen = 0;
    changed(self);
  });
  self.field.addEventListener("focus", () => suggest(self));
  self.field.addEventListener("blur", () => (self.menu.hidden = true));
  self.field.addEventListener("keydown", (event) => onKey(self, event));
  return { draw: (where) => draw(self, where) };
}

function build(self, root) {
  self.field = h("textarea", {
    class: "composer-field",
    rows: 1,
    "aria-label": "Message",
    "aria-controls": "commands",
    autocomplete: "off",
    spellcheck: "false",
  });
  self.menu = h("div", {
    class: "commands",
    role: "listbox",
    id: "commands",
    "aria-label": "Slash commands",
    hidden: true,
  });
  self.error = h("div", { class: "composer-error", role: "alert", hidden: true });
  self.sendButton = h(
    "button",
    { type: "button", class: "send", "aria-label": "Send", onclick: () => submit(self) },
    icon("send"),
  );
  self.box = h("div", { class: "composer-box" }, self.menu, self.field, bar(self));
  root.append(self.box, self.error);
}

function bar(self) {
  const begin = () => beginCommand(self);
  return h(
    "div",
    { class: "composer-bar" },
    h(
      "button",
      { type: "button", class: "icon-button", "aria-label": "Slash commands", onclick: begin },
      icon("slash"),
    ),
    h(
      "span",
      { class: "composer-hint" },
      h("kbd", {}, "Enter"),
      " to send, ",
      h("kbd", {}, "Shift + Enter"),
      " for a new line",
    ),
    self.sendButton,
  );
}

/** Shows the draft and the error of this person in this channel. */
function draw(self, { person, channel, label, commands }) {
  self.commands = commands;
  const key = `${person}/${channel}`;
  const [first] = commands;
  self.field.placeholder = first ? `Message ${label}, or type ${first.command}` : `Message ${label}`;
  if (self.at?.key === key) return;
  const early = self.at ? "" : self.field.value; // typed before the workspace's first answer was here
  self.at = { key, person, channel };
  self.field.value = self.drafts.get(key) ?? early;
  sayError(self, key, self.errors.get(key) ?? "");
  self.menu.hidden = true;
  if (early) changed(self);
  else fit(self);
}

function sayError(self, key, text) {
  self.errors.set(key, text);
  if (self.at?.key !== key) return;
  self.error.hidden = !text;
  self.error.replaceChildren(...(text ? [icon("warning"), h("span", {}, text)] : []));
}

function fit({ field, sendButton }) {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 220)}px`;
  sendButton.disabled = field.value.trim() === "";
}

function changed(self) {
  if (self.at) self.drafts.set(self.at.key, self.field.value);
  fit(self);
  suggest(self);
}

function put(self, text) {
  self.field.value = text;
  changed(self);
}

function beginCommand(self) {
  const text = self.field.value;
  self.field.focus();
  put(self, text.startsWith("/") ? text : `/${text}`);
}

function complete(self, { command }) {
  self.field.focus();
  put(self, `${command} `);
}

/** Slack takes the text away at once; a command that failed comes back, so that it can be tried again. */
async function submit(self) {
  const text = self.field.value.trim();
  if (!text || !self.at) return;
  const { key, person, channel } = self.at;
  put(self, "");
  sayError(self, key, "");
  setBusy(self.box, true);
  const answer = await self.send(person, channel, text);
  setBusy(self.box, false);
  if (answer.ok) return;
  sayError(self, key, answer.text ?? `${text.split(/\s/)[0]} failed with the error “${answer.error}”`);
  if (!self.drafts.get(key)) self.drafts.set(key, text);
  if (self.at.key === key && !self.field.value) put(self, text);
  self.menu.hidden = true;
}

function suggest(self) {
  const fitting = fittingCommands(self.field.value, self.commands);
  self.chosen = Math.max(0, Math.min(self.chosen, fitting.length - 1));
  self.menu.hidden = fitting.length === 0 || document.activeElement !== self.field;
  self.menu.replaceChildren(
    ...fitting.map((command, index) =>
      commandRow(command, index === self.chosen, () => complete(self, command)),
    ),
  );
}

/** While a command's name is typed: those that begin so; after it: that one, as a reminder of its usage. */
function fittingCommands(typed, commands) {
  if (!typed.startsWith("/") || typed.includes("\n")) return [];
  const [name] = typed.split(" ");
  return typed.includes(" ")
    ? commands.filter(({ command }) => command === name)
    : commands.filter(({ command }) => command.startsWith(name));
}

function commandRow({ command, usage_hint: usage, description }, selected, take) {
  return h(
    "div",
    {
      class: "command",
      role: "option",
      "aria-selected": String(selected),
      onmousedown: (event) => (event.preventDefault(), take()),
    },
    h("span", { class: "avatar small app", "aria-hidden": "true" }, icon("key")),
    h("span", { class: "command-name" }, command),
    usage ? h("span", { class: "command-usage" }, usage) : null,
    description ? h("span", { class: "command-description" }, description) : null,
  );
}

function onKey(self, event) {
  if (event.isComposing) return;
  const { field, menu } = self;
  const fitting = menu.hidden ? [] : fittingCommands(field.value, self.commands);
  const naming = fitting.length > 0 && !field.value.includes(" ");
  const meant = fitting[self.chosen];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape" && fitting.length) menu.hidden = true;
  else if (naming && step) {
    self.chosen = (self.chosen + step + fitting.length) % fitting.length;
    suggest(self);
  } else if (naming && (event.key === "Tab" || (event.key === "Enter" && meant.command !== field.value)))
    complete(self, meant);
  else if (event.key === "Enter" && !event.shiftKey) submit(self);
  else return;
  event.preventDefault();
}
