// Where the tests run: what `make env` exports.

export interface Environment {
  url: string;
  token: string;
}

export function environment(): Environment {
  const { FABRICA_URL: url, FABRICA_TOKEN: token } = process.env;
  if (url === undefined || token === undefined) {
    throw new Error('FABRICA_URL and FABRICA_TOKEN must be set: eval "$(make -s env)"');
  }
  return { url: url.replace(/\/$/, ""), token };
}

export const CHROMIUM_FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Everything the tests make is called so, and is removed after them. */
export const PREFIX = "browser-";

export function uniqueName(word: string): string {
  return `${PREFIX}${word}-${Math.random().toString(36).slice(2, 7)}`;
}
