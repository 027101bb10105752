// Which character does an emoji's name stand for?

// prettier-ignore
const EMOJI = {
  key: "🔑", old_key: "🗝️", closed_lock_with_key: "🔐", lock: "🔒", unlock: "🔓", shield: "🛡️",
  white_check_mark: "✅", heavy_check_mark: "✔️", ballot_box_with_check: "☑️", x: "❌", no_entry: "⛔",
  no_entry_sign: "🚫", negative_squared_cross_mark: "❎", warning: "⚠️", rotating_light: "🚨",
  exclamation: "❗", grey_exclamation: "❕", question: "❓", bulb: "💡", information_source: "ℹ️",
  hourglass_flowing_sand: "⏳", hourglass: "⌛", clock1: "🕐", alarm_clock: "⏰", stopwatch: "⏱️",
  calendar: "📅", zzz: "💤", bell: "🔔", no_bell: "🔕", eyes: "👀", eye: "👁️", wave: "👋", "+1": "👍",
  thumbsup: "👍", "-1": "👎", thumbsdown: "👎", raised_hand: "✋", hand: "✋", pray: "🙏", point_right: "👉",
  point_up: "☝️", tada: "🎉", sparkles: "✨", rocket: "🚀", fire: "🔥", star: "⭐", bust_in_silhouette: "👤",
  busts_in_silhouette: "👥", robot_face: "🤖", wastebasket: "🗑️", recycle: "♻️",
  arrows_counterclockwise: "🔄", repeat: "🔁", memo: "📝", pencil: "📝", pencil2: "✏️", clipboard: "📋",
  page_facing_up: "📄", scroll: "📜", mag: "🔍", link: "🔗", inbox_tray: "📥", outbox_tray: "📤",
  package: "📦", floppy_disk: "💾", computer: "💻", cloud: "☁️", gear: "⚙️", wrench: "🔧",
  hammer_and_wrench: "🛠️", bar_chart: "📊", chart_with_upwards_trend: "📈", house: "🏠", door: "🚪",
  speech_balloon: "💬", large_green_circle: "🟢", green_circle: "🟢", large_yellow_circle: "🟡",
  large_orange_circle: "🟠", red_circle: "🔴", large_blue_circle: "🔵", white_circle: "⚪",
  black_circle: "⚫", large_green_square: "🟩", large_red_square: "🟥", arrow_right: "➡️",
  arrow_left: "⬅️", arrow_up: "⬆️", arrow_down: "⬇️", heavy_plus_sign: "➕", heavy_minus_sign: "➖",
  double_vertical_bar: "⏸️", black_square_for_stop: "⏹️", octagonal_sign: "🛑", construction: "🚧",
  skull: "💀", ghost: "👻", slightly_smiling_face: "🙂", smile: "😄", thinking_face: "🤔", sweat_smile: "😅",
  cry: "😢", heart: "❤️", boom: "💥",
};

/** The character, or null for a name this table does not have (which is then shown as it was written). */
export function emojiCharacter(name) {
  const plain = name.replace(/::skin-tone-\d$/, "");
  return Object.hasOwn(EMOJI, plain) ? EMOJI[plain] : null;
}
