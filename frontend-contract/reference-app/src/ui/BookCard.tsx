/** A book on the shelf, with counters that move while one looks. */

import type { Book } from '@sicerdas/client';
import { countersOf } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { countersFor, useLiveCounters, useVisible } from '../lib/counters.ts';
import { count, shortNumber, t } from '../lib/i18n.ts';
import { year } from '../lib/text.ts';
import { Cover } from './Cover.tsx';
import { Icon } from './icons.tsx';
import { LikeButton } from './LikeButton.tsx';
import { report } from './ReportDialog.tsx';
import { Tally } from './Tally.tsx';

export function BookCard({ book }: { book: Book }) {
  const isVisible = useSignal(false);
  const ref = useVisible<HTMLElement>(isVisible);
  const counters = countersFor(countersOf(book));
  useLiveCounters(book.id, isVisible);
  const { views } = counters.value;
  return (
    <article class="card" ref={ref} data-book={book.id}>
      <a class="card__cover" href={`/books/${book.id}`} tabIndex={-1} aria-hidden="true">
        <Cover book={book} size="medium" />
        {book.has_text && <span class="ribbon">{t('book.course')}</span>}
      </a>
      <div class="card__text">
        <h3 class="card__title">
          <a href={`/books/${book.id}`}>{book.title}</a>
        </h3>
        <p class="card__author">
          {book.author ?? t('book.unknownAuthor')}
          {book.year !== null && <span class="card__year"> · {year(book.year)}</span>}
        </p>
        <div class="card__counters">
          <LikeButton book={book} counters={counters} />
          <span class="stat" title={count('book.views', views)}>
            <Icon name="eye" />
            <Tally value={views} name="views">
              {shortNumber(views)}
            </Tally>
            <span class="hidden">{count('book.views', views)}</span>
          </span>
          <button
            type="button"
            class="icon-button card__report"
            aria-label={t('book.reportOf', { title: book.title })}
            title={t('book.report')}
            onClick={() => report('book', book.id, book.title)}
          >
            <Icon name="flag" />
          </button>
        </div>
      </div>
    </article>
  );
}
