// What does the page show, and whose? Here the stream of states, the address and the panels meet.

import { makeApi } from "./api.js";
import { drawClock } from "./clock.js";
import { makeComposer } from "./composer.js";
import { runAhead } from "./dates.js";
import { makeConfirm, makeDialogs } from "./dialogs.js";
import { makeMessages } from "./messages.js";
import { makeModal } from "./modal.js";
import { makeNames } from "./names.js";
import { drawHead, drawHome, drawPeople, drawSidebar } from "./panels.js";
import { unlessPressed } from "./press.js";
import { makeUnread } from "./unread.js";

const REDRAW_MS = 5000;

const byId = (id) => document.getElementById(id);

function start() {
  const api = makeApi();
  const unread = makeUnread();
  const dialogs = makeDialogs(byId("layers"), byId("workspace"));
  const confirm = makeConfirm(dialogs, () => makeNames(desk.state, desk.shownAs));
  const tools = { act: api.act, ask: confirm.ask };
  const desk = {
    api,
    unread,
    confirm,
    tools,
    state: null,
    shownAs: null,
    homeOpened: null,
    homeTrouble: null,
    messages: makeMessages(byId("messages"), tools),
    modal: makeModal(dialogs, tools),
    composer: makeComposer(byId("composer"), (as, channel, text) =>
      api.act(as, { do: "command", channel, text }),
    ),
  };
  desk.redraw = unlessPressed(() => draw(desk));
  byId("reload").addEventListener("click", () => location.reload());
  window.addEventListener("hashchange", desk.redraw);
  document.addEventListener("visibilitychange", desk.redraw);
  setInterval(desk.redraw, REDRAW_MS); // time passes without a change of state, too
  api.follow(
    (state) => {
      desk.state = state;
      runAhead(state.clock?.ahead ?? 0);
      unread.note(state);
      desk.redraw();
    },
    (connected) => (byId("connection").hidden = connected),
  );
}

/** The address names what is shown: #alice/key-approvals, #alice/keydesk, #alice/keydesk/home. */
function whereabouts(state) {
  const [name, place, tab] = decodeURIComponent(location.hash.slice(1)).split("/");
  const person = state.people.find((each) => each.name === name) ?? state.people[0];
  const channels = channelsOf(state, person.id);
  const channel = channels.find((each) => slug(each) === place) ?? channels[0];
  return { person, channels, channel, home: state.home_tab && channel.kind === "dm" && tab === "home" };
}

/** A person's channels; the app's direct message is there even before the first message, as in Slack. */
function channelsOf(state, person) {
  const known = state.views[person]?.channels ?? [];
  const direct = known.find(({ kind }) => kind === "dm") ?? { id: person.replace(/^U0/, "D0"), kind: "dm" };
  return [...known.filter(({ kind }) => kind !== "dm"), { ...direct, name: state.bot.name }];
}

function slug(channel) {
  return channel.name.toLowerCase();
}

function hashOf(person, channel, home = false) {
  return `#${[person.name, slug(channel), ...(home ? ["home"] : [])].map(encodeURIComponent).join("/")}`;
}

/** The same place for another person. Looked up at the click: a chip is drawn once for many places. */
function hashAs(state, id) {
  const { channel, home } = whereabouts(state);
  return hashOf(
    state.people.find((each) => each.id === id),
    channel,
    home,
  );
}

function draw(desk) {
  const { state, unread, tools } = desk;
  if (!state) return;
  const { person, channels, channel, home } = whereabouts(state);
  if (desk.shownAs !== null && desk.shownAs !== person.id) desk.confirm.cancel();
  desk.shownAs = person.id;
  const view = state.views[person.id] ?? {};
  const messages = view.messages?.[channel.id] ?? [];
  const names = makeNames(state, person.id);
  if (!home && !document.hidden) unread.see(person.id, channel.id, messages);

  const hashFor = (target, homeTab = false) => hashOf(person, target, homeTab);
  const become = (id) => (location.hash = hashAs(desk.state, id));
  const setAway = (id, away) => desk.api.act(id, { do: "away", away });
  drawPeople(byId("people"), { state, person: person.id, unread, become, setAway });
  drawSidebar(byId("channels"), {
    state,
    person: person.id,
    channels,
    messages: view.messages ?? {},
    current: channel,
    unread,
    hashFor,
  });
  drawHead(byId("head"), { state, channel, home, hashFor });
  drawClock(byId("clock"), state, (action) => desk.api.act(person.id, action));
  byId("team").textContent = state.team.name;
  byId("away-note").hidden = !person.away;
  drawPlace(desk, { person, channel, home, messages, names, view });
  desk.modal.draw(person.id, view.modal ?? null, names);
  openHomeOnce(desk, person, home);
  document.title = `${home ? "Home" : channel.name} – Keydesk sandbox`;
}

function drawPlace(desk, { person, channel, home, messages, names, view }) {
  const { state, tools } = desk;
  for (const id of ["messages", "composer"]) byId(id).hidden = home;
  byId("home").hidden = !home;
  if (home) {
    const shown = { view: view.home ?? null, trouble: desk.homeTrouble };
    drawHome(byId("home"), { state, person: person.id, names, ...shown, ...tools });
    return;
  }
  const label = channel.kind === "dm" ? channel.name : `#${channel.name}`;
  desk.composer.draw({ person: person.id, channel: channel.id, label, commands: state.commands ?? [] });
  desk.messages.draw({ state, person: person.id, channel, messages, names });
}

/** Slack tells the app each time a user turns to the Home tab, not each time it is redrawn. */
function openHomeOnce(desk, person, home) {
  const opened = home ? person.id : null;
  const again = desk.homeOpened === opened;
  desk.homeOpened = opened;
  if (!opened || again) return;
  desk.homeTrouble = null;
  desk.api.act(person.id, { do: "home" }).then((answer) => {
    if (!answer.ok) desk.homeTrouble = answer.text;
    desk.redraw();
  });
}

start();
