interface Choice {
  value: string;
  label: string;
  hint: string;
}

interface Props {
  /** What is chosen. */
  label: string;
  name: string;
  choices: readonly Choice[];
  value: string;
  error: string | undefined;
  /** How they stand beside each other where there is room. */
  columns: string;
  onChange: (value: string) => void;
}

/** One of a few things that want a word of explanation. */
export function ChoiceCards({ label, name, choices, value, error, columns, onChange }: Props) {
  return (
    <fieldset>
      <legend className="mb-1 text-sm font-medium">{label}</legend>
      <div className={`grid gap-2 ${columns}`}>
        {choices.map((choice) => (
          <label
            key={choice.value}
            className="relative cursor-pointer rounded-md border border-edge px-2.5 py-1.5 transition-colors has-checked:border-accent-text has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-text"
          >
            <input type="radio" name={name} value={choice.value} checked={value === choice.value} onChange={() => onChange(choice.value)} className="sr-only" />
            <span className="block text-sm font-medium">{choice.label}</span>
            <span className="numbers block text-xs text-soft">{choice.hint}</span>
          </label>
        ))}
      </div>
      {error !== undefined && (
        <p role="alert" className="mt-1 text-xs text-bad">
          {error}
        </p>
      )}
    </fieldset>
  );
}
