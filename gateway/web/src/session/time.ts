// Times people can read at a glance; the exact one is in the tooltip.

const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, "second"],
  [3600, "minute"],
  [86_400, "hour"],
  [Number.POSITIVE_INFINITY, "day"],
];
const LENGTH: Partial<Record<Intl.RelativeTimeFormatUnit, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400 };

const format = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });

/** Made once: thousands of times stand in one timeline. */
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

export function relative(time: string, now: number): string {
  const seconds = Math.round((Date.parse(time) - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 5) return "now";
  const unit = STEPS.find(([below]) => size < below)?.[1] ?? "day";
  return format.format(Math.trunc(seconds / (LENGTH[unit] ?? 1)), unit);
}

/** How long something took, in its two largest units. */
export function duration(from: string, to: number): string {
  const seconds = Math.max(0, Math.round((to - Date.parse(from)) / 1000));
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  if (minutes === 0) return `${seconds} s`;
  if (hours === 0) return `${minutes} min ${seconds % 60} s`;
  return days === 0 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
}

/** The length of something short. */
export function milliseconds(length: number): string {
  if (length < 1_000) return `${Math.round(length)} ms`;
  return length < 60_000 ? `${(length / 1_000).toFixed(1)} s` : duration(new Date(0).toISOString(), length);
}

export function absolute(time: string): string {
  return new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" });
}

/** The time of the day, to the second. */
export function clock(time: string): string {
  return CLOCK.format(Date.parse(time));
}
