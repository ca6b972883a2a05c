// Whose size a terminal has on this page: what this window has room for, what the runtime was told of it, and the grid
// that the terminal has. The screen shows the terminal's grid, for that is what its program draws for. No I/O.

import type { Size } from "./kterm";

const RESIZE_DEBOUNCE = 50;

/** `tell`: the runtime is to know our size; `adopt`: the screen is to show that grid. */
export type GridEffect = { do: "tell"; size: Size } | { do: "adopt"; size: Size };

/** What the size depends on and others know. */
export interface Standing {
  /** Whether the runtime hears of this terminal from us. */
  readonly heard: boolean;
  readonly viewOnly: boolean;
  readonly connection: number;
}

export class Grid {
  #told: Size | undefined;
  /** The terminal's own, as the runtime told it last. */
  #grid: Size | undefined;
  #foreign = false;
  /** This window has changed and nobody could be told. */
  #changed = false;
  #dueAt: number | undefined;

  constructor(
    private size: Size,
    private readonly standing: () => Standing,
    private readonly emit: (effect: GridEffect) => void,
  ) {}

  /** What this window has room for. */
  get own(): Size {
    return this.size;
  }
  get dueAt(): number | undefined {
    return this.#dueAt;
  }

  /** The screen is in sight with this size. */
  place(size: Size): void {
    this.size = size;
  }

  /** Our size goes out with a first word. One who comes back does not take the size by that; who only watches never does. */
  greet(isReturn: boolean): Size {
    this.#told = this.size;
    this.#changed &&= isReturn;
    if (this.#foreign && !isReturn && !this.standing().viewOnly) {
      this.#foreign = false;
      this.emit({ do: "adopt", size: this.size });
    }
    return this.size;
  }

  /** Who comes back has what the terminal has, unless this window has changed meanwhile. */
  welcomed(grid: Size, isReturn: boolean): void {
    const claims = this.#changed && !this.standing().viewOnly;
    this.#changed = false;
    if (claims || isReturn) this.become(grid, undefined);
    if (claims) {
      this.#told = undefined;
      this.tell();
    }
  }

  /** This window has another size; its screen has taken it already. */
  resize(size: Size, now: number): void {
    this.size = size;
    const { heard, viewOnly } = this.standing();
    if (this.#grid !== undefined && (this.#foreign || viewOnly)) {
      this.#foreign = !same(this.#grid, size);
      if (this.#foreign) this.emit({ do: "adopt", size: this.#grid });
    }
    if (heard) this.#dueAt = now + RESIZE_DEBOUNCE;
    else this.#changed = true;
  }

  /** The terminal has this grid, by the wish of that connection. */
  become({ cols, rows }: Size, owner: number | undefined): void {
    this.#grid = { cols, rows };
    const { connection, viewOnly } = this.standing();
    const isOwn = same(this.#grid, this.size) || (owner === connection && !viewOnly);
    if (isOwn && !this.#foreign) return;
    this.#foreign = !isOwn;
    if (this.#foreign) this.#told = undefined;
    this.emit({ do: "adopt", size: isOwn ? this.size : this.#grid });
  }

  /** Somebody is at work in this window. What it shows follows when the runtime says so. */
  claim(): void {
    if (this.#foreign) this.tell();
  }

  tell(): void {
    this.#dueAt = undefined;
    const { heard, viewOnly } = this.standing();
    if (!heard || viewOnly || (this.#told !== undefined && same(this.#told, this.size))) return;
    this.#told = this.size;
    this.emit({ do: "tell", size: this.size });
  }

  /** Nobody hears of it any more. */
  rest(): void {
    this.#dueAt = undefined;
  }

  /** Another terminal. */
  forget(): void {
    this.#grid = undefined;
  }
}

function same(one: Size, other: Size): boolean {
  return one.cols === other.cols && one.rows === other.rows;
}
