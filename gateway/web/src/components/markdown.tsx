import type { SyntaxNode, Tree } from "@lezer/common";
import { GFM, parser } from "@lezer/markdown";
import { Fragment, memo, type ReactNode } from "react";
import { CodeBlock } from "./code";
import { Marked } from "./marked";

const PARSER = parser.configure(GFM);

/** What is nested deeper is shown as it is written: nobody writes so, but who wants a page to fall over. */
const DEEPEST = 40;

interface Said {
  text: string;
  /** What was looked for. */
  needle: string;
}

interface Source extends Said {
  /** How deep in the tree we are. */
  depth: number;
}

/**
 * Markdown of somebody who is not trusted. It becomes elements of ours and never HTML: a tag in it is shown as it is
 * written, an image is a link, and a link leads to the web or nowhere.
 */
export const Markdown = memo(function Markdown(said: Said) {
  const tree = parsed(said.text);
  return <div className="grid min-w-0 grid-cols-[minmax(0,1fr)] gap-2 break-words">{tree === undefined ? <Plain {...said} /> : blocks(tree.topNode, { ...said, depth: 0 })}</div>;
});

/** None of a text that is nested so deep that the parser has no stack for it. */
function parsed(text: string): Tree | undefined {
  try {
    return PARSER.parse(text);
  } catch {
    return undefined;
  }
}

function Plain({ text, needle }: Said) {
  return (
    <p className="whitespace-pre-wrap">
      <Marked text={text} needle={needle} />
    </p>
  );
}

function children(node: SyntaxNode): SyntaxNode[] {
  const all: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) all.push(child);
  return all;
}

function written(node: SyntaxNode, { text }: Source): string {
  return text.slice(node.from, node.to);
}

function blocks(node: SyntaxNode, outer: Source): ReactNode[] {
  const source = { ...outer, depth: outer.depth + 1 };
  if (source.depth > DEEPEST) return [<Plain key={node.from} text={written(node, source)} needle={source.needle} />];
  return children(node).map((child) => <Fragment key={child.from}>{block(child, source)}</Fragment>);
}

function block(node: SyntaxNode, source: Source): ReactNode {
  switch (node.name) {
    case "Paragraph":
      return <p>{inline(node, source)}</p>;
    case "FencedCode":
    case "CodeBlock":
      return <CodeBlock label="Code" text={parts(node, "CodeText", source)} needle={source.needle} />;
    case "BulletList":
      return <ul className="grid list-disc gap-1 pl-5">{blocks(node, source)}</ul>;
    case "OrderedList":
      return (
        <ol start={Number.parseInt(written(node, source), 10)} className="grid list-decimal gap-1 pl-6">
          {blocks(node, source)}
        </ol>
      );
    case "ListItem":
      return <li className="[&>*+*]:mt-1">{blocks(node, source)}</li>;
    case "Task":
      return <p>{inline(node, source)}</p>;
    case "Blockquote":
      return <blockquote className="grid gap-2 border-l-2 border-edge pl-3 text-soft">{blocks(node, source)}</blockquote>;
    case "HorizontalRule":
      return <hr className="border-line" />;
    case "Table":
      return <Table node={node} source={source} />;
    case "ListMark":
    case "QuoteMark":
      return null;
    default:
      // Headings within a message are no headings of the page.
      if (/Heading\d$/.test(node.name)) return <p className="mt-1 font-semibold">{inline(node, source)}</p>;
      return <Plain text={written(node, source)} needle={source.needle} />;
  }
}

function Table({ node, source }: { node: SyntaxNode; source: Source }) {
  const rows = children(node).filter(({ name }) => name === "TableHeader" || name === "TableRow");
  return (
    <div role="region" aria-label="Table" tabIndex={0} className="overflow-x-auto">
      <table className="border-collapse text-left">
        <tbody>
          {rows.map((row) => {
            const Cell = row.name === "TableHeader" ? "th" : "td";
            return (
              <tr key={row.from} className="border-b border-line">
                {children(row)
                  .filter(({ name }) => name === "TableCell")
                  .map((cell) => (
                    <Cell key={cell.from} className="py-1 pr-4 align-top">
                      {inline(cell, source)}
                    </Cell>
                  ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** The text between the marks, and what is marked. */
function inline(node: SyntaxNode, outer: Source, from = node.from, to = node.to): ReactNode[] {
  const source = { ...outer, depth: outer.depth + 1 };
  const found: ReactNode[] = [];
  const plain = (begin: number, end: number): void => {
    if (end > begin) found.push(<Marked key={begin} text={source.text.slice(begin, end)} needle={source.needle} />);
  };
  let at = from;
  for (const child of source.depth > DEEPEST ? [] : children(node)) {
    if (child.from < from || child.to > to) continue;
    plain(at, child.from);
    found.push(<Fragment key={child.from}>{span(child, source)}</Fragment>);
    at = child.to;
  }
  plain(at, to);
  return found;
}

function span(node: SyntaxNode, source: Source): ReactNode {
  switch (node.name) {
    case "Emphasis":
      return <em>{inline(node, source)}</em>;
    case "StrongEmphasis":
      return <strong className="font-semibold">{inline(node, source)}</strong>;
    case "Strikethrough":
      return <del>{inline(node, source)}</del>;
    case "InlineCode":
      return <code className="rounded-sm bg-hover px-1 font-mono text-[0.92em] wrap-anywhere">{inline(node, source)}</code>;
    case "Link":
    case "Image":
      return <Link node={node} source={source} />;
    case "URL":
    case "Autolink":
      return <Anchor url={written(node, source).replace(/^<|>$/g, "")}>{written(node, source)}</Anchor>;
    case "HardBreak":
      return <br />;
    case "Escape":
      return written(node, source).slice(1);
    case "TaskMarker":
      return <span className="font-mono text-xs">{written(node, source)} </span>;
    case "EmphasisMark":
    case "StrikethroughMark":
    case "CodeMark":
    case "HeaderMark":
    case "QuoteMark":
      return null;
    default:
      return written(node, source);
  }
}

function Link({ node, source }: { node: SyntaxNode; source: Source }) {
  const [open, close] = node.getChildren("LinkMark");
  const url = node.getChild("URL");
  if (open === undefined || close === undefined || url === null) return written(node, source);
  const label = inline(node, source, open.to, close.from);
  return <Anchor url={written(url, source)}>{label.length === 0 ? written(url, source) : label}</Anchor>;
}

function Anchor({ url, children: label }: { url: string; children: ReactNode }) {
  const address = url.startsWith("www.") ? `https://${url}` : url;
  if (!/^https?:\/\//i.test(address)) return label;
  return (
    <a href={address} title={address} target="_blank" rel="noreferrer" className="text-accent-text underline underline-offset-2 wrap-anywhere">
      {label}
    </a>
  );
}

function parts(node: SyntaxNode, name: string, source: Source): string {
  return node
    .getChildren(name)
    .map((each) => written(each, source))
    .join("");
}
