// What the page does after each close code of `kterm.v1` and `fabrica.chat.v1`.

export type Verdict =
  | { then: "retry" }
  | { then: "backOff" }
  | { then: "wait"; milliseconds: number | undefined }
  | { then: "login" }
  | { then: "halt"; why: string };

/** `ra=<ms>` in a close reason: when the server would like to be asked again. */
const RETRY_AFTER = /\bra=(\d{1,7})\b/;

export function verdict(code: number, reason: string, forbidden: string): Verdict {
  const hint = RETRY_AFTER.exec(reason)?.[1];
  switch (code) {
    case 1000:
      return { then: "halt", why: "The connection was closed." };
    case 1002:
    case 1003:
    case 4400:
      return { then: "halt", why: "The page and the session do not understand each other. Reload the page; it may be older than the gateway." };
    case 1009:
      return { then: "halt", why: "The page sent more at once than the session takes." };
    case 1011:
    case 4500:
    case 4504:
      return { then: "backOff" };
    case 4401:
      return { then: "login" };
    case 4403:
      return { then: "halt", why: forbidden };
    case 4404:
      return { then: "halt", why: "There is no such session, or you may not see it." };
    case 4409:
      return { then: "halt", why: "Another window took over this terminal." };
    case 4410:
      return { then: "halt", why: "The session has ended." };
    case 4429:
    case 4503:
      return { then: "wait", milliseconds: hint === undefined ? undefined : Number(hint) };
    default:
      return { then: "retry" };
  }
}
