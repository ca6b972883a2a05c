import type { SyntaxNode } from "@lezer/common";
import { GFM, parser } from "@lezer/markdown";
import { Fragment, memo, type ReactNode } from "react";
import { CodeBlock } from "./code";
import { Marked } from "./marked";

const PARSER = parser.configure(GFM);

interface Source {
  text: string;
  /** What was looked for. */
  needle: string;
}

/**
 * Markdown of somebody who is not trusted. It becomes elements of ours and never HTML: a tag in it is shown as it is
 * written, an image is a link, and a link leads to the web or nowhere.
 */
export const Markdown = memo(function Markdown(source: Source) {
  return <div className="grid min-w-0 grid-cols-[minmax(0,1fr)] gap-2 break-words">{blocks(PARSER.parse(source.text).topNode, source)}</div>;
});

function children(node: SyntaxNode): SyntaxNode[] {
  const all: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) all.push(child);
  return all;
}

function written(node: SyntaxNode, { text }: Source): string {
  return text.slice(node.from, node.to);
}

function blocks(node: SyntaxNode, source: Source): ReactNode[] {
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
      return (
        <p className="whitespace-pre-wrap">
          <Marked text={written(node, source)} needle={source.needle} />
        </p>
      );
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
function inline(node: SyntaxNode, source: Source, from = node.from, to = node.to): ReactNode[] {
  const found: ReactNode[] = [];
  const plain = (begin: number, end: number): void => {
    if (end > begin) found.push(<Marked key={begin} text={source.text.slice(begin, end)} needle={source.needle} />);
  };
  let at = from;
  for (const child of children(node)) {
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
