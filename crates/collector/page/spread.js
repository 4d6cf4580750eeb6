// Quantiles of several paths together: from their buckets, since quantiles cannot be added up.

import { headers } from "./stream.js";

const SHARES = [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]];
/** Buckets for each power of two. */
const SCALE = 8;

/** The buckets of all paths with a text in their names, asked for once for each answer. */
export class Spread {
  constructor(changed) {
    this.changed = changed;
    this.forget("");
  }

  forget(of) {
    this.asking?.abort();
    this.asking = null;
    this.of = of;
    this.answer = null;
    /** From the number of a path to `[zero, index, count, ...]`. */
    this.rows = new Map();
  }

  /** Asks for what belongs to an answer, unless an older question is still open. */
  async ask(answer, of) {
    if (of !== this.of) this.forget(of);
    if (answer === this.answer || this.asking) return;
    const { asked, from, to } = answer.window;
    const window = asked === "all" ? asked : `${from}..${to}`;
    const given = new URLSearchParams({ job: answer.job, window, of });
    const asking = new AbortController();
    this.asking = asking;
    this.answer = answer;
    try {
      const told = await fetch(`api/spread?${given}`, { headers: headers(), signal: asking.signal });
      if (told.ok) this.rows = new Map((await told.json()).rows.map(([id, ...row]) => [id, row]));
    } catch {
      // The stream of answers tells what is wrong.
    }
    if (this.asking !== asking) return;
    this.asking = null;
    this.changed();
  }

  /** `{p50, p95, p99}` of paths, by their numbers; NaN if they are not known. */
  quantiles(ids) {
    let zero = 0;
    let count = 0;
    const buckets = new Map();
    for (const id of ids) {
      const row = this.rows.get(id) ?? [0];
      zero += row[0];
      for (let place = 1; place < row.length; place += 2) {
        const [index, more] = [row[place], row[place + 1]];
        buckets.set(index, (buckets.get(index) ?? 0) + more);
        count += more;
      }
    }
    const sorted = [...buckets].sort(([one], [other]) => one - other);
    return Object.fromEntries(SHARES.map(([name, share]) => [name, quantile(sorted, zero, count, share)]));
  }
}

/** As the collector has it: within a bucket numbers are spread evenly on a logarithmic scale. */
function quantile(buckets, zero, count, share) {
  if (zero + count === 0) return NaN;
  const rank = share * (zero + count);
  let below = zero;
  if (rank <= below) return 0;
  for (const [index, number] of buckets) {
    if (below + number >= rank) return 2 ** ((index - 1 + (rank - below) / number) / SCALE);
    below += number;
  }
  return 2 ** (buckets.at(-1)[0] / SCALE);
}
