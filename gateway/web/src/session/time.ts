// Times people can read at a glance; the exact one is in the tooltip.

const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, "second"],
  [3600, "minute"],
  [86_400, "hour"],
  [Number.POSITIVE_INFINITY, "day"],
];
const LENGTH: Partial<Record<Intl.RelativeTimeFormatUnit, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400 };

const NARROW = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });
/** In the middle of a sentence. */
const SHORT = new Intl.RelativeTimeFormat("en-GB", { numeric: "always", style: "short" });

/** Made once: thousands of times stand in one timeline. */
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

const MINUTE = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });

/** When something is due: the time of the day, with the day unless that is today. */
function moment(time: string, now: number): string {
  const [at, today] = [new Date(time), new Date(now)];
  return at.toDateString() === today.toDateString() ? MINUTE.format(at) : `${MINUTE.format(at)} on ${DAY.format(at)}`;
}

export function relative(time: string, now: number, format = NARROW): string {
  const seconds = Math.round((Date.parse(time) - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 5) return "now";
  const unit = STEPS.find(([below]) => size < below)?.[1] ?? "day";
  return format.format(Math.trunc(seconds / (LENGTH[unit] ?? 1)), unit);
}

/** When something is to be done, and how long that is from now: "14:32 (in 12 min)". */
export function due(time: string, now: number): string {
  const left = Date.parse(time) > now ? relative(time, now, SHORT) : "the time is over";
  return `${moment(time, now)} (${left})`;
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
