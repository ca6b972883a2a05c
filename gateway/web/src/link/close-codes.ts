// What the page does after each close code of `kterm.v1` and `fabrica.chat.v1`: whether work goes on, and the one way on.
// The table is that of gateway/protocol/src/recovery.rs.

/** What leads on: the page tries again, the user logs in, makes another session, or presses a button. */
export type Recovery = "retry" | "login" | "recreate" | "button";

/** Why there is no connection. */
export interface LinkError {
  code: number;
  /** Whether work goes on where it was, once that has been done. */
  recoverable: boolean;
  recovery: Recovery;
  why: string;
  /** The other side's own words, where it said any. */
  said?: string;
  /** What stands on the button, where there is one. */
  button?: string;
}

export type Verdict = { error: LinkError } & ({ then: "retry" | "backOff" | "login" | "halt" } | { then: "wait"; milliseconds: number | undefined });

/** `ra=<ms>` in a close reason: when the server would like to be asked again. */
const RETRY_AFTER = /\bra=(\d{1,7})\b/;

/** What a reason says to people: all but the hint. */
function wordsOf(reason: string): string {
  return reason.replace(/\bra=\S*/, "").replace(/^\s+|[;\s]+$/g, "");
}

const MISUNDERSTANDING = "The page and the session do not understand each other. Reload the page; it may be older than the gateway.";

export function verdict(code: number, reason: string, forbidden: string): Verdict {
  const said = wordsOf(reason);
  const told = { code, ...(said !== "" && { said }) };
  const passing = (why: string): LinkError => ({ ...told, recoverable: true, recovery: "retry", why });
  const stop = (why: string): Verdict => ({ then: "halt", error: { ...told, recoverable: false, recovery: "button", why, button: "Try again" } });
  /** The person can put it right here and now. */
  const ask = (why: string, button: string): Verdict => ({ then: "halt", error: { ...told, recoverable: true, recovery: "button", why, button } });
  const over = (why: string): Verdict => ({ then: "halt", error: { ...told, recoverable: false, recovery: "recreate", why, button: "Try again" } });
  const hint = RETRY_AFTER.exec(reason)?.[1];
  const milliseconds = hint === undefined ? undefined : Number(hint);
  switch (code) {
    case 1000:
      return ask("The connection was closed.", "Connect");
    case 1002:
    case 1003:
    case 4400:
      return stop(MISUNDERSTANDING);
    case 1009:
      return stop("The page sent more at once than the session takes.");
    case 1001:
    case 1012:
      return { then: "retry", error: passing("The gateway was restarted.") };
    case 1011:
    case 4500:
      return { then: "backOff", error: passing("The other end had an error of its own.") };
    case 4401:
      return { then: "login", error: { ...told, recoverable: true, recovery: "login", why: "Your login has ended.", button: "Log in" } };
    case 4403:
      return stop(forbidden);
    case 4404:
      return over("There is no such session, or you may not see it.");
    case 4408:
      return { then: "retry", error: passing("The session heard nothing from this page for too long.") };
    case 4409:
      return ask("The same page is open in another tab, which has the connection now.", "Take back");
    case 4410:
      return over("The session has ended.");
    case 4429:
      return { then: "wait", milliseconds, error: passing("The session has as many connections as it may have.") };
    case 4503:
      return { then: "wait", milliseconds, error: passing("The session is not ready.") };
    case 4504:
      return { then: "backOff", error: passing("The gateway does not reach the session's pod.") };
    default:
      return { then: "retry", error: passing("The connection was cut.") };
  }
}
