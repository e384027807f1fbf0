/** Reads something for a page: loading, loaded or failed, and never an answer to an older question. */

import { useEffect, useReducer } from 'preact/hooks';

export type Loaded<T> =
  | { state: 'loading' }
  | { state: 'ready'; value: T }
  | { state: 'failed'; error: unknown };

interface Action<T> {
  next: Loaded<T>;
}

export function useLoad<T>(read: () => Promise<T>, keys: readonly unknown[]) {
  const [result, set] = useReducer((_: Loaded<T>, action: Action<T>) => action.next, { state: 'loading' });
  const [attempt, again] = useReducer((n: number, _: void) => n + 1, 0);
  useEffect(() => {
    let isCurrent = true;
    set({ next: { state: 'loading' } });
    read().then(
      (value) => isCurrent && set({ next: { state: 'ready', value } }),
      (error: unknown) => isCurrent && set({ next: { state: 'failed', error } }),
    );
    return () => {
      isCurrent = false;
    };
  }, [...keys, attempt]);
  return { result, again: () => again(undefined), set: (value: T) => set({ next: { state: 'ready', value } }) };
}
