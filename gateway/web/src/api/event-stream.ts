// Server-sent events over fetch: unlike EventSource it sees a 401, and it notices a stream that has gone silent.

export interface StreamEvent {
  event: string;
  data: string;
}

/** Cuts the text of a stream into events; keeps the beginning of one that is not complete. */
export class EventParser {
  #rest = "";

  push(text: string): StreamEvent[] {
    this.#rest += text;
    const events: StreamEvent[] = [];
    for (;;) {
      const end = /\r?\n\r?\n/.exec(this.#rest);
      if (end === null) return events;
      const block = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      const parsed = parseBlock(block);
      if (parsed !== undefined) events.push(parsed);
    }
  }
}

function parseBlock(block: string): StreamEvent | undefined {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }
  return data.length === 0 ? undefined : { event, data: data.join("\n") };
}

/** The server comments every 15 s; after twice that and a little the stream counts as dead. */
const SILENCE = 35_000;

/**
 * Reads one stream until it ends. Resolves with the response when it was refused, rejects when it was cut.
 */
export async function readStream(url: string, signal: AbortSignal, onOpen: () => void, onEvent: (event: StreamEvent) => void): Promise<Response | undefined> {
  const abort = new AbortController();
  const cancel = (): void => abort.abort();
  signal.addEventListener("abort", cancel);
  let watchdog = setTimeout(cancel, SILENCE);
  try {
    const response = await fetch(url, { headers: { accept: "text/event-stream" }, signal: abort.signal });
    if (!response.ok || response.body === null) return response;
    onOpen();
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      clearTimeout(watchdog);
      watchdog = setTimeout(cancel, SILENCE);
      parser.push(value).forEach(onEvent);
    }
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", cancel);
  }
}
