// What has a person not seen yet? Kept in memory only: at a reload everything counts as seen.

/** `note` takes each new state in, `see` marks a channel as read, `count` and `anything` ask. */
export function makeUnread() {
  const seen = new Set();
  let begun = false;
  const keyOf = (person, channel, message) =>
    `${person}/${channel}/${message.ts}${message.ephemeral ? "/e" : ""}`;
  const see = (person, channel, messages) =>
    messages.forEach((message) => seen.add(keyOf(person, channel, message)));
  const count = (person, channel, messages) =>
    messages.filter((message) => message.user !== person && !seen.has(keyOf(person, channel, message)))
      .length;
  return {
    see,
    count,
    note(state) {
      if (begun) return;
      begun = true;
      for (const [person, view] of Object.entries(state.views)) {
        for (const [channel, messages] of Object.entries(view.messages ?? {})) see(person, channel, messages);
      }
    },
    anything: (state, person) => {
      const view = state.views[person];
      const some = Object.entries(view?.messages ?? {}).some(
        ([channel, messages]) => count(person, channel, messages) > 0,
      );
      return some || Boolean(view?.modal);
    },
  };
}
