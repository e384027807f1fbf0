/** One book: what it is, how it is doing right now, its chapters, and the tutor beside it. */

import { countersOf, type Book, type Counters } from '@sicerdas/client';
import { signal, type Signal } from '@preact/signals';
import { useRoute } from 'preact-iso';
import { useEffect } from 'preact/hooks';
import { countersFor, countVisit, useLiveCounters } from '../lib/counters.ts';
import { count, languageName, number, t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { useTitle } from '../lib/page.ts';
import { api, canAuthor, me } from '../lib/session.ts';
import { year } from '../lib/text.ts';
import { TutorPanel, TutorToggle } from '../tutor/TutorPanel.tsx';
import { Cover } from '../ui/Cover.tsx';
import { Empty, Failed, Loading } from '../ui/feedback.tsx';
import { Icon, type IconName } from '../ui/icons.tsx';
import { LikeButton } from '../ui/LikeButton.tsx';
import { report } from '../ui/ReportDialog.tsx';
import { Tally } from '../ui/Tally.tsx';

const always = signal(true);

export function BookPage() {
  const id = Number(useRoute().params['id']);
  const { result, again } = useLoad(() => api.books.get(id), [id, me.value?.id]);
  useTitle(result.state === 'ready' ? result.value.title : undefined);
  if (result.state === 'loading') return <Loading />;
  if (result.state === 'failed') {
    const isGone = (result.error as { status?: number }).status === 404;
    return isGone ? <Gone /> : <Failed error={result.error} again={again} />;
  }
  return (
    <div class="beside">
      <Sheet key={id} book={result.value} />
      <TutorPanel bookId={id} title={result.value.title} />
    </div>
  );
}

function Gone() {
  return (
    <Empty title={t('book.gone')}>
      <a class="button" href="/">
        {t('app.backToLibrary')}
      </a>
    </Empty>
  );
}

function Sheet({ book }: { book: Book }) {
  const counters = countersFor(countersOf(book));
  useLiveCounters(book.id, always);
  useEffect(() => {
    if (me.value) void countVisit(book.id, 'view');
  }, [book.id, me.value?.id]);
  return (
    <article class="book">
      <header class="book__head">
        <div class="book__cover">
          <Cover book={book} size="large" />
        </div>
        <div class="book__words">
          <p class="book__place">
            <Place book={book} />
          </p>
          <h1>{book.title}</h1>
          <p class="book__author">{book.author ? t('book.by', { author: book.author }) : t('book.unknownAuthor')}</p>
          <Stats counters={counters} />
          <Actions book={book} counters={counters} />
        </div>
      </header>
      <div class="book__rest">
        <section>
          <h2>{t('book.about')}</h2>
          {book.description && <p class="book__description">{book.description}</p>}
          <Facts book={book} />
        </section>
        <Contents book={book} />
      </div>
    </article>
  );
}

function Place({ book }: { book: Book }) {
  return (
    <>
      {book.category && <a href={`/?category_id=${book.category_id}`}>{book.category}</a>}
      {book.group && (
        <>
          <span aria-hidden="true"> / </span>
          <a href={`/?category_id=${book.category_id}&group_id=${book.group_id}`}>{book.group}</a>
        </>
      )}
    </>
  );
}

function Stats({ counters }: { counters: Signal<Counters> }) {
  const { views, downloads, likes } = counters.value;
  const rows: { icon: IconName; name: keyof Counters; value: number; text: string }[] = [
    { icon: 'eye', name: 'views', value: views, text: count('book.views', views) },
    { icon: 'down', name: 'downloads', value: downloads, text: count('book.downloads', downloads) },
    { icon: 'heart', name: 'likes', value: likes, text: count('book.likes', likes) },
  ];
  return (
    <ul class="stats">
      {rows.map(({ icon, name, value, text }) => (
        <li key={name} data-counter={name} data-value={value}>
          <Icon name={icon} />
          <Tally value={value}>
            <strong>{number(value)}</strong>
            {text.replace(number(value), '')}
          </Tally>
        </li>
      ))}
    </ul>
  );
}

function Actions({ book, counters }: { book: Book; counters: Signal<Counters> }) {
  return (
    <div class="book__actions">
      {book.has_text && (
        <a class="button button--primary" href={`/books/${book.id}/read/1`}>
          <Icon name="book" />
          {t('book.startReading')}
        </a>
      )}
      <LikeButton book={book} counters={counters} isWide />
      <TutorToggle />
      {book.has_text && (
        <a
          class="button"
          href={api.books.fileUrl(book.id)}
          download
          onClick={() => me.value && void countVisit(book.id, 'download')}
        >
          <Icon name="down" />
          {t('book.download')}
        </a>
      )}
      <button type="button" class="button button--quiet" onClick={() => report('book', book.id, book.title)}>
        <Icon name="flag" />
        {t('book.report')}
      </button>
      {canAuthor.value && (
        <a class="button button--quiet" href={`/books/${book.id}/edit`}>
          <Icon name="pencil" />
          {t('book.edit')}
        </a>
      )}
    </div>
  );
}

function Facts({ book }: { book: Book }) {
  const facts: [string, string][] = [];
  if (book.year !== null) facts.push([t('book.year'), year(book.year)]);
  if (book.language) facts.push([t('library.language'), languageName(book.language)]);
  if (book.subjects.length) facts.push([t('book.subjects'), book.subjects.join(', ')]);
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Contents({ book }: { book: Book }) {
  if (!book.has_text) return <p class="book__notext">{t('book.noText')}</p>;
  return <ChapterList bookId={book.id} />;
}

function ChapterList({ bookId }: { bookId: number }) {
  const { result, again } = useLoad(() => api.books.chapters(bookId), [bookId]);
  return (
    <section>
      <h2>{t('book.contents')}</h2>
      {result.state === 'loading' && <Loading />}
      {result.state === 'failed' && <Failed error={result.error} again={again} />}
      {result.state === 'ready' && (
        <ol class="contents">
          {result.value.items.map(({ number: n, title }) => (
            <li key={n}>
              <a href={`/books/${bookId}/read/${n}`}>
                <span class="contents__n">{n}</span>
                <span class="contents__title">{title}</span>
              </a>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
