// What are people, groups and channels called in the state that the sandbox sent, seen by one person?

/** Looks names up by ID; `person` and `group` give null for an unknown ID. */
export function makeNames(state, me) {
  const people = new Map(state.people.map((person) => [person.id, person.real_name]));
  people.set(state.bot.id, state.bot.name);
  const groups = new Map((state.groups ?? []).map((group) => [group.id, group.handle]));
  const channels = new Map((state.views[me]?.channels ?? []).map((channel) => [channel.id, channel.name]));
  return {
    person: (id) => people.get(id) ?? null,
    group: (id) => groups.get(id) ?? null,
    channel: (id) => channels.get(id) ?? id,
    isMe: (id) => id === me,
    everybody: () => [...people].filter(([id]) => id !== state.bot.id),
  };
}

const COLOURS = ["#2a7ab8", "#b3541e", "#6a4fb3", "#2e7d5b", "#a33a6d", "#7a6a1d"];

/** The tile that stands for a person: initials on a colour of their own, or a key for the app. */
export function avatarOf(state, id, name) {
  if (id === state.bot.id) return { app: true, initials: "", colour: "#0f6b6b" };
  const index = state.people.findIndex((person) => person.id === id);
  const initials = (name || "?")
    .split(/\s+/)
    .map((word) => word[0])
    .join("")
    .slice(0, 2)
    .toUpperCase();
  return { app: false, initials, colour: index < 0 ? "#6b7280" : COLOURS[index % COLOURS.length] };
}
