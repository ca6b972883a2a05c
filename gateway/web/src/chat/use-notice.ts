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
      const notice = new Notification(`${name} waits for you`, { body: text, tag: questionId });
      notice.onclick = () => {
        window.focus();
        notice.close();
      };
    }
  }, [name, questions, complete]);
}
