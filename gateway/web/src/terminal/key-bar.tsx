import { ArrowDown, ArrowLeft, ArrowRight, ArrowUp } from "lucide-react";
import type { ReactNode } from "react";
import type { TerminalScreen } from "./screen";
import { SOFT_KEYS, type SoftKey } from "./soft-keys";

const FACES: Partial<Record<SoftKey, ReactNode>> = {
  Left: <ArrowLeft className="size-4" aria-hidden />,
  Down: <ArrowDown className="size-4" aria-hidden />,
  Up: <ArrowUp className="size-4" aria-hidden />,
  Right: <ArrowRight className="size-4" aria-hidden />,
};

const KEY = "flex h-11 min-w-11 flex-1 items-center justify-center rounded-md text-sm font-medium text-ink hover:bg-hover focus-visible:-outline-offset-2 aria-pressed:bg-accent aria-pressed:text-accent-ink";

/** Keys that a screen keyboard lacks. The keyboard stays while they are pressed: they never take the focus. */
export function KeyBar({ screen, control }: { screen: TerminalScreen; control: boolean }) {
  const keep = { onPointerDown: (event: { preventDefault: () => void }) => event.preventDefault() };
  const key = (name: SoftKey): ReactNode => (
    <button key={name} type="button" aria-label={name} className={KEY} {...keep} onClick={() => screen.press(name)}>
      {FACES[name] ?? name}
    </button>
  );
  return (
    <div role="toolbar" aria-label="Keys" className="flex shrink-0 gap-0.5 overflow-x-auto border-t border-line bg-surface px-1">
      {SOFT_KEYS.slice(0, 2).map(key)}
      <button type="button" aria-label="Control, for the next key" aria-pressed={control} className={KEY} {...keep} onClick={() => screen.holdControl(!control)}>
        Ctrl
      </button>
      {SOFT_KEYS.slice(2).map(key)}
    </div>
  );
}
