/** The library: search, filters, and a shelf whose counters move. */

import type { Book, BookQuery, Category, Group } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { useLocation } from 'preact-iso';
import { useEffect, useRef } from 'preact/hooks';
import { count, t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { useTitle } from '../lib/page.ts';
import { api } from '../lib/session.ts';
import { useShelf } from '../lib/shelf.ts';
import { BookCard } from '../ui/BookCard.tsx';
import { Empty, Failed } from '../ui/feedback.tsx';
import { Filters, type FilterChange } from '../ui/Filters.tsx';
import { Icon } from '../ui/icons.tsx';

const TYPING_PAUSE_MS = 250;
const DEFAULT_SORT = '-likes';

export function Library() {
  const { query, route } = useLocation();
  useTitle(t('library.title'));
  const tree = useLoad(loadTree, []).result;
  const shelf = useShelf(toBookQuery(query));

  function change(values: FilterChange) {
    const next = new URLSearchParams(query);
    for (const [name, value] of Object.entries(values)) {
      if (value) next.set(name, value);
      else next.delete(name);
    }
    const text = next.toString();
    route(text ? `/?${text}` : '/', true);
  }

  return (
    <div class="library">
      <section class="masthead">
        <div class="masthead__words">
          <h1>{t('library.title')}</h1>
          <p>{t('library.lead')}</p>
        </div>
        <SearchBox value={query['q'] ?? ''} onSearch={(q) => change({ q })} />
      </section>
      <div class="library__body">
        <Filters
          categories={tree.state === 'ready' ? tree.value.categories : []}
          groups={tree.state === 'ready' ? tree.value.groups : []}
          query={query}
          sort={query['sort'] ?? DEFAULT_SORT}
          onChange={change}
        />
        <Shelf shelf={shelf} onClear={() => route('/')} />
      </div>
    </div>
  );
}

async function loadTree(): Promise<{ categories: Category[]; groups: Group[] }> {
  const [categories, groups] = await Promise.all([api.categories(), api.groups()]);
  return { categories: categories.items, groups: groups.items };
}

function toBookQuery(query: Record<string, string>): BookQuery {
  const { q, sort = DEFAULT_SORT, category_id, group_id, language } = query;
  return {
    sort,
    ...(q ? { q } : {}),
    ...(category_id ? { category_id: Number(category_id) } : {}),
    ...(group_id ? { group_id: Number(group_id) } : {}),
    ...(language ? { language } : {}),
  };
}

function SearchBox({ value, onSearch }: { value: string; onSearch: (q: string) => void }) {
  const text = useSignal(value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    text.value = value;
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  function type(next: string) {
    text.value = next;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onSearch(next.trim()), TYPING_PAUSE_MS);
  }
  return (
    <search class="search">
      <Icon name="search" />
      <input
        type="search"
        name="q"
        aria-label={t('library.search')}
        placeholder={t('library.search')}
        value={text.value}
        autocomplete="off"
        onInput={(event) => type(event.currentTarget.value)}
      />
    </search>
  );
}

function Shelf({ shelf, onClear }: { shelf: ReturnType<typeof useShelf>; onClear: () => void }) {
  const { books, state, error, hasMore, more, again } = shelf;
  const summary = hasMore ? t('library.shownMore', { n: books.length }) : count('library.shown', books.length);
  return (
    <section class="shelf" aria-label={t('library.title')} aria-busy={state === 'loading'}>
      <p class="shelf__summary" role="status">
        {state === 'loading' && !books.length ? t('app.loading') : summary}
      </p>
      {state === 'loading' && !books.length && <GhostCards />}
      {state === 'ready' && !books.length && (
        <Empty title={t('library.empty')} hint={t('library.emptyHint')}>
          <button type="button" class="button" onClick={onClear}>
            {t('library.clear')}
          </button>
        </Empty>
      )}
      <div class="shelf__grid">
        {books.map((book: Book) => (
          <BookCard key={book.id} book={book} />
        ))}
      </div>
      {state === 'failed' && <Failed error={error} again={again} />}
      {hasMore && state !== 'failed' && <More isLoading={state === 'loading'} more={more} />}
      {!hasMore && books.length > 12 && <p class="shelf__end">{t('library.end')}</p>}
    </section>
  );
}

/** A button that presses itself when it comes near; a keyboard can press it too. */
function More({ isLoading, more }: { isLoading: boolean; more: () => void }) {
  const ref = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && more(), {
      rootMargin: '600px',
    });
    if (ref.current && !isLoading) observer.observe(ref.current);
    return () => observer.disconnect();
  }, [more, isLoading]);
  return (
    <button type="button" ref={ref} class="button shelf__more" disabled={isLoading} onClick={more}>
      {isLoading ? t('app.loading') : t('app.more')}
    </button>
  );
}

function GhostCards() {
  return (
    <div class="shelf__grid" aria-hidden="true">
      {Array.from({ length: 10 }, (_, i) => (
        <div key={i} class="card card--ghost">
          <div class="cover" />
          <div class="line" />
          <div class="line line--short" />
        </div>
      ))}
    </div>
  );
}
