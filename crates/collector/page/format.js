// Numbers as people read them: three digits that tell, thin spaces, units beside them.

const THIN = " ";

function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+$)/g, THIN);
}

/** A number with about three digits that tell: `1 240`, `12.3`, `0.04`. */
export function number(value) {
  if (value === 0) return "0";
  if (value >= 99.5) return grouped(String(Math.round(value)));
  if (value >= 0.995) return value.toFixed(1);
  if (value >= 0.0095) return value.toFixed(2);
  return value.toPrecision(1);
}

/** Whole numbers, as they are. */
export function count(value) {
  return grouped(String(Math.round(value)));
}

/** Seconds with the unit that fits: `18 ms`, `0.2 ms`, `2.2 s`, `3 min`. */
export function time(seconds) {
  if (!(seconds > 0)) return "0 ms";
  if (seconds < 0.0995e-3) return `${number(seconds * 1e6)}${THIN}µs`;
  if (seconds < 0.9995) return `${number(seconds * 1e3)}${THIN}ms`;
  if (seconds < 600) return `${number(seconds)}${THIN}s`;
  if (seconds < 36000) return `${number(seconds / 60)}${THIN}min`;
  return `${number(seconds / 3600)}${THIN}h`;
}

/** A share of 1. */
export function percent(share) {
  if (!(share > 0)) return "0";
  if (share < 0.001) return `<0.1${THIN}%`;
  return `${share < 0.0995 ? (share * 100).toFixed(1) : Math.round(share * 100)}${THIN}%`;
}

/** How many times: `3.1×`. */
export function times(ratio) {
  return `${ratio >= 9.95 ? Math.round(ratio) : ratio.toFixed(1)}×`;
}

/** The time of day of a moment; with the day unless it is today. */
export function clock(ms, seconds = false) {
  const date = new Date(ms);
  const options = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (seconds) options.second = "2-digit";
  const text = date.toLocaleTimeString([], options);
  const today = new Date().toDateString() === date.toDateString();
  return today ? text : `${date.toLocaleDateString([], { day: "numeric", month: "short" })} ${text}`;
}

/** The end of a text that fits `room`, as `width` measures it: `…load_order`; empty if nothing does. */
export function cutLeft(text, room, width) {
  if (width(text) <= room) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (width(`…${text.slice(middle)}`) <= room) high = middle;
    else low = middle + 1;
  }
  return text.length - low < 2 ? "" : `…${text.slice(low)}`;
}
