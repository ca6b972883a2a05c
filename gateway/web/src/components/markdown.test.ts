import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { Markdown } from "./markdown";

/** What is drawn, without our own looks. */
function drawn(text: string, needle = ""): string {
  return renderToStaticMarkup(createElement(Markdown, { text, needle }))
    .replace(/ (class|tabindex|aria-\w+|role|type|title)="[^"]*"/g, "")
    .replace(/^<div>|<\/div>$/g, "");
}

describe("markdown", () => {
  it.each([
    ["**bold** _soft_ ~~gone~~ `a<b`", "<p><strong>bold</strong> <em>soft</em> <del>gone</del> <code>a&lt;b</code></p>"],
    ["# Head\n\ntext\nmore", "<p> Head</p><p>text\nmore</p>"],
    ["- a\n- b\n  - c", "<ul><li><p>a</p></li><li><p>b</p><ul><li><p>c</p></li></ul></li></ul>"],
    ["3. a\n4. b", '<ol start="3"><li><p>a</p></li><li><p>b</p></li></ol>'],
    ["> said\n> so", "<blockquote><p>said\n so</p></blockquote>"],
    ["| a | b |\n|---|---|\n| 1 | 2 |", "<div><table><tbody><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></tbody></table></div>"],
    ["\\*plain\\*", "<p>*plain*</p>"],
    ["[see](https://a.example/b)", '<p><a href="https://a.example/b" target="_blank" rel="noreferrer">see</a></p>'],
    ["https://a.example", '<p><a href="https://a.example" target="_blank" rel="noreferrer">https://a.example</a></p>'],
    ["![pic](https://a.example/p.png)", '<p><a href="https://a.example/p.png" target="_blank" rel="noreferrer">pic</a></p>'],
  ])("draws %j", (text, html) => expect(drawn(text)).toBe(html));

  it.each(["[x](javascript:alert(1))", "<javascript:alert(1)>", "[x](data:text/html,y)", "![x](//evil.example/a)", "<img src=x onerror=alert(1)>", "a <script>alert(1)</script> b", "<style>*{}</style>", '[x](https://a.example" onclick="alert(1))'])(
    "makes neither tags nor addresses of %j",
    (text) => {
      const html = drawn(text);
      expect(html).not.toMatch(/<(?!\/?(p|a|em|code)[ >])/);
      expect(html).not.toMatch(/<a [^>]*(javascript|data|onclick|="\/\/)/);
    },
  );

  it("keeps code as it is, in lists too", () => {
    const code = /<pre>([^]*?)<\/pre>/;
    expect(code.exec(drawn("```ts\nconst a = 1;\n\n  b();\n```"))?.[1]).toBe("const a = 1;\n\n  b();");
    expect(code.exec(drawn("- do\n  ```\n  x\n    y\n  ```"))?.[1]).toBe("x\n  y");
    expect(code.exec(drawn("```\nstill being wri"))?.[1]).toBe("still being wri");
  });

  it.each([">".repeat(5_000), "- ".repeat(5_000), "*a ".repeat(3_000) + "b*".repeat(3_000), "*a **b ".repeat(3_000) + "** c*".repeat(3_000)])(
    "shows what is nested without an end, as it is written from some depth on",
    (text) => {
      const html = drawn(`${text} end`);
      expect(html).toContain("end");
      expect(html.match(/<(blockquote|ul|em|strong)>/g)?.length ?? 0).toBeLessThan(100);
    },
  );

  it("marks what was looked for", () => expect(drawn("a **Needle**", "needle")).toBe("<p>a <strong><mark>Needle</mark></strong></p>"));
});
