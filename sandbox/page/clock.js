// Moves Keydesk's time on, and lets a program use a key, where the sandbox offers that.

import { nowSeconds, shortTime } from "./dates.js";
import { h, isBusy, reconcile, setBusy } from "./dom.js";

const HOUR = 60 * 60;
const STEPS = [
  ["+1 hour", HOUR],
  ["+1 day", 24 * HOUR],
  ["+7 days", 7 * 24 * HOUR],
  ["+30 days", 30 * 24 * HOUR],
];

/** Draws the clock into `root`; `act(action)` moves it on and gives the sandbox's answer. */
export function drawClock(root, { clock, keys }, act) {
  root.hidden = !clock;
  if (!clock) return;
  const seconds = nowSeconds();
  const words = shortTime(seconds);
  const time = () => h("time", { datetime: new Date(seconds * 1000).toISOString() }, words);
  reconcile(root, [
    { key: "lead", signature: "", make: () => h("span", { class: "clock-lead" }, "Simulated time") },
    { key: "time", signature: words, make: time },
    ...STEPS.map(([name, step]) => ({ key: name, signature: name, make: () => stepButton(name, step, act) })),
    ...(keys?.length ? [keyMenu(keys, act)] : []),
  ]);
}

function stepButton(name, step, act) {
  const move = async (event) => {
    const control = event.currentTarget;
    if (isBusy(control)) return;
    setBusy(control, true);
    const answer = await act({ do: "clock", add: step });
    setBusy(control, false);
    control.title = answer.ok ? TITLE : (answer.text ?? answer.error);
  };
  return h(
    "button",
    { type: "button", class: "strip-button", title: TITLE, dataset: { focus: `clock/${name}` }, onclick: move },
    name,
  );
}

/** Each key that works, by its last four characters and its user; choosing one uses it. */
function keyMenu(keys, act) {
  const choose = async (event) => {
    const control = event.currentTarget;
    const key = control.value;
    control.value = "";
    const answer = await act({ do: "use", key });
    control.title = answer.ok ? `A program has used ${key}` : (answer.text ?? answer.error);
    control.firstElementChild.textContent = answer.ok ? `Used …${key.slice(-4)}` : "AWS refused it";
    setTimeout(() => (control.firstElementChild.textContent = USE), SAID_MS);
  };
  const options = keys.map(({ id, user }) => h("option", { value: id }, `…${id.slice(-4)} of ${user}`));
  const make = () =>
    h(
      "select",
      { class: "strip-button", "aria-label": USE, title: USE_TITLE, dataset: { focus: "use" }, onchange: choose },
      h("option", { value: "" }, USE),
      ...options,
    );
  return { key: "use", signature: JSON.stringify(keys), make };
}

const USE = "Use a key";
const USE_TITLE = "Let a program use one of the keys in AWS now";
const SAID_MS = 2000;
const TITLE = "Move Keydesk's time on. It cannot be moved back.";
