/** The one moderation queue of this window: header badge and moderation page look at the same state. */

import {
  addPage,
  applyQueueEvent,
  applyReport,
  emptyQueue,
  fromSnapshot,
  type QueueEvent,
  type QueueSnapshot,
  type QueueState,
  type Report,
} from '@sicerdas/client';
import { signal, useSignalEffect } from '@preact/signals';
import { isStaff, live, me } from './session.ts';

export const queue = signal<QueueState>(emptyQueue);
/** The newest event, for notes and highlights. */
export const lastEvent = signal<QueueEvent | null>(null);

let owner: number | undefined;

/** Follows `moderation:queue` as long as the component lives. */
export function useQueue(): void {
  useSignalEffect(() => {
    const realtime = live.value;
    if (!realtime || !isStaff.value) return undefined;
    if (owner !== me.value?.id) {
      owner = me.value?.id;
      queue.value = emptyQueue;
    }
    return realtime.watch<QueueSnapshot, QueueEvent>('moderation:queue', {
      onSnapshot: (snapshot) => (queue.value = fromSnapshot(queue.peek(), snapshot)),
      onEvent: (event) => {
        const before = queue.peek();
        queue.value = applyQueueEvent(before, event);
        if (queue.value !== before) lastEvent.value = event;
      },
    });
  });
}

export function putReport(report: Report): void {
  queue.value = applyReport(queue.peek(), report);
}

export function putPage(reports: readonly Report[]): void {
  queue.value = addPage(queue.peek(), reports);
}
