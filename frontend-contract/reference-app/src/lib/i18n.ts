/** Two languages, one typed set of keys, switched without reloading. */

import { computed, effect, signal } from '@preact/signals';
import { en, type Dictionary, type Key } from '../i18n/en.ts';
import { id } from '../i18n/id.ts';
import { recall, remember } from './store.ts';

export type Language = 'en' | 'id';
export type { Key };

const dictionaries: Record<Language, Dictionary> = { en, id };

export const languages: readonly { code: Language; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'id', name: 'Bahasa Indonesia' },
];

function firstLanguage(): Language {
  const remembered = recall('language');
  if (remembered === 'en' || remembered === 'id') return remembered;
  const preferred = navigator.languages.find((tag) => /^(en|id|ms)\b/.test(tag)) ?? 'en';
  return preferred.startsWith('en') ? 'en' : 'id';
}

export const language = signal<Language>(firstLanguage());
const words = computed(() => dictionaries[language.value]);

effect(() => {
  document.documentElement.lang = language.value;
});

export function speak(code: Language): void {
  language.value = code;
  remember('language', code);
}

type Values = Record<string, string | number>;

/** The text of a key, with `{name}` replaced. */
export function t(key: Key, values: Values = {}): string {
  return fill(words.value[key], values);
}

type CountKey = { [K in Key]: K extends `${infer Stem}_other` ? Stem : never }[Key];

/** The text of a key that comes in a singular and a plural. */
export function count(stem: CountKey, n: number): string {
  const form = new Intl.PluralRules(language.value).select(n) === 'one' ? 'one' : 'other';
  return fill(words.value[`${stem}_${form}` as Key], { n: number(n) });
}

function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Whether a key exists: for codes that come from the server. */
export function knows(key: string): key is Key {
  return key in en;
}

export function number(n: number): string {
  return new Intl.NumberFormat(language.value).format(n);
}

/** 1234 -> 1.2K; for the narrow places. */
export function shortNumber(n: number): string {
  return new Intl.NumberFormat(language.value, { notation: 'compact', maximumFractionDigits: 1 }).format(n);
}

export function date(iso: string): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: 'long' }).format(new Date(iso));
}

/** Day and time, for the moments at which something ends or was done. */
export function moment(iso: string): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));
}

const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** "5 minutes ago"; under a minute it is "now", so that the text does not twitch. */
export function ago(iso: string, now: number): string {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  const format = new Intl.RelativeTimeFormat(language.value, { numeric: 'auto' });
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return format.format(0, 'second');
}

export function languageName(code: string): string {
  try {
    return new Intl.DisplayNames([language.value], { type: 'language' }).of(code) ?? code;
  } catch {
    return code;
  }
}
