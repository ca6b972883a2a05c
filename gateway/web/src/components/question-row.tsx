import { CircleQuestionMark } from "lucide-react";
import { absolute, clock } from "../session/time";
import { Marked } from "./marked";
import { TimelineRow } from "./timeline-row";

interface Props {
  text: string;
  options: string[];
  answer: { text: string; by: string | undefined; time: string } | undefined;
  needle: string;
  seq: number;
  time: string;
}

/** What was asked and, when it is known, what was answered. */
export function QuestionRow({ text, options, answer, needle, seq, time }: Props) {
  return (
    <TimelineRow seq={seq} time={time} icon={CircleQuestionMark} tone="text-accent-text" word="Question">
      <div className="rounded-lg border border-accent-text/40 px-3 py-2">
        <p className="font-medium break-words whitespace-pre-wrap">
          <Marked text={text} needle={needle} />
        </p>
        {options.length > 0 && (
          <ul className="mt-1 list-disc pl-5 text-soft">
            {options.map((option) => (
              <li key={option} className="break-words">
                <Marked text={option} needle={needle} />
              </li>
            ))}
          </ul>
        )}
        {answer !== undefined && (
          <p className="mt-1.5 border-t border-line pt-1.5 break-words whitespace-pre-wrap">
            <span className="text-soft">
              <Marked text={answer.by ?? "Somebody"} needle={needle} /> answered at{" "}
              <time dateTime={answer.time} title={absolute(answer.time)}>
                {clock(answer.time)}
              </time>
              :{" "}
            </span>
            <Marked text={answer.text} needle={needle} />
          </p>
        )}
      </div>
    </TimelineRow>
  );
}
