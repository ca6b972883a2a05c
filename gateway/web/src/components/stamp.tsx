import { absolute, clock } from "../session/time";

/** The address of an entry within its page. */
export function anchorOf(seq: number): string {
  return `message-${seq}`;
}

/** When it was, and the link to it. Thousands of relative times would all change every few seconds. */
export function Stamp({ seq, time }: { seq: number; time: string }) {
  return (
    <a href={`#${anchorOf(seq)}`} title={`${absolute(time)}. Link to this entry`} className="numbers shrink-0 rounded text-xs leading-5 text-faint hover:text-ink hover:underline pointer-coarse:-my-2 pointer-coarse:py-2">
      <time dateTime={time}>{clock(time)}</time>
    </a>
  );
}
