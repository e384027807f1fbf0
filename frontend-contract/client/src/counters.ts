/** The rule of every `value` channel: an older version never replaces a newer one. */

import type { Book, Counters } from './types.ts';

export function newer<T extends { version: number }>(held: T | undefined, incoming: T): T {
  return held && held.version >= incoming.version ? held : incoming;
}

export function countersOf(book: Book): Counters {
  return {
    book_id: book.id,
    views: book.views,
    downloads: book.downloads,
    likes: book.likes,
    version: book.counters_version,
  };
}
