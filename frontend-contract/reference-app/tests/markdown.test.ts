import { isValidElement, type ComponentChildren, type VNode } from 'preact';
import { beforeAll, describe, expect, test, vi } from 'vitest';

const source = { n: 1, book_id: 7, chapter: 2, passage_id: 'ab12', title: 'Living Things', quote: 'Cells …' };
let Markdown: typeof import('../src/tutor/markdown.tsx').Markdown;

beforeAll(async () => {
  vi.stubGlobal('navigator', { languages: ['en'] });
  vi.stubGlobal('document', { documentElement: {} });
  ({ Markdown } = await import('../src/tutor/markdown.tsx'));
});

/** The elements as text; what is text shows up quoted, so that text cannot pass for an element. */
function show(node: ComponentChildren): string {
  if (Array.isArray(node)) return node.map(show).join('');
  if (!isValidElement(node)) return typeof node === 'string' ? `'${node}'` : '';
  const { type, props } = node as VNode<{ children?: ComponentChildren; href?: string }>;
  if (typeof type === 'function') return show((type as (p: object) => ComponentChildren)(props));
  const href = props.href ? ` ${props.href}` : '';
  return `<${type}${href}>${show(props.children)}</${type}>`;
}

const render = (text: string) => show(Markdown({ text, sources: [source] }));

describe('an answer', () => {
  test('links a citation to its passage', () => {
    expect(render('So it is [1].')).toContain('<a /books/7/read/2#pab12>');
  });

  test('leaves a citation without a source as plain text', () => {
    expect(render('So it is [9].')).toBe("<p>'So it is ''[9]''.'</p>");
  });

  test('never turns markup of the model into elements', () => {
    const elements = render('<img src=x onerror=alert(1)> and <script>alert(1)</script>').replaceAll(/'[^']*'/g, '');
    expect(elements).toBe('<p></p>');
  });

  test('leads nowhere but into the library', () => {
    expect(render('[a](https://evil.example) [b](javascript:alert(1)) [c](/books/3)')).toBe(
      "<p>'a'' ''b'' '<a /books/3>'c'</a></p>",
    );
  });

  test('shows lists, code and emphasis', () => {
    const text = render('- **one**\n- `two`\n\n```\nx < y\n```');
    for (const part of ["<strong>'one'</strong>", "<code>'two'</code>", "'x < y'"]) expect(text).toContain(part);
  });
});
