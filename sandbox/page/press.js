// When may the page be redrawn? Not while a control is held down: the browser makes a click of a press and a
// release on the same node, and a redraw in between would take that node, and the click, away.

const CONTROLS = "button, a, label";

/** Gives `redraw` back as a function that waits, while a control is held down, until it has been let go. */
export function unlessPressed(redraw) {
  let pressed = false;
  let waiting = false;
  let soon = null;
  const letGo = () => {
    clearTimeout(soon);
    if (pressed) soon = setTimeout(after, 0); // the click follows the release in the same task
  };
  const after = () => {
    pressed = false;
    if (!waiting) return;
    waiting = false;
    redraw();
  };
  const press = (event) => {
    if (!event.target.closest?.(CONTROLS)) return;
    clearTimeout(soon);
    pressed = true;
  };
  window.addEventListener("pointerdown", press, true);
  window.addEventListener("keydown", (event) => event.key === " " && press(event), true);
  for (const end of ["pointerup", "pointercancel", "keyup"]) window.addEventListener(end, letGo, true);
  // Releases without an event: in another window, over a menu of the browser's own.
  window.addEventListener("blur", (event) => event.target === window && letGo(), true);
  window.addEventListener("pointermove", (event) => event.buttons || letGo(), true);
  return () => {
    if (pressed) waiting = true;
    else redraw();
  };
}
