/** Light or dark: the system's wish, unless a person chose otherwise. */

import { effect, signal } from '@preact/signals';
import { recall, remember } from './store.ts';

export type Theme = 'system' | 'light' | 'dark';

const remembered = recall('theme');
export const theme = signal<Theme>(remembered === 'light' || remembered === 'dark' ? remembered : 'system');

effect(() => {
  if (theme.value === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
});

export function wear(choice: Theme): void {
  theme.value = choice;
  remember('theme', choice === 'system' ? null : choice);
}
