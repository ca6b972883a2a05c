import { memo, useEffect, useState, type ReactNode } from "react";

/** How many items one block has: a few blocks fill a screen, and a long list has not too many of them. */
const BLOCK = 40;

interface Props<T> {
  items: readonly T[];
  /** How high an item is that nobody has seen yet, in pixels. */
  height: number;
  /** Whether an item is to be there although nobody has come near to it. */
  needed: (item: T) => boolean;
  /** An `li`. The same function for as long as the same items look the same. */
  draw: (item: T) => ReactNode;
}

/** A list in blocks: those that nobody comes near to are not drawn, so thousands of items cost no more than a few. */
export function LongList<T>({ items, ...rest }: Props<T>) {
  const count = Math.ceil(items.length / BLOCK);
  return (
    <div className="py-1.5">
      {Array.from({ length: count }, (_, at) => (
        <Block key={at} items={items.slice(at * BLOCK, (at + 1) * BLOCK)} {...rest} />
      ))}
    </div>
  );
}

/** Blocks are cut anew each time; what counts is what stands in them. */
const Block = memo(
  BlockOf,
  (before, after) => before.draw === after.draw && before.needed === after.needed && before.items.length === after.items.length && before.items.every((item, at) => item === after.items[at]),
) as typeof BlockOf;

function BlockOf<T>({ items, height, needed, draw }: Props<T>) {
  const [near, place] = useNear();
  const guess = items.length * height;
  if (!near && !items.some(needed)) return <div ref={place} style={{ height: guess }} />;
  return (
    <ol className="[content-visibility:auto]" style={{ containIntrinsicSize: `auto ${guess}px` }}>
      {items.map(draw)}
    </ol>
  );
}

/** Nearer than this to what is in sight, one is about to see it. */
const NEAR = "1000px 0px";

/** Whether somebody has come near to an element; what was drawn once stays, and costs little while it is out of sight. */
function useNear(): [boolean, (element: HTMLElement | null) => void] {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    if (element === null) return;
    const observer = new IntersectionObserver((seen) => seen.some(({ isIntersecting }) => isIntersecting) && setNear(true), { root: element.closest("[role=log]"), rootMargin: NEAR });
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return [near, setElement];
}
