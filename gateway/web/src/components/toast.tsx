import { CircleAlert, CircleCheck, X } from "lucide-react";
import { Toast as Radix } from "radix-ui";
import { createContext, use, useCallback, useState, type ReactNode } from "react";
import { IconButton } from "./button";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

type Tell = (text: string, kind?: "good" | "bad") => void;

const ToastContext = createContext<Tell>(() => undefined);

/** Tells the user what happened, away from where it was asked for. */
export function useTell(): Tell {
  return use(ToastContext);
}

const SHORT = 4_000;
const LONG = 10_000;
let nextId = 0;

export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const tell = useCallback<Tell>((text, kind = "good") => {
    nextId += 1;
    setToasts((all) => [...all.slice(-2), { id: nextId, text, bad: kind === "bad" }]);
  }, []);
  const remove = (id: number): void => setToasts((all) => all.filter((toast) => toast.id !== id));
  return (
    <ToastContext value={tell}>
      <Radix.Provider label="Notice">
        {children}
        {toasts.map(({ id, text, bad }) => (
          <Radix.Root
            key={id}
            duration={bad ? LONG : SHORT}
            type={bad ? "foreground" : "background"}
            onOpenChange={(open) => !open && remove(id)}
            className="animate-appear flex items-start gap-2 rounded-lg bg-raised py-2 pr-1.5 pl-3 shadow-float"
          >
            {bad ? <CircleAlert className="mt-0.5 size-4 shrink-0 text-bad" aria-hidden /> : <CircleCheck className="mt-0.5 size-4 shrink-0 text-good" aria-hidden />}
            <Radix.Description className="min-w-0 flex-1 text-sm break-words">{text}</Radix.Description>
            <Radix.Close asChild>
              <IconButton label="Dismiss" className="-my-1">
                <X className="size-3.5" aria-hidden />
              </IconButton>
            </Radix.Close>
          </Radix.Root>
        ))}
        <Radix.Viewport className="fixed right-4 bottom-20 z-60 flex w-[min(24rem,calc(100vw-2rem))] flex-col gap-2 sm:bottom-4" />
      </Radix.Provider>
    </ToastContext>
  );
}
