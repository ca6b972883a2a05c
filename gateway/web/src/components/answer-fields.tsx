import { CircleAlert } from "lucide-react";
import { useEffect, useId, useState, type KeyboardEvent } from "react";
import { answerMistake, answerOf } from "./answer";
import { Button } from "./button";

/** What was typed, kept for this tab until it is sent. */
export function useDraft(key: string): [string, (text: string) => void] {
  const [text, setText] = useState(() => sessionStorage.getItem(key) ?? "");
  const keep = (next: string): void => {
    setText(next);
    if (next === "") sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, next);
  };
  return [text, keep];
}

interface Props {
  /** Under which name what is typed is kept. */
  draft: string;
  choices: string[];
  /** Whether one's own words are a comment beside a choice, and reject without one. */
  decides?: boolean;
  sending: boolean;
  /** It has arrived: what was typed need not be kept. */
  sent: boolean;
  /** Why it was not taken. */
  trouble: string[];
  onSend: (text: string) => void;
}

/** The form that answers a question: choices, one's own words, or both to choose from. */
export function AnswerFields({ draft, choices, decides = false, sending, sent, trouble, onSend }: Props) {
  const id = useId();
  const [chosen, setChosen] = useState<string>();
  const [own, setOwn] = useDraft(draft);
  const [tried, setTried] = useState(false);
  const text = answerOf(chosen, own, decides);
  const mistake = answerMistake(text);
  useEffect(() => {
    if (sent) sessionStorage.removeItem(draft);
  }, [sent, draft]);

  const submit = (): void => {
    setTried(true);
    if (mistake === undefined && !sending) onSend(text);
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
  };
  const ownLabel = decides ? "Comment; without a choice it rejects, and says what is to change" : "Or in your own words";
  const wrong = tried && mistake !== undefined ? [mistake] : trouble;
  return (
    <form
      noValidate
      className="grid gap-3"
      onKeyDown={onKey}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {choices.length > 0 && <Choices name={id} choices={choices} chosen={chosen} onChoose={setChosen} />}
      <div>
        <label htmlFor={`${id}-own`} className="mb-1 block text-sm font-medium">
          {choices.length > 0 ? ownLabel : "Your answer"}
        </label>
        <textarea
          id={`${id}-own`}
          rows={choices.length > 0 ? 2 : 3}
          value={own}
          aria-invalid={wrong.length > 0}
          aria-describedby={wrong.length > 0 ? `${id}-trouble` : undefined}
          onChange={(event) => {
            if (!decides) setChosen(undefined);
            setOwn(event.target.value);
          }}
          className={`block w-full resize-y rounded-md border bg-surface px-2.5 py-1.5 text-sm text-ink focus-visible:outline-offset-0 pointer-coarse:text-[1rem] ${wrong.length > 0 ? "border-bad" : "border-edge"}`}
        />
      </div>
      {wrong.length > 0 && (
        <div id={`${id}-trouble`} role="alert" className="grid gap-1 text-sm text-bad">
          {wrong.map((words) => (
            <p key={words} className="flex gap-1.5">
              <CircleAlert className="mt-0.5 size-4 shrink-0" aria-hidden />
              <span className="min-w-0 break-words">{words}</span>
            </p>
          ))}
        </div>
      )}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Button type="submit" look="primary" disabled={sending}>
          {sending ? "Sending…" : "Send answer"}
        </Button>
        <span className="text-xs text-faint">An answer cannot be changed.</span>
      </div>
    </form>
  );
}

interface ChoicesProps {
  name: string;
  choices: string[];
  chosen: string | undefined;
  onChoose: (choice: string) => void;
}

function Choices({ name, choices, chosen, onChoose }: ChoicesProps) {
  return (
    <fieldset className="flex flex-wrap gap-2">
      <legend className="sr-only">Choices</legend>
      {choices.map((choice) => (
        <label
          key={choice}
          className="flex min-h-8 max-w-full cursor-pointer items-center gap-2 rounded-md border border-edge px-3 py-1 text-sm hover:bg-hover has-checked:border-accent-text has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-text pointer-coarse:min-h-11"
        >
          <input type="radio" name={name} value={choice} checked={choice === chosen} onChange={() => onChoose(choice)} className="size-4 shrink-0 accent-accent outline-none" />
          <span className="min-w-0 break-words first-letter:uppercase">{choice}</span>
        </label>
      ))}
    </fieldset>
  );
}
