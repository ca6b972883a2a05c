import { CircleAlert, CircleQuestionMark, LoaderCircle } from "lucide-react";
import { useMutation } from "@tanstack/react-query";
import { useId } from "react";
import { api, ApiError } from "../api/client";
import { useTakeRun } from "../api/runs";
import type { Question, Run } from "../api/types";
import { AnswerFields } from "../components/answer-fields";
import { Due, Time } from "../components/time";
import { choicesOf, KIND_WORDS, whenNobodyAnswers, whereItWaits, type Asked } from "../run/question";

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
            Answer by <Due at={question.dueAt} />, {whenNobodyAnswers(run)}. {whereItWaits(run)}
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

/** The API says so in two ways: 403 to who may see the run, 404 to who may not know whether it takes answers. */
const FORBIDDEN: readonly number[] = [403, 404];

function AnswerForm({ run, question }: { run: Run; question: Question }) {
  const take = useTakeRun();
  const send = useMutation({ mutationFn: (text: string) => api.answerRun(run, { id: question.id, text }), onSuccess: take });
  if (send.error instanceof ApiError && FORBIDDEN.includes(send.error.status)) return <Forbidden error={send.error} />;
  return <AnswerFields draft={`answer ${run.uid} ${question.id}`} choices={choicesOf(question)} sending={send.isPending} sent={send.isSuccess} trouble={wordsOf(send.error)} onSend={send.mutate} />;
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
