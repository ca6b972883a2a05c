/** Puts text on the clipboard. Browsers allow it on https and on localhost only; false says that it did not work. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
