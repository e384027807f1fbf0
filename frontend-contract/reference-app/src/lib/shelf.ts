/** Reads the catalogue page after page; a newer question silences the older one. */

import type { Book, BookQuery } from '@sicerdas/client';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { learn } from './counters.ts';
import { countersOf } from '@sicerdas/client';
import { api, me } from './session.ts';

const PAGE = 30;

interface Shelf {
  books: Book[];
  cursor: string | null;
  state: 'loading' | 'ready' | 'failed';
  error: unknown;
}

const EMPTY: Shelf = { books: [], cursor: null, state: 'loading', error: null };

export function useShelf(query: BookQuery) {
  const [shelf, setShelf] = useState<Shelf>(EMPTY);
  const running = useRef<AbortController | undefined>(undefined);
  // `liked` depends on who asks, so a login reads the shelf anew.
  const key = JSON.stringify([query, me.value?.id ?? null]);
  const isKnown = me.value !== undefined;

  const read = useCallback(
    async (before: Shelf) => {
      running.current?.abort();
      const abort = (running.current = new AbortController());
      setShelf({ ...before, state: 'loading' });
      try {
        const cursor = before.cursor ? { cursor: before.cursor } : {};
        const page = await api.books.list({ ...query, limit: PAGE, ...cursor }, abort.signal);
        page.items.forEach((book) => learn(countersOf(book)));
        setShelf({ books: unique([...before.books, ...page.items]), cursor: page.next, state: 'ready', error: null });
      } catch (error) {
        if (!abort.signal.aborted) setShelf({ ...before, state: 'failed', error });
      }
    },
    [key],
  );

  useEffect(() => {
    if (isKnown) void read(EMPTY);
    return () => running.current?.abort();
  }, [read, isKnown]);

  const more = useCallback(() => {
    if (shelf.cursor && shelf.state === 'ready') void read(shelf);
  }, [read, shelf]);

  return { ...shelf, hasMore: shelf.cursor !== null, more, again: () => void read(shelf) };
}

/** Keyset pages do not overlap, but a book that was edited meanwhile may move to a later page. */
function unique(books: Book[]): Book[] {
  return [...new Map(books.map((book) => [book.id, book])).values()];
}
