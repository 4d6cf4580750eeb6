// What is shown is in the address, behind the number sign, so that a link can be shared.

const DEFAULTS = {
  job: "",
  window: "5m",
  compare: "before",
  width: "time",
  colour: "",
  zoom: "",
  select: "",
  search: "",
  of: "", // The function whose callers and callees are shown.
  sort: "total",
};

/** The view that the address tells. */
export function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const view = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS)) if (given.has(key)) view[key] = given.get(key);
  return view;
}

/** Puts a view into the address; `step`: Back returns from here. */
export function write(view, step = false) {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(view)) if (value !== DEFAULTS[key]) given.set(key, value);
  const hash = given.toString();
  if (hash === location.hash.slice(1)) return;
  const url = hash ? `#${hash}` : location.pathname + location.search;
  history[step ? "pushState" : "replaceState"](null, "", url);
}

/** The second window as the server knows it; empty for none. */
export function compareWindow(view) {
  if (view.compare === "before") {
    const length = /^\d+[smhd]$/.test(view.window) ? view.window : "";
    return length && `${length}@${length}`;
  }
  const ago = { hour: `1h@${view.window}`, day: `${view.window}@1d` }[view.compare];
  if (ago) return /^\d+[smhd]$/.test(view.window) ? ago : "";
  return view.compare === "none" ? "" : view.compare;
}
