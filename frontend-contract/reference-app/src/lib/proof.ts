/** Dangerous acts ask for a fresh proof: the call waits here while the dialog is open. */

import { signal } from '@preact/signals';

interface Asking {
  settle: (isProved: boolean) => void;
}

/** What the dialog answers; null when nothing asks. */
export const asking = signal<Asking | null>(null);

let pending: Promise<boolean> | null = null;

/** True once the person has proved who they are; several calls at a time share one dialog. */
export function proveAnew(): Promise<boolean> {
  pending ??= new Promise<boolean>((settle) => {
    asking.value = { settle };
  }).finally(() => {
    asking.value = null;
    pending = null;
  });
  return pending;
}
