import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { markdown } from "@codemirror/lang-markdown";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";

interface Props {
  label: string;
  value: string;
  /** Without it the text can only be read. */
  onChange?: (value: string) => void;
  invalid?: boolean;
  className?: string;
}

/** Colours are the page's roles, so that a change of theme needs no word to the editor. */
const LOOK = EditorView.theme({
  "&": { fontSize: "0.8125rem", color: "var(--ink)", height: "100%" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.25rem", overflow: "auto" },
  ".cm-content": { padding: "0.625rem 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 0.75rem" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
});

const HIGHLIGHT = HighlightStyle.define([
  { tag: tags.heading, fontWeight: "600", color: "var(--accent-text)" },
  { tag: tags.strong, fontWeight: "600" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: [tags.monospace, tags.link, tags.url], color: "var(--good)" },
  { tag: [tags.processingInstruction, tags.meta, tags.labelName], color: "var(--faint)" },
]);

function extensions(label: string, changed: ((value: string) => void) | undefined): Extension[] {
  const writable = changed !== undefined;
  return [
    LOOK,
    syntaxHighlighting(HIGHLIGHT),
    // No Tab: it leads out of the editor, as everywhere on the page.
    markdown({ addKeymap: writable, completeHTMLTags: false }),
    EditorView.lineWrapping,
    // Focusable even when it can only be read: the keyboard scrolls it.
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0", ...(writable ? {} : { "aria-readonly": "true" }) }),
    EditorState.readOnly.of(!writable),
    EditorView.editable.of(writable),
    ...(writable ? [history(), keymap.of([...defaultKeymap, ...historyKeymap])] : []),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) changed?.(update.state.doc.toString());
    }),
  ];
}

/** Markdown to write or to read. It is never rendered as HTML: what a plan holds is its author's. */
export default function Editor({ label, value, onChange, invalid = false, className = "" }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const changed = useRef(onChange);
  const initial = useRef(value);
  const writable = onChange !== undefined;
  useEffect(() => {
    changed.current = onChange;
  }, [onChange]);

  useEffect(() => {
    if (place.current === null) return;
    const state = EditorState.create({ doc: initial.current, extensions: extensions(label, writable ? (text) => changed.current?.(text) : undefined) });
    const editor = new EditorView({ state, parent: place.current });
    view.current = editor;
    return () => {
      initial.current = editor.state.doc.toString();
      editor.destroy();
    };
  }, [label, writable]);

  // What comes from elsewhere (a dropped file, another run) takes the place of what is there.
  useEffect(() => {
    const editor = view.current;
    if (editor === undefined || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  return (
    <div
      ref={place}
      data-invalid={invalid}
      className={`overflow-hidden rounded-md border bg-surface focus-within:outline-2 focus-within:outline-accent-text ${invalid ? "border-bad" : "border-edge"} ${className}`}
    />
  );
}
