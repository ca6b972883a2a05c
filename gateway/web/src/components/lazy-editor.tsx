import { lazy, Suspense, type ComponentProps } from "react";

// As large as all the rest of the page, and only plans need it.
const Editor = lazy(() => import("./editor"));

export function LazyEditor(props: ComponentProps<typeof Editor>) {
  return (
    <Suspense fallback={<div role="status" aria-label="Loading the editor" className={`animate-pulse rounded-md border border-edge bg-hover ${props.className ?? ""}`} />}>
      <Editor {...props} />
    </Suspense>
  );
}
