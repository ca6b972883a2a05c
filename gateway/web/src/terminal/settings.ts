// How terminals look and behave in this browser. One object, kept by the browser and shared by all its windows.

import { useSyncExternalStore } from "react";

export interface Settings {
  /** In pixels. */
  fontSize: number;
  copyOnSelect: boolean;
  /** Ask before many lines are pasted. */
  guardPaste: boolean;
  /** Tell screen readers what is printed; it slows much output down. */
  screenReader: boolean;
}

const LEAST_FONT = 8;
export const USUAL_FONT = 13;
const LARGEST_FONT = 32;

const KEY = "fabrica-terminal";
const USUAL: Settings = { fontSize: USUAL_FONT, copyOnSelect: false, guardPaste: true, screenReader: false };
const listeners = new Set<() => void>();
let current: Settings | undefined;

/** What was kept, as far as it makes sense. */
export function readSettings(text: string | null): Settings {
  let kept: Partial<Record<keyof Settings, unknown>>;
  try {
    kept = (JSON.parse(text ?? "{}") ?? {}) as typeof kept;
  } catch {
    return USUAL;
  }
  const flag = (value: unknown, usual: boolean): boolean => (typeof value === "boolean" ? value : usual);
  return {
    fontSize: typeof kept.fontSize === "number" ? clampFont(kept.fontSize) : USUAL_FONT,
    copyOnSelect: flag(kept.copyOnSelect, USUAL.copyOnSelect),
    guardPaste: flag(kept.guardPaste, USUAL.guardPaste),
    screenReader: flag(kept.screenReader, USUAL.screenReader),
  };
}

export function clampFont(size: number): number {
  return Math.min(LARGEST_FONT, Math.max(LEAST_FONT, Math.round(size)));
}

export function settings(): Settings {
  current ??= readSettings(localStorage.getItem(KEY));
  return current;
}

export function changeSettings(part: Partial<Settings>): void {
  const next = { ...settings(), ...part };
  localStorage.setItem(KEY, JSON.stringify(next));
  forget();
}

function forget(): void {
  current = undefined;
  listeners.forEach((listener) => listener());
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) window.addEventListener("storage", forget);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) window.removeEventListener("storage", forget);
  };
}

export function useSettings(): Settings {
  return useSyncExternalStore(subscribe, settings);
}
