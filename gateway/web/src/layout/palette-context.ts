import { createContext, use } from "react";

export interface Palette {
  open: () => void;
}

export const PaletteContext = createContext<Palette>({ open: () => undefined });

export function usePalette(): Palette {
  return use(PaletteContext);
}
