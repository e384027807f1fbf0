import { addOlder, applyEvent, applySnapshot, codePoints, emptyChat, joinDelta } from '@sicerdas/client';
import type { ChatEvent, ChatState, Message } from '@sicerdas/client';
import { describe, expect, test } from 'vitest';

const turn = (id: number, extra: Partial<Message> = {}): Message => ({
  id,
  conversation_id: 'c1',
  user_message: 'Why?',
  ai_response: '',
  status: 'running',
  sources: [],
  model: null,
  error: null,
  attempt: 1,
  created_at: '2026-01-01T00:00:00Z',
  ...extra,
});

const common = { conversation_id: 'c1', message_id: 1, attempt: 1 };
const started: ChatEvent = { ...common, type: 'started', user_message: 'Why?', model: { name: 'm', demo: true } };
const delta = (pos: number, text: string, attempt = 1): ChatEvent => ({ ...common, attempt, type: 'delta', pos, text });
const completed = (text: string): ChatEvent => ({ ...common, type: 'completed', text, sources: [] });
const fold = (events: ChatEvent[], from: ChatState = emptyChat) => events.reduce(applyEvent, from);
const text = (state: ChatState) => state.messages.at(-1)?.ai_response;

describe('positions are code points', () => {
  test('an emoji is one position', () => expect(codePoints('a👋b')).toBe(3));
  test('a lone surrogate is one position', () => expect(codePoints('a\ud83d')).toBe(2));
  test('a delta after an emoji joins', () => expect(joinDelta('Hi 👋', 4, '!')).toBe('Hi 👋!'));
  test('an overlapping delta adds only its new part', () => expect(joinDelta('👋ab', 1, 'abc')).toBe('👋abc'));
  test('a repeated delta changes nothing', () => expect(joinDelta('abc', 0, 'abc')).toBe('abc'));
  test('a delta behind a hole is refused', () => expect(joinDelta('abc', 4, 'e')).toBeNull());
});

describe('an answer', () => {
  test('grows delta by delta and is replaced by the final text', () => {
    const growing = fold([started, delta(0, 'One '), delta(4, 'two')]);
    expect(text(growing)).toBe('One two');
    expect(text(fold([completed('One two [1].')], growing))).toBe('One two [1].');
  });

  test('is the same when every event comes twice', () => {
    const events = [started, delta(0, 'a'), delta(1, 'b'), completed('ab')];
    const twice = fold(events.flatMap((event) => [event, event]));
    expect(twice.messages[0]).toMatchObject({ ai_response: 'ab', status: 'completed' });
    expect(twice.needsResync).toBe(false);
  });

  test('does not grow any more once it has ended', () => {
    expect(text(fold([started, completed('ab'), delta(2, 'c')]))).toBe('ab');
  });

  test('keeps its text and names the error when it fails midway', () => {
    const state = fold([started, delta(0, 'Half'), { ...common, type: 'failed', text: 'Half', sources: [], error: 'model-broke-off' }]);
    expect(state.messages[0]).toMatchObject({ ai_response: 'Half', status: 'failed', error: 'model-broke-off' });
  });

  test('asks for a snapshot when a delta leaves a hole', () => {
    expect(fold([started, delta(5, 'x')]).needsResync).toBe(true);
  });

  test('asks for a snapshot when it never saw the turn begin', () => {
    expect(fold([delta(0, 'x')]).needsResync).toBe(true);
  });
});

describe('a retry', () => {
  const failed = fold([started, { ...common, type: 'failed', text: 'Half', sources: [], error: 'x' }]);
  const again: ChatEvent = { ...(started as Extract<ChatEvent, { type: 'started' }>), attempt: 2 };

  test('begins with an empty text', () => {
    expect(fold([again], failed).messages).toMatchObject([{ ai_response: '', status: 'running', attempt: 2 }]);
  });

  test('is not disturbed by late events of the attempt before', () => {
    expect(text(fold([again, delta(0, 'new', 2), delta(0, 'old', 1)], failed))).toBe('new');
  });
});

describe('a snapshot', () => {
  test('replaces what it holds and keeps older turns', () => {
    const before: ChatState = { messages: [turn(1, { status: 'completed' }), turn(2)], needsResync: true };
    const after = applySnapshot(before, { conversation_id: 'c1', messages: [turn(2, { ai_response: 'so far' })] });
    expect(after.messages.map(({ id }) => id)).toEqual([1, 2]);
    expect(text(after)).toBe('so far');
    expect(after.needsResync).toBe(false);
  });

  test('joins with the deltas that follow it', () => {
    const state = applySnapshot(emptyChat, { conversation_id: 'c1', messages: [turn(1, { ai_response: 'so ' })] });
    expect(text(fold([delta(1, 'o '), delta(3, 'far')], state))).toBe('so far');
  });

  test('wins over turns that were read over REST', () => {
    const state = applySnapshot(emptyChat, { conversation_id: 'c1', messages: [turn(2, { ai_response: 'live' })] });
    const merged = addOlder(state, [turn(1), turn(2, { ai_response: 'stale' })]);
    expect(merged.messages.map(({ ai_response }) => ai_response)).toEqual(['', 'live']);
  });
});
