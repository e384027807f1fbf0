/** One conversation on the screen: what was said, what is growing, and what can be done about it. */

import {
  addOlder,
  applyEvent,
  applySnapshot,
  emptyChat,
  isFinal,
  newKey,
  type ChatEvent,
  type ChatSnapshot,
  type ChatState,
  type Message,
  type Realtime,
  type SendResult,
} from '@sicerdas/client';
import { useSignal, type Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { explain } from '../lib/errors.ts';
import { api, live } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';

/** A question on its way: shown at once, kept with its problem when it could not be sent. */
export interface Pending {
  text: string;
  problem: string | null;
  messageId: number | null;
  /** The same when it is sent again: a reply that was lost must not ask twice. */
  key: string;
}

export interface Conversation {
  messages: readonly Message[];
  pending: Pending | null;
  /** The turn that is being answered now. */
  running: Message | undefined;
  state: 'new' | 'loading' | 'ready' | 'missing';
  send: (text: string) => Promise<void>;
  resend: () => Promise<void>;
  dropPending: () => void;
  stop: () => Promise<void>;
  retry: (messageId: number) => Promise<void>;
}

/** A gap that a fresh snapshot does not close must not become a storm of subscriptions. */
const RESYNC_PAUSE_MS = 1000;

interface Options {
  id: string | null;
  bookId: number | null;
  onCreated: (id: string) => void;
}

export function useConversation({ id, bookId, onCreated }: Options): Conversation {
  const chat = useSignal<ChatState>(emptyChat);
  const state = useSignal<Conversation['state']>(id ? 'loading' : 'new');
  const pending = useSignal<Pending | null>(null);
  const realtime = live.value;
  const created = useRef<string | null>(null);

  useEffect(() => {
    // The conversation that this very window has just begun keeps its pending question until the snapshot holds it.
    if (created.current !== id) pending.value = null;
    chat.value = emptyChat;
    state.value = id ? 'loading' : 'new';
    return id && realtime ? follow(realtime, id, chat, state) : undefined;
  }, [id, realtime]);

  const known = chat.value.messages;
  const waiting = pending.value;
  const hasArrived = waiting?.messageId != null && known.some((turn) => turn.id === waiting.messageId);

  async function deliver(text: string, key = newKey()) {
    pending.value = { text, problem: null, messageId: null, key };
    try {
      const sent = await call<SendResult>('chat.send', {
        conversation_id: id,
        message: text,
        idempotency_key: key,
        ...(bookId === null ? {} : { book_id: bookId }),
      });
      pending.value = { text, problem: null, messageId: sent.message_id, key };
      if (sent.conversation_id === id) return;
      created.current = sent.conversation_id;
      onCreated(sent.conversation_id);
    } catch (error) {
      pending.value = { text, problem: explain(error), messageId: null, key };
    }
  }

  const running = known.findLast((turn) => !isFinal(turn.status));
  return {
    messages: known,
    pending: hasArrived ? null : waiting,
    running,
    state: state.value,
    send: (text) => deliver(text),
    resend: () => (waiting ? deliver(waiting.text, waiting.key) : Promise.resolve()),
    dropPending: () => {
      pending.value = null;
    },
    stop: () => attempt('chat.stop', running?.id),
    retry: (messageId) => attempt('chat.retry', messageId),
  };
}

async function call<T>(method: string, data: unknown): Promise<T> {
  const realtime = live.peek();
  if (!realtime) throw new Error('not connected');
  return realtime.rpc<T>(method, data);
}

async function attempt(method: string, messageId: number | undefined): Promise<void> {
  if (messageId === undefined) return;
  try {
    await call(method, { message_id: messageId });
  } catch (error) {
    toast(explain(error), 'warn');
  }
}

function follow(
  realtime: Realtime,
  id: string,
  chat: Signal<ChatState>,
  state: Signal<Conversation['state']>,
): () => void {
  const channel = `chat:${id}`;
  let resyncTimer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const leave = realtime.watch<ChatSnapshot, ChatEvent>(channel, {
    onSnapshot: (snapshot) => {
      chat.value = applySnapshot(chat.peek(), snapshot);
      state.value = 'ready';
    },
    onEvent: (event) => {
      chat.value = applyEvent(chat.peek(), event);
      if (!chat.peek().needsResync || resyncTimer !== undefined) return;
      resyncTimer = setTimeout(() => {
        resyncTimer = undefined;
        realtime.resync(channel);
      }, RESYNC_PAUSE_MS);
    },
    onRefused: () => (state.value = 'missing'),
  });
  // The snapshot holds the last turns only; the whole conversation is read beside it.
  api.conversations.get(id).then(
    ({ messages }) => {
      if (isOver) return;
      chat.value = addOlder(chat.peek(), messages);
      state.value = 'ready';
    },
    (error: unknown) => {
      if (!isOver && [403, 404].includes((error as { status?: number }).status ?? 0)) state.value = 'missing';
    },
  );
  return () => {
    isOver = true;
    clearTimeout(resyncTimer);
    leave();
  };
}
