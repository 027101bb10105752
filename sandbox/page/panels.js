// How do the frame's parts look: the people one can be, the sidebar, a conversation's head, the Home tab?

import { drawBlocks } from "./blocks.js";
import { dayKey, nowSeconds } from "./dates.js";
import { failureLine, h, icon, reconcile } from "./dom.js";
import { avatar } from "./messages.js";

/** The people of the workspace: one is oneself, and each can be there or away. */
export function drawPeople(root, { state, person: me, unread, become, setAway }) {
  const items = state.people.map((person) => {
    const news = person.id !== me && unread.anything(state, person.id);
    const signature = JSON.stringify([person, person.id === me, news]);
    return {
      key: person.id,
      signature,
      make: () => personChip({ state, person, current: person.id === me, news, become, setAway }),
    };
  });
  reconcile(root, items);
}

function personChip({ state, person, current, news, become, setAway }) {
  return h(
    "div",
    {
      class: current ? "person current" : "person",
      dataset: { person: person.name, news: news ? "yes" : "no" },
    },
    personButton({ state, person, current, news, become }),
    awaySwitch(person, setAway),
  );
}

function personButton({ state, person, current, news, become }) {
  const tile = avatar(state, person.id, person.real_name);
  tile.append(h("span", { class: person.away ? "presence away" : "presence" }));
  const about = [person.role, news && "has something new", person.away && "away"].filter(Boolean);
  const words = h(
    "span",
    { class: "person-words" },
    h("span", { class: "person-name" }, person.real_name),
    h("span", { class: "role" }, person.role),
  );
  return h(
    "button",
    {
      type: "button",
      class: "person-button",
      "aria-label": person.real_name,
      "aria-description": about.join(", "),
      "aria-pressed": String(current),
      title: news ? `${person.real_name} has something new` : `Be ${person.real_name}`,
      dataset: { focus: person.id },
      onclick: () => become(person.id),
    },
    tile,
    words,
    news ? h("span", { class: "news-dot" }) : null,
  );
}

/** Its name holds the handle, so that only one button is called by the person's full name. */
function awaySwitch({ id, name, real_name, away }, setAway) {
  const attributes = {
    type: "button",
    role: "switch",
    class: "away-switch",
    "aria-checked": String(Boolean(away)),
    "aria-label": `Away: ${name}`,
    title: away ? `${real_name} is away and gets no ephemeral message` : `Set ${real_name} away`,
    dataset: { focus: `${id}/away` },
    onclick: () => setAway(id, !away),
  };
  return h("button", attributes, away ? "away" : "here");
}

/** Channels, and the app with its direct message. */
export function drawSidebar(root, { state, person, channels, messages, current, unread, hashFor }) {
  const row = (channel) => {
    const news = unread.count(person, channel.id, messages[channel.id] ?? []);
    const here = channel.id === current.id;
    return {
      key: channel.id,
      signature: JSON.stringify([person, channel, news, here]),
      make: () => channelLink({ state, channel, news, here, hashFor }),
    };
  };
  const heading = (words) => ({
    key: `heading/${words}`,
    signature: words,
    make: () => h("h2", { class: "side-heading" }, words),
  });
  const rooms = channels.filter(({ kind }) => kind !== "dm");
  const direct = channels.filter(({ kind }) => kind === "dm");
  reconcile(root, [heading("Channels"), ...rooms.map(row), heading("Apps"), ...direct.map(row)]);
}

function channelLink({ state, channel, news, here, hashFor }) {
  const mark = channel.kind === "dm" ? avatar(state, state.bot.id, state.bot.name) : icon("hash");
  const classes = ["side-link", here && "current", news && "unread"].filter(Boolean).join(" ");
  return h(
    "a",
    {
      class: classes,
      href: hashFor(channel),
      "aria-label": channel.name,
      "aria-description": news ? `${news} unread` : null,
      "aria-current": here ? "page" : null,
      dataset: { focus: channel.id, channel: channel.id },
    },
    mark,
    h("span", { class: "side-name" }, channel.name),
    news ? h("span", { class: "badge" }, String(news)) : null,
  );
}

/** What one is looking at; in the direct message of an app with a Home tab, its two tabs. */
export function drawHead(root, { state, channel, home, hashFor }) {
  const signature = JSON.stringify([channel, home]);
  const title =
    channel.kind === "dm"
      ? [
          avatar(state, state.bot.id, state.bot.name),
          h("h1", {}, channel.name),
          h("span", { class: "app-badge" }, "APP"),
        ]
      : [h("h1", {}, icon("hash"), channel.name)];
  const tab = (name, selected) => {
    const open = () => (location.hash = hashFor(channel, name === "Home"));
    return h(
      "button",
      {
        type: "button",
        role: "tab",
        class: "tab",
        "aria-selected": String(selected),
        dataset: { focus: `tab/${name}` },
        onclick: open,
      },
      name,
    );
  };
  const tabs = () => h("div", { class: "tabs", role: "tablist" }, tab("Home", home), tab("Messages", !home));
  const make = () =>
    h(
      "div",
      { class: "head-rows" },
      h("div", { class: "head-title" }, ...title),
      channel.kind === "dm" && state.home_tab ? tabs() : null,
    );
  reconcile(root, [{ key: "head", signature, make }]);
}

/** The app's Home tab. */
export function drawHome(root, { state, person, view, trouble, names, act, ask }) {
  const make = () => {
    const { node: failure, report } = failureLine();
    const press = (action) => act(person, { do: "click", view_id: view.id, ...action });
    const context = { names, place: "home", press, report, ask, form: null };
    const nothing = trouble ?? `${state.bot.name} has not drawn its Home tab yet.`;
    if (!view) return h("p", { class: "empty" }, nothing);
    return h("div", { class: "blocks" }, failure, ...drawBlocks(view.blocks, context));
  };
  reconcile(root, [{ key: `home/${person}`, signature: JSON.stringify([view, trouble, dayKey(nowSeconds())]), make }]);
}
