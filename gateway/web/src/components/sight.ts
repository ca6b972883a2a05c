// What of a page its reader has before their eyes.

import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";

/** Nearer than this to its end, in pixels, a box shows what is new. */
const NEAR = 40;

/** Keeps a box at its end for as long as its reader stays there. */
export function usePinned(box: RefObject<HTMLDivElement | null>, content: unknown, wanted: boolean) {
  const [atEnd, setAtEnd] = useState(true);
  const pinned = useRef(wanted);
  const toEnd = (): void => {
    pinned.current = true;
    box.current?.scrollTo({ top: box.current.scrollHeight });
  };
  const onScroll = (): void => {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = box.current ?? {};
    pinned.current = scrollHeight - scrollTop - clientHeight < NEAR;
    setAtEnd(pinned.current);
  };
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const follow = (): void => {
      if (pinned.current) element.scrollTo({ top: element.scrollHeight });
    };
    follow();
    // Lines that come into sight get their true heights then.
    const observer = new ResizeObserver(follow);
    for (const child of element.children) observer.observe(child);
    return () => observer.disconnect();
  }, [box, content]);
  return { atEnd, toEnd, onScroll };
}

/** Calls back when an element is in sight of somebody, for as long as that is wanted. */
export function useSeen(wanted: boolean, onSeen: () => void): (element: HTMLElement | null) => void {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const latest = useRef(onSeen);
  useEffect(() => {
    latest.current = onSeen;
  });
  useEffect(() => {
    if (element === null || !wanted) return;
    let inSight = false;
    const look = (): void => {
      if (inSight && document.visibilityState === "visible") latest.current();
    };
    const observer = new IntersectionObserver(([entry]) => {
      inSight = entry?.isIntersecting === true;
      look();
    });
    observer.observe(element);
    document.addEventListener("visibilitychange", look);
    return () => {
      observer.disconnect();
      document.removeEventListener("visibilitychange", look);
    };
  }, [element, wanted]);
  return setElement;
}
