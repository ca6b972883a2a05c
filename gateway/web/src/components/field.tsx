import { ChevronDown, CircleAlert } from "lucide-react";
import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes } from "react";

const INPUT =
  "h-8 pointer-coarse:h-11 w-full rounded-md border bg-surface px-2.5 text-sm pointer-coarse:text-[1rem] text-ink transition-colors focus-visible:outline-offset-0 disabled:opacity-60";

export interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
}

interface Wiring {
  id: string;
  "aria-invalid": boolean;
  "aria-describedby": string | undefined;
  className: string;
}

/** A label, a control, and below it the hint or, in its place, what is wrong. */
export function Field({ label, hint, error, children }: FieldProps & { children: (wiring: Wiring) => ReactNode }) {
  const id = useId();
  const note = `${id}-note`;
  return (
    <div className="min-w-0">
      <label htmlFor={id} className="mb-1 block text-sm font-medium">
        {label}
      </label>
      {children({
        id,
        "aria-invalid": error !== undefined,
        "aria-describedby": error !== undefined || hint !== undefined ? note : undefined,
        className: `${INPUT} ${error === undefined ? "border-edge" : "border-bad"}`,
      })}
      {error !== undefined ? (
        <p id={note} role="alert" className="mt-1 flex gap-1 text-xs text-bad">
          <CircleAlert className="mt-0.5 size-3 shrink-0" aria-hidden />
          <span className="min-w-0 break-words">{error}</span>
        </p>
      ) : (
        hint !== undefined && (
          <p id={note} className="mt-1 text-xs text-faint">
            {hint}
          </p>
        )
      )}
    </div>
  );
}

/** Two fields beside each other where there is room. */
export function FieldRow({ children }: { children: ReactNode }) {
  return <div className="grid gap-4 sm:grid-cols-2">{children}</div>;
}

/** Fields that most people leave as they are. */
export function MoreFields({ children }: { children: ReactNode }) {
  return (
    <details className="group">
      <summary className="flex h-8 w-fit cursor-pointer items-center gap-1 rounded text-sm font-medium text-soft hover:text-ink">
        <ChevronDown className="size-4 -rotate-90 transition-transform group-open:rotate-0" aria-hidden /> More
      </summary>
      <div className="mt-2 grid gap-4">{children}</div>
    </details>
  );
}

type TextProps = FieldProps & Omit<InputHTMLAttributes<HTMLInputElement>, "id"> & { code?: boolean };

export function TextField({ label, hint, error, code = false, className: extra = "", ...input }: TextProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {({ className, ...wiring }) => (
        <input
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          className={`${className} ${code ? "font-mono" : ""} ${extra}`}
          {...wiring}
          {...input}
        />
      )}
    </Field>
  );
}

type SelectProps = FieldProps & Omit<SelectHTMLAttributes<HTMLSelectElement>, "id">;

export function SelectField({ label, hint, error, children, ...select }: SelectProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(wiring) => (
        <select {...wiring} {...select}>
          {children}
        </select>
      )}
    </Field>
  );
}

interface CheckProps {
  label: string;
  hint?: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

export function CheckField({ label, hint, checked, onChange }: CheckProps) {
  const id = useId();
  return (
    <div className="flex gap-2">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
        className="mt-0.5 size-4 pointer-coarse:size-6 shrink-0 accent-accent"
        {...(hint === undefined ? {} : { "aria-describedby": `${id}-note` })}
      />
      <div>
        <label htmlFor={id} className="block text-sm font-medium">
          {label}
        </label>
        {hint !== undefined && (
          <p id={`${id}-note`} className="text-xs text-faint">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}
