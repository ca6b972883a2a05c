import type { ButtonHTMLAttributes, ReactNode } from "react";

type Look = "primary" | "plain" | "quiet" | "danger";

const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-accent-ink hover:bg-accent-hover",
  plain: "border border-edge bg-surface text-ink hover:bg-hover",
  quiet: "text-soft hover:bg-hover hover:text-ink",
  danger: "bg-bad-fill text-accent-ink hover:bg-bad-fill-hover",
};

export function buttonLook(look: Look = "plain", extra = ""): string {
  return `inline-flex h-8 pointer-coarse:h-11 shrink-0 items-center justify-center gap-1.5 rounded-md px-3 text-sm font-medium whitespace-nowrap select-none transition-colors disabled:opacity-50 ${LOOKS[look]} ${extra}`;
}

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
}

export function Button({ look = "plain", className = "", ...rest }: Props) {
  return <button type="button" className={buttonLook(look, className)} {...rest} />;
}

interface IconProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  label: string;
  children: ReactNode;
}

/** A button that is an icon; its label is its name and its tooltip. */
export function IconButton({ label, className = "", children, ...rest }: IconProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`inline-flex size-7 pointer-coarse:size-11 shrink-0 items-center justify-center rounded-md text-soft transition-colors hover:bg-hover hover:text-ink focus-visible:-outline-offset-2 disabled:opacity-50 ${className}`}
      {...rest}
    >
      {children}
    </button>
  );
}
