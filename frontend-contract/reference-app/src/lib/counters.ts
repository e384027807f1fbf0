/** Live counters of the books that are on the screen right now. */

import { newer, type Counters } from '@sicerdas/client';
import { signal, useSignalEffect, type Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { api, live } from './session.ts';

const held = new Map<number, Signal<Counters>>();

/** The one signal for a book's counters; an older version never replaces a newer one. */
export function countersFor(start: Counters): Signal<Counters> {
  const known = held.get(start.book_id);
  if (!known) {
    const fresh = signal(start);
    held.set(start.book_id, fresh);
    return fresh;
  }
  known.value = newer(known.peek(), start);
  return known;
}

export function learn(counters: Counters): void {
  countersFor(counters);
}

/** Follows `book:<id>` as long as the component lives and `isVisible` holds. */
export function useLiveCounters(bookId: number, isVisible: Signal<boolean>): void {
  useSignalEffect(() => {
    const realtime = live.value;
    if (!realtime || !isVisible.value) return undefined;
    return realtime.watch<Counters, Counters>(`book:${bookId}`, { onSnapshot: learn, onEvent: learn });
  });
}

/** Says whether an element is on the screen, or nearly so. */
export function useVisible<T extends Element>(isVisible: Signal<boolean>) {
  const ref = useRef<T>(null);
  useEffect(() => {
    const observer = new IntersectionObserver(
      (entries) => (isVisible.value = entries.at(-1)?.isIntersecting ?? false),
      { rootMargin: '80px' },
    );
    if (ref.current) observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return ref;
}

/** Counts a visit. Never in the way: a visit that cannot be counted is still a visit. */
export async function countVisit(bookId: number, type: 'view' | 'download'): Promise<void> {
  try {
    learn(await api.interact(bookId, type));
  } catch {
    // See above.
  }
}
