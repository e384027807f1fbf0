/** Short notes at the edge of the screen; read out politely. */

import { signal } from '@preact/signals';

export type Tone = 'info' | 'warn';
export interface Toast {
  id: number;
  text: string;
  tone: Tone;
}

const SHOWN_MS = 6000;
let last = 0;

export const toasts = signal<readonly Toast[]>([]);

export function toast(text: string, tone: Tone = 'info'): void {
  const id = (last += 1);
  toasts.value = [...toasts.value.slice(-2), { id, text, tone }];
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((entry) => entry.id !== id);
}
