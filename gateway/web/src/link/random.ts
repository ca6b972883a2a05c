/** 16 random bytes in hexadecimal. crypto.randomUUID does not exist on pages that came over plain http. */
export function randomHex(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
