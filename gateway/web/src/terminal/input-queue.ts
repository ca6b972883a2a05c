// Input that the shell has not confirmed yet, kept so that every byte reaches it exactly once.
//
// Bytes are numbered from the beginning of this page's stream. The pod need not be told again what lies below `taken`;
// `confirmed` is what it has written to the shell, and `sent` how far this socket has got. A new socket starts again at what
// was taken.

/** A paste is cut into frames of this size, so that other frames find room between them. */
export const CHUNK = 16 * 1024;

/** Bytes on their way without a confirmation. More waits here, where the page can count and discard it. */
export const IN_FLIGHT = 64 * 1024;

interface Chunk {
  bytes: Uint8Array;
  auto: boolean;
  keys: number;
}

export interface InputFrame {
  offset: number;
  bytes: Uint8Array;
  auto: boolean;
}

export class InputQueue {
  /** From `taken` on. */
  #chunks: Chunk[] = [];
  #taken = 0;
  /** What waits in the pod for a shell that does not read counts as on its way, whatever becomes of sockets. */
  #confirmed = 0;
  #sent = 0;
  #end = 0;

  /** Bytes that the pod is not known to have. */
  get pending(): number {
    return this.#end - this.#taken;
  }

  /** What a person would call their keys. */
  get keys(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.keys, 0);
  }

  push(bytes: Uint8Array, auto: boolean, keys: number): void {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      const piece = bytes.subarray(at, at + CHUNK);
      const share = bytes.length > CHUNK ? Math.round((keys * piece.length) / bytes.length) : keys;
      this.#append({ bytes: piece, auto, keys: share });
    }
  }

  /** The next frame to send, or nothing when all is sent or enough is on its way. */
  next(): InputFrame | undefined {
    const room = IN_FLIGHT - (this.#sent - this.#confirmed);
    if (this.#sent === this.#end || room <= 0) return undefined;
    let start = this.#taken;
    for (const chunk of this.#chunks) {
      const end = start + chunk.bytes.length;
      if (this.#sent < end) {
        const bytes = chunk.bytes.subarray(this.#sent - start, this.#sent - start + room);
        const frame = { offset: this.#sent, bytes, auto: chunk.auto };
        this.#sent += bytes.length;
        return frame;
      }
      start = end;
    }
    return undefined;
  }

  /** The shell has everything below `offset`. */
  ack(offset: number): void {
    this.#take(offset);
    this.#confirmed = Math.max(this.#confirmed, Math.min(offset, this.#taken));
  }

  /**
   * A new socket whose pod has taken everything below `taken`, and written it to the shell below `written`: the rest is
   * sent again. Returns the keys that had to be discarded, because the pod's count does not belong to this stream.
   */
  resume(taken: number, written: number): number {
    if (taken < this.#taken || taken > this.#end) return this.restart(taken);
    this.#take(taken);
    this.ack(written);
    this.#sent = this.#taken;
    return 0;
  }

  /** Forgets everything and counts on from `offset`. Returns how many keys that discards. */
  restart(offset: number): number {
    const lost = this.keys;
    this.#chunks = [];
    this.#taken = this.#confirmed = this.#sent = this.#end = offset;
    return lost;
  }

  /** Drops what no socket has carried yet, at the user's request. What was sent may have arrived, so it stays. */
  discardUnsent(): void {
    let start = this.#taken;
    const kept: Chunk[] = [];
    for (const chunk of this.#chunks) {
      const length = Math.min(chunk.bytes.length, this.#sent - start);
      if (length <= 0) break;
      kept.push({ ...chunk, bytes: chunk.bytes.subarray(0, length) });
      start += length;
    }
    this.#chunks = kept;
    this.#end = this.#sent;
  }

  /** The pod has everything below `offset`. */
  #take(offset: number): void {
    while (this.#taken < Math.min(offset, this.#end)) {
      const first = this.#chunks[0];
      if (first === undefined) break;
      const done = Math.min(offset - this.#taken, first.bytes.length);
      if (done === first.bytes.length) this.#chunks.shift();
      else this.#chunks[0] = { ...first, bytes: first.bytes.subarray(done) };
      this.#taken += done;
    }
    this.#sent = Math.max(this.#sent, this.#taken);
  }

  /** Single keys typed while they cannot be sent share a frame later. */
  #append(chunk: Chunk): void {
    const last = this.#chunks.at(-1);
    const lastIsUnsent = last !== undefined && this.#end - last.bytes.length >= this.#sent;
    this.#end += chunk.bytes.length;
    if (last !== undefined && lastIsUnsent && last.auto === chunk.auto && last.bytes.length + chunk.bytes.length <= CHUNK) {
      const bytes = new Uint8Array(last.bytes.length + chunk.bytes.length);
      bytes.set(last.bytes);
      bytes.set(chunk.bytes, last.bytes.length);
      this.#chunks[this.#chunks.length - 1] = { bytes, auto: last.auto, keys: last.keys + chunk.keys };
    } else {
      this.#chunks.push(chunk);
    }
  }
}
