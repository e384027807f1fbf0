/**
 * An answer's Markdown as elements, never as HTML text: whatever the model writes cannot become markup.
 * `[1]` becomes a link to the cited passage when such a source exists.
 */

import type { Source } from '@sicerdas/client';
import { Lexer, Marked, type Token, type Tokens } from 'marked';
import type { ComponentChildren, VNode } from 'preact';
import { t } from '../lib/i18n.ts';
import { passageUrl } from '../lib/text.ts';
import { CITATION } from './citations.ts';

interface CiteToken extends Tokens.Generic {
  type: 'cite';
  numbers: number[];
}

const marked = new Marked({
  gfm: true,
  breaks: true,
  extensions: [
    {
      name: 'cite',
      level: 'inline',
      start: (text: string) => text.search(/\[\d/),
      tokenizer(text: string): CiteToken | undefined {
        const match = CITATION.exec(text);
        if (!match?.[1]) return undefined;
        return { type: 'cite', raw: match[0], numbers: match[1].split(',').map(Number) };
      },
    },
  ],
});

export function parse(text: string): Token[] {
  return new Lexer(marked.defaults).lex(text);
}

export function Markdown({ text, sources }: { text: string; sources: readonly Source[] }) {
  const known = new Map(sources.map((source) => [source.n, source]));
  return <>{parse(text).map((token, i) => block(token, known, i))}</>;
}

type Known = ReadonlyMap<number, Source>;

function block(token: Token, known: Known, key: number): ComponentChildren {
  switch (token.type) {
    case 'space':
    case 'def':
      return null;
    case 'heading':
      return <h4 key={key}>{inline(token.tokens, known)}</h4>;
    case 'paragraph':
      return <p key={key}>{inline(token.tokens, known)}</p>;
    case 'list':
      return list(token as Tokens.List, known, key);
    case 'code':
      return (
        <pre key={key} tabIndex={0}>
          <code>{token['text']}</code>
        </pre>
      );
    case 'blockquote':
      return <blockquote key={key}>{token.tokens?.map((child, i) => block(child, known, i))}</blockquote>;
    case 'table':
      return table(token as Tokens.Table, known, key);
    case 'hr':
      return <hr key={key} />;
    case 'text':
      return <span key={key}>{token.tokens ? inline(token.tokens, known) : token.raw}</span>;
    default:
      return <p key={key}>{token.raw}</p>;
  }
}

function list(token: Tokens.List, known: Known, key: number): VNode {
  const items = token.items.map((item, i) => (
    <li key={i}>{item.tokens.map((child, j) => block(child, known, j))}</li>
  ));
  if (!token.ordered) return <ul key={key}>{items}</ul>;
  return (
    <ol key={key} start={token.start || 1}>
      {items}
    </ol>
  );
}

function table(token: Tokens.Table, known: Known, key: number): VNode {
  return (
    <div key={key} class="table-scroll" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {token.header.map((cell, i) => (
              <th key={i}>{inline(cell.tokens, known)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {token.rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, j) => (
                <td key={j}>{inline(cell.tokens, known)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inline(tokens: Token[] | undefined, known: Known): ComponentChildren {
  return tokens?.map((token, i) => span(token, known, i));
}

function span(token: Token, known: Known, key: number): ComponentChildren {
  switch (token.type) {
    case 'cite':
      return <Cites key={key} numbers={(token as CiteToken).numbers} raw={token.raw} known={known} />;
    case 'strong':
      return <strong key={key}>{inline(token.tokens, known)}</strong>;
    case 'em':
      return <em key={key}>{inline(token.tokens, known)}</em>;
    case 'del':
      return <del key={key}>{inline(token.tokens, known)}</del>;
    case 'codespan':
      return <code key={key}>{token['text']}</code>;
    case 'br':
      return <br key={key} />;
    case 'escape':
      return token['text'];
    case 'link':
      return <OwnLink key={key} token={token as Tokens.Link} known={known} />;
    default:
      return token.type === 'text' && token.tokens ? inline(token.tokens, known) : token.raw;
  }
}

/** The model may only lead to pages of this library; any other address stays plain text. */
function OwnLink({ token, known }: { token: Tokens.Link; known: Known }) {
  const text = inline(token.tokens, known);
  return /^\/books\/\d/.test(token.href) ? <a href={token.href}>{text}</a> : <>{text}</>;
}

function Cites({ numbers, raw, known }: { numbers: number[]; raw: string; known: Known }) {
  const sources = numbers.map((n) => known.get(n)).filter((source) => source !== undefined);
  if (sources.length !== numbers.length) return <>{raw}</>;
  return (
    <>
      {sources.map((source) => (
        <a
          key={source.n}
          class="cite"
          href={passageUrl(source)}
          title={source.quote}
          aria-label={t('tutor.source', { n: source.n, title: source.title })}
        >
          {source.n}
        </a>
      ))}
    </>
  );
}
