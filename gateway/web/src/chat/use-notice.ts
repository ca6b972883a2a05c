// Says in the browser that a human is needed, to somebody who looks elsewhere.

import { useEffect, useRef, useState } from "react";
import type { Asked } from "./entries";

type Permission = NotificationPermission | "never";

function permission(): Permission {
  return "Notification" in window ? Notification.permission : "never";
}

/** Whether the browser may be asked for leave to notify, and how. */
export function useLeave(): { mayAsk: boolean; ask: () => void } {
  const [state, setState] = useState(permission);
  return { mayAsk: state === "default", ask: () => void Notification.requestPermission().then(setState) };
}

/** Browsers of phones have the word, and refuse it to a page without a service worker: there the tab's title must do. */
export function notify(title: string, options: NotificationOptions): void {
  try {
    const notice = new Notification(title, options);
    notice.onclick = () => {
      window.focus();
      notice.close();
    };
  } catch {
    // Nobody can be notified here.
  }
}

/** Notifies of each question once, while the page is out of sight. */
export function useNotice(name: string, questions: readonly Asked[], complete: boolean): void {
  const known = useRef<ReadonlySet<string>>(undefined);
  useEffect(() => {
    if (!complete) return;
    const before = known.current;
    known.current = new Set(questions.map(({ questionId }) => questionId));
    if (before === undefined || document.visibilityState === "visible" || permission() !== "granted") return;
    for (const { questionId, text } of questions) {
      if (before.has(questionId)) continue;
      notify(`${name} waits for you`, { body: text, tag: questionId });
    }
  }, [name, questions, complete]);
}
