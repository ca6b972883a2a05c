import { Circle, CircleCheck, LoaderCircle, type LucideIcon } from "lucide-react";

interface Todo {
  text: string;
  status: "Pending" | "InProgress" | "Completed";
}

const TODO_MARKS: Record<Todo["status"], { icon: LucideIcon; tone: string; word: string }> = {
  Pending: { icon: Circle, tone: "text-faint", word: "To do" },
  InProgress: { icon: LoaderCircle, tone: "text-busy", word: "In progress" },
  Completed: { icon: CircleCheck, tone: "text-good", word: "Done" },
};

/** The list that an agent keeps of what there is to do. */
export function TodoList({ todos }: { todos: readonly Todo[] }) {
  return (
    <ul aria-label="Things to do" className="grid gap-1.5 text-sm">
      {todos.map(({ text, status }, at) => {
        const { icon: Icon, tone, word } = TODO_MARKS[status];
        return (
          <li key={at} className="flex items-start gap-2">
            <Icon className={`mt-0.5 size-4 shrink-0 ${tone}`} aria-hidden />
            <span className="sr-only">{word}:</span>
            <span className="min-w-0 break-words">{text}</span>
          </li>
        );
      })}
    </ul>
  );
}
