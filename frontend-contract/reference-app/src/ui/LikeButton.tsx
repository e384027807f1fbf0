/** The heart. It moves at once and goes back when the server says no. */

import type { Book, Counters } from '@sicerdas/client';
import { useSignal, type Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { learn } from '../lib/counters.ts';
import { explain } from '../lib/errors.ts';
import { shortNumber, t } from '../lib/i18n.ts';
import { api, me } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Icon } from './icons.tsx';
import { Tally } from './Tally.tsx';

interface Props {
  book: Pick<Book, 'id' | 'title' | 'liked'>;
  counters: Signal<Counters>;
  isWide?: boolean;
}

export function LikeButton({ book, counters, isWide = false }: Props) {
  const isLiked = useSignal(book.liked ?? false);
  const isBusy = useSignal(false);
  useEffect(() => {
    isLiked.value = book.liked ?? false;
  }, [book.id, book.liked]);

  async function toggle() {
    if (!me.value) return toast(t('book.likeNeedsLogin'), 'warn');
    if (isBusy.value) return;
    const wasLiked = isLiked.value;
    isBusy.value = true;
    isLiked.value = !wasLiked;
    try {
      learn(await api.interact(book.id, wasLiked ? 'unlike' : 'like'));
    } catch (error) {
      isLiked.value = wasLiked;
      toast(explain(error), 'warn');
    }
    isBusy.value = false;
  }

  const likes = counters.value.likes;
  return (
    <button
      type="button"
      class={isWide ? 'button like' : 'like like--small'}
      data-liked={isLiked.value}
      aria-pressed={isLiked.value}
      onClick={toggle}
    >
      <Icon name="heart" filled={isLiked.value} />
      {isWide ? t('book.like') : <span class="hidden">{t('book.likeOf', { title: book.title })}</span>}
      <Tally value={likes} name="likes">
        {shortNumber(likes)}
      </Tally>
    </button>
  );
}
