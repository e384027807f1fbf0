/** A book's cover: its picture, or a cloth binding drawn here when there is none. */

import type { Book } from '@sicerdas/client';
import { useState } from 'preact/hooks';
import { t } from '../lib/i18n.ts';

const CLOTHS = 7;

type CoverBook = Pick<Book, 'id' | 'title' | 'author' | 'cover'>;

export function Cover({ book, size }: { book: CoverBook; size: 'small' | 'medium' | 'large' }) {
  const [isBroken, setBroken] = useState(false);
  if (book.cover && !isBroken) {
    return (
      <img
        class="cover"
        src={book.cover[size]}
        alt={t('book.cover', { title: book.title })}
        loading={size === 'large' ? 'eager' : 'lazy'}
        decoding="async"
        width={200}
        height={300}
        onError={() => setBroken(true)}
      />
    );
  }
  return (
    <div class={`cover cover--cloth cover--${book.id % CLOTHS}`} aria-hidden="true">
      <span class="cover__title">{book.title}</span>
      <span class="cover__author">{book.author}</span>
    </div>
  );
}
