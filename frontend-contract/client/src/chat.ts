/** How a conversation grows: a pure fold of snapshots and events. Applying anything twice is harmless. */

import type { ChatEvent, ChatSnapshot, Message, Started, TurnStatus } from './types.ts';

export interface ChatState {
  readonly messages: readonly Message[];
  /** True when a delta arrived that does not join the text we hold: fetch a fresh snapshot. */
  readonly needsResync: boolean;
}

export const emptyChat: ChatState = { messages: [], needsResync: false };

const FINAL: ReadonlySet<TurnStatus> = new Set(['completed', 'stopped', 'failed', 'interrupted']);

export function isFinal(status: TurnStatus): boolean {
  return FINAL.has(status);
}

/** Length in Unicode code points, the unit of `pos`: "👋".length is 2, but it is one position. */
export function codePoints(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit <= 0xdbff && isLowSurrogate(text.charCodeAt(i + 1))) i += 1;
    count += 1;
  }
  return count;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Joins a delta at its position; `null` when a piece between is missing. */
export function joinDelta(text: string, pos: number, delta: string): string | null {
  const have = codePoints(text);
  if (pos > have) return null;
  if (pos === have) return text + delta;
  return text + [...delta].slice(have - pos).join('');
}

/** A snapshot holds the last turns; older ones that we already show stay. */
export function applySnapshot(state: ChatState, snapshot: ChatSnapshot): ChatState {
  const first = snapshot.messages[0]?.id ?? Infinity;
  const older = state.messages.filter(({ id }) => id < first);
  return { messages: [...older, ...snapshot.messages], needsResync: false };
}

export function applyEvent(state: ChatState, event: ChatEvent): ChatState {
  const index = state.messages.findIndex(({ id }) => id === event.message_id);
  const known = state.messages[index];
  if (event.type === 'started' && (!known || event.attempt > known.attempt)) {
    const turn = begin(event, known);
    return { ...state, messages: known ? state.messages.with(index, turn) : [...state.messages, turn] };
  }
  // Of a turn or an attempt that we never saw begin, only a snapshot can tell the whole.
  if (!known || event.attempt > known.attempt) return { ...state, needsResync: true };
  if (event.attempt < known.attempt) return state;
  const next = step(known, event);
  if (next === null) return { ...state, needsResync: true };
  return next === known ? state : { ...state, messages: state.messages.with(index, next) };
}

function begin(event: Started, known: Message | undefined): Message {
  return {
    id: event.message_id,
    conversation_id: event.conversation_id,
    user_message: event.user_message,
    ai_response: '',
    status: 'running',
    sources: [],
    model: event.model.name,
    error: null,
    attempt: event.attempt,
    created_at: known?.created_at ?? new Date().toISOString(),
  };
}

function step(turn: Message, event: ChatEvent): Message | null {
  if (isFinal(turn.status)) return turn;
  switch (event.type) {
    case 'started':
      return { ...turn, status: 'running', model: event.model.name };
    case 'sources':
      return { ...turn, status: 'running', sources: event.sources };
    case 'delta': {
      const text = joinDelta(turn.ai_response, event.pos, event.text);
      if (text === null) return null;
      return text === turn.ai_response ? turn : { ...turn, ai_response: text, status: 'running' };
    }
    case 'completed':
    case 'stopped':
      return { ...turn, status: event.type, ai_response: event.text, sources: event.sources, error: null };
    case 'failed':
    case 'interrupted':
      return { ...turn, status: event.type, ai_response: event.text, sources: event.sources, error: event.error };
    default:
      // A newer server may say more than this client knows.
      return turn;
  }
}

/** Adds turns read over REST that the snapshot was too short to hold. */
export function addOlder(state: ChatState, messages: readonly Message[]): ChatState {
  const known = new Set(state.messages.map(({ id }) => id));
  const older = messages.filter(({ id }) => !known.has(id));
  if (!older.length) return state;
  return { ...state, messages: [...older, ...state.messages].sort((a, b) => a.id - b.id) };
}
