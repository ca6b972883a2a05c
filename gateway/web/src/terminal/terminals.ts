// The terminals of a session as tabs over one connection: which there are, in which order, which is looked at. Only that
// one is attached; the others cost nothing but a word when something happens in them. No I/O.

import { ErrorCode, type ServerFrame, type Size, type TerminalInfo, type Welcome } from "./kterm";
import { keys, TerminalStream, type Peer, type StreamEffect } from "./stream";
import { nameOf, sameKey, sameTab, tabOf, type Gone, type Slot, type Tab } from "./tab";

const OPEN_FRAME = 0x04;

/** What a stream asks for, and of which tab's screen. */
export type TabEffect = Extract<StreamEffect, { do: "send" | "notice" }> | (Exclude<StreamEffect, { do: "send" | "notice" }> & { tab: number });

/** What of the tabs outlives the page. */
export interface Remembered {
  order: readonly string[];
  /** The terminal that was looked at. */
  active: number | undefined;
}

interface Opening {
  key: string;
  /** The tab whose shell has ended. */
  into: number | undefined;
}

export class Terminals {
  #slots: Slot[] = [];
  #active: number | undefined;
  #lastTab = 0;
  #opening: Opening | undefined;
  #limit = 16;
  #renames = false;
  /** Ended terminals whose place is taken; the runtime forgets them soon. */
  #dismissed = new Set<string>();
  #tabs: readonly Tab[] = [];
  readonly #peer: Peer = { live: false, epoch: undefined, connection: 0, viewOnly: false };

  constructor(
    private readonly remembered: Remembered,
    private size: Size,
    private readonly emit: (effect: TabEffect) => void,
  ) {
    this.#active = this.#add(remembered.active ?? 1).tab;
  }

  get active(): number | undefined {
    return this.#active;
  }
  get opening(): boolean {
    return this.#opening !== undefined;
  }
  /** Whether the runtime takes names, forgets on request, and knows sole control. */
  get renames(): boolean {
    return this.#renames;
  }
  get viewOnly(): boolean {
    return this.#current?.stream.viewOnly ?? this.#peer.viewOnly;
  }
  get live(): boolean {
    return this.#peer.live;
  }
  get stream(): TerminalStream | undefined {
    return this.#current?.stream;
  }
  get gone(): Gone | undefined {
    return this.#current?.gone;
  }
  /** What was typed and is not confirmed, over all terminals. */
  get waiting(): { keys: number; bytes: number } {
    return this.#slots.reduce((sum, { stream }) => ({ keys: sum.keys + stream.keys, bytes: sum.bytes + stream.bytes }), { keys: 0, bytes: 0 });
  }

