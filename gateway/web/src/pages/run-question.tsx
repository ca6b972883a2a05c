import { CircleAlert, CircleQuestionMark, LoaderCircle } from "lucide-react";
import { useMutation } from "@tanstack/react-query";
import { useId, useState, type KeyboardEvent } from "react";
import { api, ApiError } from "../api/client";
import { useTakeRun } from "../api/runs";
import type { Question, Run } from "../api/types";
import { Button } from "../components/button";
import { Time } from "../components/time";
import { answerMistake, choicesOf, KIND_WORDS, whenNobodyAnswers, whereItWaits, type Asked } from "../run/question";

/** The question that work stands still for: what is asked, until when, and the form that answers it. */
export function QuestionCard({ run, asked: { question, answer } }: { run: Run; asked: Asked }) {
  const heading = useId();
  return (
    <section aria-labelledby={heading} data-question={question.id} className="grid gap-3 rounded-xl border-2 border-accent bg-surface px-4 py-3 sm:px-5 sm:py-4">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 id={heading} className="inline-flex items-center gap-1.5 text-sm font-semibold text-accent-text">
          <CircleQuestionMark className="size-4 shrink-0" aria-hidden />
          {KIND_WORDS[question.kind]}
        </h2>
        <span className="text-xs text-faint">
          asked <Time at={question.askedAt} />
        </span>
      </header>
      <p className="text-base font-medium break-words whitespace-pre-wrap">{question.question}</p>
      {answer === undefined ? (
        <>
          <AnswerForm key={question.id} run={run} question={question} />
          <p className="text-xs text-faint">
            Due <Time at={question.dueAt} />, {whenNobodyAnswers(run)}. {whereItWaits(run)}
          </p>
        </>
      ) : (
        <p role="status" className="flex items-start gap-2 text-sm">
          <LoaderCircle className="mt-0.5 size-4 shrink-0 animate-spin text-busy" aria-hidden />
          <span className="min-w-0 break-words whitespace-pre-wrap">
            {answer.answeredBy === undefined ? "Answered" : `${answer.answeredBy} answered`}: “{answer.text}” The agent gets it as soon as it runs again.
          </span>
        </p>
      )}
    </section>
  );
}

/** What was typed, kept for this tab until it is sent. */
function useDraft(key: string): [string, (text: string) => void] {
  const [text, setText] = useState(() => sessionStorage.getItem(key) ?? "");
  const keep = (next: string): void => {
    setText(next);
    if (next === "") sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, next);
  };
  return [text, keep];
}

/** The API says so in two ways: 403 to who may see the run, 404 to who may not know whether it takes answers. */
const FORBIDDEN: readonly number[] = [403, 404];

function AnswerForm({ run, question }: { run: Run; question: Question }) {
  const id = useId();
  const take = useTakeRun();
  const choices = choicesOf(question);
  const [chosen, setChosen] = useState<string>();
  const [own, setOwn] = useDraft(`answer ${run.uid} ${question.id}`);
  const [tried, setTried] = useState(false);
  const text = chosen ?? own;
  const mistake = answerMistake(text);
  const send = useMutation({
    mutationFn: () => api.answerRun(run, { id: question.id, text }),
    onSuccess: (changed) => {
      setOwn("");
      take(changed);
    },
  });

  if (send.error instanceof ApiError && FORBIDDEN.includes(send.error.status)) return <Forbidden error={send.error} />;

  const submit = (): void => {
    setTried(true);
    if (mistake === undefined && !send.isPending) send.mutate();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
  };
  const trouble = tried && mistake !== undefined ? [mistake] : wordsOf(send.error);
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
          {choices.length > 0 ? "Or in your own words" : "Your answer"}
        </label>
        <textarea
          id={`${id}-own`}
          rows={choices.length > 0 ? 2 : 3}
          value={own}
          aria-invalid={trouble.length > 0}
          aria-describedby={trouble.length > 0 ? `${id}-trouble` : undefined}
          onChange={(event) => {
            setChosen(undefined);
            setOwn(event.target.value);
          }}
          className={`block w-full resize-y rounded-md border bg-surface px-2.5 py-1.5 text-sm text-ink focus-visible:outline-offset-0 pointer-coarse:text-[1rem] ${trouble.length > 0 ? "border-bad" : "border-edge"}`}
        />
      </div>
      {trouble.length > 0 && (
        <div id={`${id}-trouble`} role="alert" className="grid gap-1 text-sm text-bad">
          {trouble.map((words) => (
            <p key={words} className="flex gap-1.5">
              <CircleAlert className="mt-0.5 size-4 shrink-0" aria-hidden />
              <span className="min-w-0 break-words">{words}</span>
            </p>
          ))}
        </div>
      )}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Button type="submit" look="primary" disabled={send.isPending}>
          {send.isPending ? "Sending…" : "Send answer"}
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
          <span className="min-w-0 break-words">{choice}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Forbidden({ error }: { error: ApiError }) {
  return (
    <p role="alert" className="flex gap-1.5 text-sm text-bad">
      <CircleAlert className="mt-0.5 size-4 shrink-0" aria-hidden />
      <span className="min-w-0 break-words">You may not answer this run’s questions. The API says: {error.message}</span>
    </p>
  );
}

/** The API's own words, those about fields before the sentence that sums them up. */
function wordsOf(error: Error | null): string[] {
  if (error === null) return [];
  const fields = error instanceof ApiError ? error.fields.map(({ message }) => message) : [];
  return fields.length > 0 ? fields : [error.message];
}
