// How does a conversation look: one article for each message, a divider for each day, the newest in sight?

import { drawBlocks } from "./blocks.js";
import { clockTime, dayKey, dayName, fullTime, nowSeconds, shortTime } from "./dates.js";
import { failureLine, h, icon, reconcile } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { avatarOf } from "./names.js";

const TOGETHER = 5 * 60;
const NEAR = 120;

/** Draws messages into `list`, which scrolls; `act(person, action)` posts a click. */
export function makeMessages(list, { act, ask }) {
  const jump = h(
    "button",
    { type: "button", class: "jump", hidden: true, onclick: () => toEnd() },
    icon("down"),
    "New messages",
  );
  const stream = h("div", { class: "stream" });
  let stick = true;
  let place = null;
  let newest = null;
  const toEnd = () => {
    list.scrollTop = list.scrollHeight;
    jump.hidden = true;
  };
  const atEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
  list.addEventListener("scroll", () => atEnd() && (jump.hidden = true));
  new ResizeObserver(() => stick && toEnd()).observe(list);
  list.append(stream, jump);

  const draw = ({ state, person, channel, messages, names }) => {
    const here = `${person}/${channel.id}`;
    const last = messages.at(-1);
    const mine = last?.user === person;
    const moved = here !== place;
    stick = moved || atEnd() || (mine && last.ts !== newest);
    reconcile(stream, items({ state, person, channel, messages, names, act, ask }));
    if (stick) toEnd();
    else if (last && last.ts !== newest) jump.hidden = false;
    [place, newest] = [here, last?.ts ?? null];
  };
  return { draw };
}

function items(model) {
  const { person, channel, messages } = model;
  const rows = [
    { key: `top/${person}/${channel.id}`, signature: channel.name, make: () => beginning(model) },
  ];
  const today = dayKey(nowSeconds()); // texts say "today"
  let last = null;
  for (const { parent, before, message } of inThreads(messages)) {
    const at = timeOf(message);
    if (!parent && (!last || dayKey(timeOf(last)) !== dayKey(at)))
      rows.push(divider(`${person}/${channel.id}`, at));
    if (!parent) last = message;
    const joined = before && follows(before, message);
    const key = `${person}/${channel.id}/${message.ts}${message.ephemeral ? "/e" : ""}`;
    rows.push({
      key,
      signature: JSON.stringify([message, joined, Boolean(parent), today]),
      make: () => article(message, { joined, parent }, model),
    });
  }
  return rows;
}

/** The messages as they are shown: replies below the message they reply to, if that is there. */
function inThreads(messages) {
  const known = new Set(messages.map(({ ts }) => ts));
  const isReply = ({ ts, thread_ts }) => Boolean(thread_ts) && thread_ts !== ts && known.has(thread_ts);
  const alone = messages.filter((message) => !isReply(message));
  const shown = [];
  alone.forEach((message, index) => {
    const replies = messages.filter((each) => isReply(each) && each.thread_ts === message.ts);
    const answered = (each) => messages.some((other) => isReply(other) && other.thread_ts === each.ts);
    const above = alone[index - 1];
    shown.push({ parent: null, before: above && !answered(above) ? above : null, message });
    replies.forEach((reply, number) =>
      shown.push({ parent: message, before: replies[number - 1] ?? null, message: reply }),
    );
  });
  return shown;
}

function timeOf(message) {
  return message.at ?? Number.parseFloat(message.ts);
}

function follows(before, message) {
  const near =
    timeOf(message) - timeOf(before) < TOGETHER && dayKey(timeOf(message)) === dayKey(timeOf(before));
  return near && before.user === message.user && !message.ephemeral && !before.ephemeral;
}

function divider(place, at) {
  const words = dayName(at);
  const make = () => h("div", { class: "day", role: "separator", "aria-label": words }, h("span", {}, words));
  return { key: `day/${place}/${dayKey(at)}`, signature: words, make };
}

function beginning({ channel, state }) {
  if (channel.kind === "dm") {
    return h(
      "div",
      { class: "beginning" },
      avatar(state, state.bot.id, state.bot.name),
      h("h3", {}, state.bot.name),
      h(
        "p",
        {},
        `This is the beginning of your direct message with ${state.bot.name}. Only you and the app are here.`,
      ),
    );
  }
  return h(
    "div",
    { class: "beginning" },
    h("h3", {}, `# ${channel.name}`),
    h("p", {}, "This is the very beginning of this channel."),
  );
}

export function avatar(state, id, name) {
  const { app, initials, colour } = avatarOf(state, id, name);
  const tile = h(
    "span",
    { class: app ? "avatar app" : "avatar", "aria-hidden": "true" },
    app ? icon("key") : initials,
  );
  tile.style.background = colour;
  return tile;
}

function article(message, { joined, parent }, model) {
  const { state, names } = model;
  const at = timeOf(message);
  const name = names.person(message.user) ?? message.name ?? message.user;
  const otherDay = parent && dayKey(timeOf(parent)) !== dayKey(at);
  const time = h("time", { title: fullTime(at) }, otherDay ? shortTime(at) : clockTime(at));
  const app =
    message.user === state.bot.id ? h("span", { class: "app-badge", title: "This is an app" }, "APP") : null;
  const failure = failureLine();
  const about = [parent && ", in a thread", message.ephemeral && ", only visible to you"].filter(Boolean);
  const label = `${name} at ${clockTime(at)}${about.join("")}`;
  return h(
    "article",
    {
      class: ["message", parent && "reply", message.ephemeral && "ephemeral", joined && "joined"]
        .filter(Boolean)
        .join(" "),
      "aria-label": label,
      dataset: { ts: message.ts },
    },
    message.ephemeral ? h("div", { class: "only-you" }, icon("eye"), "Only visible to you") : null,
    h("div", { class: "gutter" }, joined ? time : avatar(state, message.user, name)),
    h(
      "div",
      { class: "content" },
      joined ? null : h("div", { class: "byline" }, h("span", { class: "author" }, name), app, time),
      message.thread_ts && message.thread_ts !== message.ts && !parent
        ? h("div", { class: "in-thread" }, icon("reply"), "replied in a thread")
        : null,
      body(message, model, failure.report),
      failure.node,
    ),
  );
}

function body(message, { person, channel, names, act, ask }, report) {
  if (!message.blocks?.length) return h("div", { class: "text" }, ...mrkdwn(message.text, names));
  const press = (action) => act(person, { do: "click", channel: channel.id, ts: message.ts, ...action });
  return h(
    "div",
    { class: "blocks" },
    ...drawBlocks(message.blocks, { names, place: "message", press, report, ask, form: null }),
  );
}
