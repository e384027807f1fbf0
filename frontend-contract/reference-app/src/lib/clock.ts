/** The present, in steps that are fine enough for "5 minutes ago". */

import { signal } from '@preact/signals';

const STEP_MS = 20_000;

export const now = signal(Date.now());

setInterval(() => {
  now.value = Date.now();
}, STEP_MS);