  /** The same array for as long as nothing has changed. */
  tabs(): readonly Tab[] {
    const next = this.#slots.map(tabOf);
    if (next.length !== this.#tabs.length || next.some((tab, at) => !sameTab(tab, this.#tabs[at]))) this.#tabs = next;
    return this.#tabs;
  }

  deadlines(): (number | undefined)[] {
    return this.#slots.flatMap(({ stream }) => stream.deadlines());
  }

  tick(now: number): void {
    for (const { stream } of this.#slots) stream.tick(now);
  }

  // --- the connection ---------------------------------------------------------------------------------------------

  hello(): { terms: ({ id: number; have_off?: number } & Size)[]; epoch?: string } {
    const current = this.#current;
    return {
      terms: current === undefined || current.gone !== undefined ? [] : [current.stream.hello()],
      ...(this.#peer.epoch !== undefined && { epoch: this.#peer.epoch }),
    };
  }

  welcomed(welcome: Welcome): void {
    const restarted = this.#peer.epoch !== undefined && this.#peer.epoch !== welcome.epoch;
    Object.assign(this.#peer, { live: true, epoch: welcome.epoch, connection: welcome.conn_id, viewOnly: welcome.role === "view" });
    this.#limit = welcome.limits.terminals;
    this.#renames = welcome.commands !== undefined;
    if (restarted) this.#restarted();
    this.#sync(welcome.terms, true);
    this.#sendOpen();
  }

  lost(): void {
    this.#peer.live = false;
    for (const { stream } of this.#slots) stream.lost();
  }

  frame(frame: Exclude<ServerFrame, { kind: "welcome" | "pong" }>): void {
    if (frame.kind === "terms") return this.#sync(frame.terms, false);
    const slot = this.#slots.find(({ stream, gone }) => gone === undefined && stream.terminal === frame.terminal);
    if (frame.kind === "error") return this.#error(frame, slot);
    if (slot === undefined) return;
    if (frame.kind === "activity") return this.#happened(slot, frame.head, frame.bell);
    slot.stream.frame(frame);
    if (frame.kind === "exit" && slot.closing) this.#sendClose(slot);
  }

  parsed(tab: number, end: number, generation: number, now: number): void {
    this.#slot(tab)?.stream.parsed(end, generation, now);
  }

  // --- what the user does -----------------------------------------------------------------------------------------

  typed(tab: number, bytes: Uint8Array, auto: boolean, count: number): void {
    const slot = this.#slot(tab);
    if (slot?.gone === undefined && slot?.info?.type !== "agent") slot?.stream.typed(bytes, auto, count);
  }

  discard(): void {
    for (const { stream } of this.#slots) stream.discard();
  }

  resize(tab: number, size: Size, now: number): void {
    this.size = size;
    this.#slot(tab)?.stream.resize(size, now);
  }

  focus(tab: number): void {
    this.#slot(tab)?.stream.focus();
  }

  /** Looks at another tab; its screen says when it is there. */
  select(tab: number): void {
    if (tab === this.#active || this.#slot(tab) === undefined) return;
    this.#current?.stream.hide();
    this.#active = tab;
    const slot = this.#slot(tab);
    if (slot !== undefined) slot.activity = slot.bell = false;
  }

  /** There is a screen of this size, and it is in sight. */
  show(tab: number, size: Size): void {
    const slot = this.#slot(tab);
    if (slot === undefined) return;
    this.size = size;
    slot.placed = true;
    if (tab === this.#active && slot.gone === undefined) slot.stream.show(size);
  }

  /** Its screen is gone. */
  unplace(tab: number): void {
    const slot = this.#slot(tab);
    if (slot === undefined) return;
    slot.placed = false;
    slot.stream.forget();
  }

  /** Another shell; the same key never opens two, however often a lost reply makes it go out again. */
  open(key: string, inPlace: boolean): void {
    const open = this.#slots.filter(({ gone }) => gone === undefined).length;
    const replaces = inPlace && this.#current?.info?.alive === false;
    if (open >= this.#limit && !replaces && this.#slots.every(({ info }) => info?.alive !== false)) return this.#notice(this.#full());
    this.#opening = { key, into: inPlace ? this.#active : undefined };
    this.#sendOpen();
  }

  close(tab: number): void {
    const slot = this.#slot(tab);
    if (slot === undefined || slot.closing) return;
    if (slot.gone !== undefined || slot.info === undefined) return this.#remove(slot);
    if (!this.#peer.live) return this.#notice("The terminal can be closed when the connection is back.");
    slot.closing = true;
    this.#sendClose(slot);
    if (tab === this.#active) this.#selectBeside(slot);
  }

  /** An empty title gives the program its say back. */
  rename(tab: number, title: string): void {
    const slot = this.#slot(tab);
    if (slot?.info === undefined || slot.gone !== undefined || !this.#renames) return;
    if (!this.#peer.live) return this.#notice("The terminal can be given a name when the connection is back.");
    if (title !== "") slot.info = { ...slot.info, title };
    this.emit({ do: "send", frame: { kind: "title", terminal: slot.info.id, title } });
  }

  /** What was printed is forgotten; the screen stays. */
  clear(): void {
    const current = this.#current;
    if (current === undefined || current.gone !== undefined || !this.#renames || !this.#peer.live || this.viewOnly) return;
    this.emit({ do: "send", frame: { kind: "clear", terminal: current.stream.terminal } });
  }

  move(tab: number, to: number): void {
    const slot = this.#slot(tab);
    if (slot === undefined) return;
    this.#slots = this.#slots.filter((each) => each !== slot);
    this.#slots.splice(Math.max(0, to), 0, slot);
  }

  /** Types again where another types alone; `alone`: and has nobody else type. */
  takeBack(alone: boolean): void {
    const current = this.#current;
    if (current === undefined || current.gone !== undefined || !this.#renames || !this.#peer.live) return;
    if (alone) current.stream.typeAlone();
    else current.stream.takeBack();
  }

  // --- what the runtime says --------------------------------------------------------------------------------------

  get #current(): Slot | undefined {
    return this.#active === undefined ? undefined : this.#slot(this.#active);
  }

  #slot(tab: number): Slot | undefined {
    return this.#slots.find((each) => each.tab === tab);
  }

  /** The runtime is another process: of what was there before only what is on screens is left. */
  #restarted(): void {
    let lost = 0;
    for (const slot of [...this.#slots]) {
      const wasSeen = slot.stream.isKnown && !slot.closing;
      lost += slot.stream.part();
      slot.info = undefined;
      // What was to be closed is gone: the new shell of that number is another one.
      slot.closing = false;
      if (slot.tab === this.#active) slot.gone = undefined;
      else if (wasSeen || slot.gone !== undefined) this.#lose(slot, "restart");
      else this.#remove(slot);
    }
    this.#notice(lost > 0 ? `The session was restarted: ${keys(lost)} typed meanwhile could not be delivered and were discarded.` : "The session was restarted; this is a new shell.");
  }

  #sync(all: TerminalInfo[], isWelcome: boolean): void {
    this.#dismissed = new Set([...this.#dismissed].filter((name) => all.some((info) => nameOf(info) === name)));
    const free = new Set(all.filter((info) => !this.#dismissed.has(nameOf(info))));
    const left: Slot[] = [];
    for (const slot of this.#slots.filter(({ gone }) => gone === undefined)) {
      const found = [...free].find((info) => info.id === slot.stream.terminal && (slot.info === undefined || sameKey(info.key, slot.info.key)));
      if (found === undefined || (slot.info === undefined && !found.alive)) left.push(slot);
      else {
        free.delete(found);
        this.#refresh(slot, found, isWelcome);
      }
    }
    this.#takeOpened(all, free, left);
    for (const slot of left) this.#settle(slot, free);
    for (const info of free) this.#insert(info);
    if (this.#current === undefined) this.#active = this.#slots[0]?.tab;
  }

  #refresh(slot: Slot, info: TerminalInfo, isWelcome: boolean): void {
    slot.info = info;
    // Typed before it was known what it is.
    if (info.type === "agent") slot.stream.discard();
    if (isWelcome) slot.stream.resume(info);
    // HELLO did not name one that was gone until now.
    if (isWelcome && slot.placed && slot.tab === this.#active) slot.stream.show(this.size);
    // The first CLOSE may have been lost with the connection.
    if (slot.closing && (isWelcome || !info.alive)) this.#sendClose(slot);
  }

  /** What this page has opened is what it looks at. */
  #takeOpened(all: TerminalInfo[], free: Set<TerminalInfo>, left: Slot[]): void {
    const opened = this.#opening === undefined ? undefined : all.find((info) => sameKey(info.key, this.#opening?.key) && info.key !== undefined);
    if (opened === undefined) return;
    const into = this.#opening?.into === undefined ? undefined : this.#slot(this.#opening.into);
    this.#opening = undefined;
    free.delete(opened);
    if (into === undefined) return this.select(this.#insert(opened).tab);
    const former = into.info;
    if (former !== undefined && all.some((info) => nameOf(info) === nameOf(former))) {
      this.#dismissed.add(nameOf(former));
      this.emit({ do: "send", frame: { kind: "close", terminal: former.id, signal: 0 } });
    }
    if (left.includes(into)) left.splice(left.indexOf(into), 1);
    this.#become(into, opened);
  }

  /** A tab whose terminal is not there. */
  #settle(slot: Slot, free: Set<TerminalInfo>): void {
    const isActive = slot.tab === this.#active;
    const inItsPlace = [...free].find((info) => info.id === slot.stream.terminal && info.alive);
    const another = isActive && slot.info === undefined ? ([...free].filter(({ alive }) => alive).at(-1) ?? [...free].at(-1)) : undefined;
    const next = slot.closing ? undefined : (inItsPlace ?? another);
    if (next !== undefined) {
      free.delete(next);
      return this.#become(slot, next);
    }
    if (isActive && slot.stream.isKnown && !slot.closing) return this.#lose(slot, "closed");
    this.#remove(slot);
  }

  #become(slot: Slot, info: TerminalInfo): void {
    slot.info = info;
    slot.gone = undefined;
    slot.closing = false;
    slot.stream.become(info, slot.tab === this.#active && slot.placed);
  }

  #lose(slot: Slot, gone: Gone): void {
    slot.gone = gone;
    slot.stream.end({ code: 0, signal: 0 });
  }

  #remove(slot: Slot): void {
    if (slot.tab === this.#active) this.#selectBeside(slot);
    slot.stream.hide();
    this.#slots = this.#slots.filter((each) => each !== slot);
    if (this.#active === slot.tab) this.#active = undefined;
  }

  #selectBeside(slot: Slot): void {
    const at = this.#slots.indexOf(slot);
    const others = [...this.#slots.slice(at + 1), ...this.#slots.slice(0, at).reverse()].filter(({ closing }) => !closing);
    const next = others[0];
    if (next !== undefined) this.select(next.tab);
  }

  #add(terminal: number): Slot {
    const tab = (this.#lastTab += 1);
    const emit = (effect: StreamEffect): void => this.emit(effect.do === "send" || effect.do === "notice" ? effect : { ...effect, tab });
    const slot: Slot = { tab, stream: new TerminalStream(terminal, this.size, this.#peer, emit), info: undefined, activity: false, bell: false, closing: false, gone: undefined, placed: false };
    this.#slots.push(slot);
    return slot;
  }

  /** A tab for a terminal that has none: where it was before, else at the end. */
  #insert(info: TerminalInfo): Slot {
    const slot = this.#add(info.id);
    slot.info = info;
    slot.stream.become(info, false);
    const rank = (each: Slot): number => (each.info === undefined ? -1 : this.remembered.order.indexOf(nameOf(each.info)));
    const own = rank(slot);
    const behind = own < 0 ? -1 : this.#slots.findIndex((each) => each !== slot && rank(each) > own);
    if (behind >= 0) this.move(slot.tab, behind);
    return slot;
  }

  #happened(slot: Slot, head: number, bell: boolean): void {
    if (slot.tab === this.#active) return;
    slot.activity ||= head > slot.stream.have;
    slot.bell ||= bell;
  }

  #error({ reference, code, text }: Extract<ServerFrame, { kind: "error" }>, slot: Slot | undefined): void {
    if (reference === OPEN_FRAME) this.#opening = undefined;
    switch (code) {
      case ErrorCode.noSuchTerminal: // The list of terminals tells it.
      case ErrorCode.ended:
        return;
      case ErrorCode.tooManyTerminals:
        return this.#notice(this.#full());
      case ErrorCode.takenOver:
        slot?.stream.takeOver();
        return;
      case ErrorCode.readOnly:
        // Typed before we knew that another types, which was told.
        if (slot?.stream.takenOver === true) return;
        return this.#notice(text);
      default:
        return this.#notice(text);
    }
  }

  #full(): string {
    return `This session has ${this.#limit} terminals, as many as it may have. Close one to open another.`;
  }

  #sendOpen(): void {
    if (!this.#peer.live || this.#opening === undefined) return;
    this.emit({ do: "send", frame: { kind: "open", key: this.#opening.key, request: { ...this.size } } });
  }

  #sendClose(slot: Slot): void {
    this.emit({ do: "send", frame: { kind: "close", terminal: slot.stream.terminal, signal: 0 } });
  }

  #notice(text: string): void {
    this.emit({ do: "notice", text });
  }
}
