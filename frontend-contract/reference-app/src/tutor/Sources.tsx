/** The passages an answer rests on, each a door into the book. */

import type { Source } from '@sicerdas/client';
import { useId } from 'preact/hooks';
import { t } from '../lib/i18n.ts';
import { passageUrl } from '../lib/text.ts';
import { citedNumbers } from './citations.ts';

export function Sources({ sources, text }: { sources: readonly Source[]; text: string }) {
  const heading = useId();
  if (!sources.length) return text ? <p class="answer__nosource">{t('tutor.noSource')}</p> : null;
  const cited = citedNumbers(text);
  const first = sources.filter(({ n }) => cited.has(n));
  const rest = sources.filter(({ n }) => !cited.has(n));
  return (
    <section class="sources" aria-labelledby={heading}>
      <h4 id={heading}>{t('tutor.sources')}</h4>
      <List sources={first.length ? first : rest} />
      {first.length > 0 && rest.length > 0 && (
        <details>
          <summary>{t('tutor.alsoRead', { n: rest.length })}</summary>
          <List sources={rest} />
        </details>
      )}
    </section>
  );
}

function List({ sources }: { sources: readonly Source[] }) {
  return (
    <ol>
      {sources.map((source) => (
        <li key={source.n} value={source.n}>
          <a href={passageUrl(source)}>
            <span class="sources__n">{source.n}</span>
            <span>
              <span class="sources__where">
                {source.title} · {t('reader.chapter', { n: source.chapter })}
              </span>
              <q>{source.quote}</q>
            </span>
          </a>
        </li>
      ))}
    </ol>
  );
}
