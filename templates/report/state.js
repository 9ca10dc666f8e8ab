// What the reader chose stands in the address behind `#`, so that a view can be linked and reloaded.

const DEFAULTS = {
  q: "",
  memory: "",
  scale: "used",
  colour: "memory",
  phase: "decode",
  layers: "",
  regions: "",
  tiers: "",
};

/** The choices of the address; unknown keys are dropped. */
function readState() {
  const given = new URLSearchParams(location.hash.slice(1));
  const state = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS)) {
    if (given.has(key)) state[key] = given.get(key);
  }
  return state;
}

/** The option of that name, or the first one if there is none. */
function optionOf(options, name) {
  return Object.hasOwn(options, name) ? name : Object.keys(options)[0];
}

/** Put choices into the address, without a step in the browser's history. */
function writeState(state) {
  const kept = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
  const text = new URLSearchParams(kept).toString();
  history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
}
