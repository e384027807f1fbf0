import { describe, expect, test } from 'vitest';
import { en } from '../src/i18n/en.ts';
import { id } from '../src/i18n/id.ts';
import { citedNumbers, CITATION } from '../src/tutor/citations.ts';

const blanks = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
const keys = Object.keys(en) as (keyof typeof en)[];

describe('the dictionaries', () => {
  test('hold the same keys', () => expect(Object.keys(id).sort()).toEqual([...keys].sort()));
  test('leave the same blanks', () => {
    for (const key of keys) expect([key, blanks(id[key])]).toEqual([key, blanks(en[key])]);
  });
  test('have no empty text', () => {
    for (const key of keys) expect([en[key].trim(), id[key].trim()]).not.toContain('');
  });
});

describe('citations', () => {
  test('are found alone, in pairs and in lists', () => {
    expect([...citedNumbers('One [1]. Two [2][3], and [4, 5].')]).toEqual([1, 2, 3, 4, 5]);
  });
  test('are not the text of a link', () => expect(CITATION.test('[1](/books/1)')).toBe(false));
});
