/** Line icons on a 20 px grid. Decorative: the button or link beside them carries the name. */

import type { JSX } from 'preact';

const PATHS = {
  search: 'M9 15a6 6 0 1 0 0-12 6 6 0 0 0 0 12Zm4.4-1.6L17 17',
  heart: 'M10 16.6S3.2 12.7 3.2 8A3.7 3.7 0 0 1 10 6a3.7 3.7 0 0 1 6.8 2c0 4.7-6.8 8.6-6.8 8.6Z',
  eye: 'M1.8 10S4.8 4.8 10 4.8 18.2 10 18.2 10 15.2 15.2 10 15.2 1.8 10 1.8 10Zm8.2 2.4a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8Z',
  down: 'M10 3v9.5m0 0 3.8-3.8M10 12.5 6.2 8.7M3.5 16.5h13',
  flag: 'M5 17.5V3m0 .8c3.6-1.7 6.4 1.7 10 0v7.4c-3.6 1.7-6.4-1.7-10 0',
  book: 'M10 5.5C8.2 4 5.6 3.7 2.8 3.9v11.4c2.8-.2 5.4.2 7.2 1.7 1.8-1.5 4.4-1.9 7.2-1.7V3.9c-2.8-.2-5.4.1-7.2 1.6Zm0 0V17',
  chat: 'M3 4.2h14v9.6H9.4L5.6 17v-3.2H3V4.2Z',
  shield: 'M10 2.6 16 5v4.6c0 3.7-2.4 6.4-6 7.8-3.6-1.4-6-4.1-6-7.8V5l6-2.4Z',
  people: 'M7.4 9.4a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2 16.6c.4-3 2.5-4.6 5.4-4.6s5 1.6 5.4 4.6m-.4-7.4a2.7 2.7 0 1 0-.6-5.2m2.8 8.3c2 .5 3.1 2 3.4 4.1',
  plus: 'M10 4v12M4 10h12',
  close: 'm5 5 10 10M15 5 5 15',
  menu: 'M3 5.5h14M3 10h14M3 14.5h14',
  left: 'M12 4.5 6.5 10l5.5 5.5',
  right: 'M8 4.5 13.5 10 8 15.5',
  send: 'M10 16.5v-13m0 0L5 8.6m5-5.1 5 5.1',
  stop: 'M6 6h8v8H6z',
  again: 'M16 10a6 6 0 1 1-1.9-4.4L16 7.4M16 3.5v3.9h-3.9',
  trash: 'M4 5.5h12M8 5.5v-2h4v2m-6.6 0 .7 11h7.8l.7-11M8.4 8.8v4.6m3.2-4.6v4.6',
  pencil: 'm4 16 .7-3.4L13.4 4l2.7 2.7-8.7 8.6L4 16Z',
  check: 'm4 10.5 4 4 8-9',
  globe: 'M10 17.2a7.2 7.2 0 1 0 0-14.4 7.2 7.2 0 0 0 0 14.4Zm0 0c-2-1.8-3-4.2-3-7.2s1-5.4 3-7.2c2 1.8 3 4.2 3 7.2s-1 5.4-3 7.2ZM3 10h14',
  sun: 'M10 13.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4ZM10 2v1.8m0 12.4V18M2 10h1.8m12.4 0H18M4.4 4.4l1.2 1.2m8.8 8.8 1.2 1.2m0-11.2-1.2 1.2m-8.8 8.8-1.2 1.2',
  moon: 'M16.5 11.8A7 7 0 0 1 8.2 3.5a7 7 0 1 0 8.3 8.3Z',
  expand: 'M11.5 3.5h5v5m0-5-6 6M8.5 16.5h-5v-5m0 5 6-6',
  list: 'M7 5h10M7 10h10M7 15h10M3.2 5h.1m-.1 5h.1m-.1 5h.1',
  filter: 'M3 5.5h14M5.5 10h9M8 14.5h4',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, filled = false }: { name: IconName; filled?: boolean }): JSX.Element {
  return (
    <svg class={filled ? 'icon icon--filled' : 'icon'} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark: one kawung flower, the batik motif of four sugar-palm fruits around a seed. */
export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <g class="mark__fruit">
        <ellipse cx="9.7" cy="9.7" rx="7.6" ry="4.3" transform="rotate(45 9.7 9.7)" />
        <ellipse cx="22.3" cy="22.3" rx="7.6" ry="4.3" transform="rotate(45 22.3 22.3)" />
        <ellipse cx="22.3" cy="9.7" rx="7.6" ry="4.3" transform="rotate(-45 22.3 9.7)" />
        <ellipse cx="9.7" cy="22.3" rx="7.6" ry="4.3" transform="rotate(-45 9.7 22.3)" />
      </g>
      <circle class="mark__seed" cx="16" cy="16" r="2.3" />
    </svg>
  );
}
