// Server-sent events, read by fetch: an EventSource cannot send a token.

const TOKEN = "phanos-token";
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10000;

export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

/** What a request is sent with. */
export function headers() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/**
 * One stream of answers that is opened again when it is lost.
 *
 * `on.answer(answer)`, `on.lost(reason)`, `on.refused(text)`, `on.token()`.
 */
export class Stream {
  constructor(on) {
    this.on = on;
    this.ending = null;
  }

  /** Begins, or begins anew with another question. */
  open(query) {
    this.close();
    const ending = new AbortController();
    this.ending = ending;
    this.run(query, ending.signal);
  }

  close() {
    this.ending?.abort();
    this.ending = null;
  }

  async run(query, signal) {
    let pause = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      let reason = "the collector has ended the stream";
      try {
        const answer = await fetch(`api/events?${query}`, { headers: headers(), signal });
        if (signal.aborted) return;
        if (answer.status === 401) return this.on.token();
        if (answer.status === 400) return this.on.refused(await answer.text());
        if (!answer.ok) throw new Error(`the collector answers ${answer.status}`);
        for await (const event of events(answer.body)) {
          if (signal.aborted) return;
          pause = FIRST_PAUSE_MS;
          this.on.answer(event);
        }
      } catch (error) {
        if (signal.aborted) return;
        reason = error instanceof TypeError ? "the collector cannot be reached" : error.message;
      }
      if (signal.aborted) return;
      this.on.lost(reason);
      await new Promise((done) => setTimeout(done, pause));
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }
}

/** JSON has no line breaks, so an event is a line; a long one comes in many pieces. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let pieces = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = value.split("\n");
    for (const end of lines.slice(0, -1)) {
      pieces.push(end);
      const line = pieces.join("");
      pieces = [];
      if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
    }
    pieces.push(lines.at(-1));
  }
}
