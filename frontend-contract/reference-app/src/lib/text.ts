/** Small pure helpers for showing things. */

import type { Person, ReportStatus, Source, User } from '@sicerdas/client';
import { language, t } from './i18n.ts';

/** -300 is the year 300 before our era. */
export function year(value: number): string {
  if (value > 0) return String(value);
  return language.value === 'id' ? `${-value} SM` : `${-value} BCE`;
}

export function passageUrl(source: Pick<Source, 'book_id' | 'chapter' | 'passage_id'>): string {
  return `/books/${source.book_id}/read/${source.chapter}#p${source.passage_id}`;
}

export function statusWord(status: ReportStatus): string {
  return t(`mod.${status}`).toLocaleLowerCase(language.value);
}

export function initials(name: string): string {
  const parts = name.trim().split(/\s+/);
  return [parts[0], parts.length > 1 ? parts.at(-1) : '']
    .map((part) => [...(part ?? '')][0] ?? '')
    .join('')
    .toUpperCase();
}

export function nameOf(person: Pick<User, 'name' | 'email'>): string {
  return person.name ?? person.email;
}

export function reporterName(person: Person): string {
  return person.name ?? t('mod.somebody');
}

/** Only addresses of our own app: a login link must not lead elsewhere afterwards. */
export function ownPath(path: string | undefined): string {
  return path && /^\/(?![/\\])/.test(path) ? path : '/';
}
