import { CircleQuestionMark, LoaderCircle } from "lucide-react";
import { useId } from "react";
import type { Session } from "../api/types";
import type { Asked } from "../chat/entries";
import type { ChatHandle } from "../chat/use-chat";
import { isDecision } from "../components/answer";
import { AnswerFields } from "../components/answer-fields";
import { Time } from "../components/time";
import { choicesOf, KIND_WORDS, type QuestionKind } from "../run/question";

interface Props {
  session: Session;
  handle: ChatHandle;
  /** The oldest first; not empty. */
  questions: readonly Asked[];
}

/** What the agent waits for, in view until it is answered. */
export function ChatQuestion({ session, handle: { chat, status, connection }, questions }: Props) {
  const heading = useId();
  const asked = questions[0];
  if (asked === undefined) return null;
  const { questionId, text, options, time } = asked;
  const kind = kindOf(asked.kind);
  const answering = status.answers.find((each) => each.questionId === questionId);
  const sending = answering !== undefined && answering.refused === undefined;
  const others = questions.length - 1;
  return (
    <section aria-labelledby={heading} data-question={questionId} className="mx-3 mb-2 grid max-h-[55%] shrink-0 gap-3 overflow-y-auto rounded-xl border-2 border-accent bg-surface px-4 py-3">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 id={heading} className="inline-flex items-center gap-1.5 text-sm font-semibold text-accent-text">
          <CircleQuestionMark className="size-4 shrink-0" aria-hidden />
          {KIND_WORDS[kind]}
        </h2>
        <span className="text-xs text-faint">
          asked <Time at={time} />, waits until somebody answers
        </span>
        {others > 0 && <span className="text-xs text-busy">{others === 1 ? "1 more question waits" : `${others} more questions wait`}</span>}
      </header>
      <p className="text-base font-medium break-words whitespace-pre-wrap">{text}</p>
      {!chat.mayAnswer ? (
        <p className="text-sm text-soft">You may not answer: it needs the right to create sessions/answers in {session.namespace}.</p>
      ) : sending && status.link !== "live" ? (
        <p role="status" className="flex items-start gap-2 text-sm">
          <LoaderCircle className="mt-0.5 size-4 shrink-0 animate-spin text-busy" aria-hidden />
          <span className="min-w-0 break-words">Your answer “{answering.text}” is sent when the connection is back.</span>
        </p>
      ) : (
        <AnswerFields
          key={questionId}
          draft={`answer ${session.uid} ${questionId}`}
          choices={choicesOf({ kind, options })}
          decides={isDecision(options)}
          sending={sending}
          sent={sending}
          trouble={answering?.refused === undefined ? [] : [answering.refused]}
          onSend={(answer) => connection?.answer(questionId, answer)}
        />
      )}
    </section>
  );
}

/** The wire begins its words with a small letter. */
function kindOf(told: string): QuestionKind {
  const kinds = Object.keys(KIND_WORDS) as QuestionKind[];
  return kinds.find((kind) => kind.toLowerCase() === told.toLowerCase()) ?? "Clarification";
}
