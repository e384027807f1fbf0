import { addPage, applyQueueEvent, emptyQueue, fromSnapshot, listed, newer } from '@sicerdas/client';
import type { QueueEvent, Report } from '@sicerdas/client';
import { describe, expect, test } from 'vitest';

const report = (id: number, extra: Partial<Report> = {}): Report => ({
  id,
  user_id: 1,
  case_id: 'c1',
  target_type: 'book',
  target_id: 1,
  reason: 'wrong',
  extra: null,
  status: 'pending',
  version: 1,
  created_at: '2026-01-01T00:00:00Z',
  updated_at: '2026-01-01T00:00:00Z',
  decided_by: null,
  decided_at: null,
  target: { title: 'A book', url: '/books/1' },
  reporter: { id: 1, name: 'Lina' },
  decider: null,
  ...extra,
});

const filed = (r: Report): QueueEvent => ({ type: 'report.filed', report: r });
const updated = (r: Report): QueueEvent => ({ type: 'report.updated', report: r });
const decided = report(1, { status: 'resolved', version: 2 });
const waiting = fromSnapshot(emptyQueue, { reports: [report(1)], pending: 1 });

describe('the queue', () => {
  test('counts an arriving report once, however often it arrives', () => {
    const state = [filed(report(2)), filed(report(2))].reduce(applyQueueEvent, waiting);
    expect(state.pending).toBe(2);
    expect(listed(state, 'pending').map(({ id }) => id)).toEqual([2, 1]);
  });

  test('moves a decided report to its tab', () => {
    const state = applyQueueEvent(waiting, updated(decided));
    expect([state.pending, listed(state, 'pending'), listed(state, 'resolved')]).toEqual([0, [], [decided]]);
  });

  test('never takes an older version over a newer one', () => {
    const state = [updated(decided), filed(report(1))].reduce(applyQueueEvent, waiting);
    expect(listed(state, 'resolved')).toEqual([decided]);
    expect(state.pending).toBe(0);
  });

  test('counts a report of which only the decision was seen as no longer waiting', () => {
    const many = fromSnapshot(emptyQueue, { reports: [], pending: 5 });
    expect(applyQueueEvent(many, updated(decided)).pending).toBe(4);
  });

  test('drops reports that a new snapshot no longer holds', () => {
    expect(listed(fromSnapshot(waiting, { reports: [], pending: 0 }), 'pending')).toEqual([]);
  });

  test('takes a page read over REST without touching the count', () => {
    const state = addPage(waiting, [report(7), report(1)]);
    expect([state.pending, listed(state, 'pending').length]).toEqual([1, 2]);
  });
});

describe('values', () => {
  const of = (version: number) => ({ version });
  test('an older or equal version never replaces a newer one', () => {
    const held = of(3);
    expect([newer(held, of(2)), newer(held, of(3))]).toEqual([held, held]);
  });
  test('a newer version does', () => expect(newer(of(3), of(4))).toEqual(of(4)));
});
