/** Where a question is written. Enter sends, Shift+Enter breaks the line; while an answer grows, it can be stopped. */

import { useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../lib/i18n.ts';
import { Icon } from '../ui/icons.tsx';
import type { Conversation } from './conversation.ts';

const MAX_QUESTION = 4000;

interface Props {
  conversation: Conversation;
  /** Puts the cursor into the box, for the page whose purpose it is. */
  autoFocus?: boolean;
}

export function Composer({ conversation, autoFocus = false }: Props) {
  const text = useSignal('');
  const id = useId();
  const box = useRef<HTMLTextAreaElement>(null);
  const isAnswering = conversation.running !== undefined;
  const isSending = conversation.pending !== null && conversation.pending.problem === null;
  const canSend = text.value.trim() !== '' && !isAnswering && !isSending;

  useEffect(() => {
    if (autoFocus && matchMedia('(hover: hover)').matches) box.current?.focus({ preventScroll: true });
  }, []);

  function send() {
    if (!canSend) return;
    void conversation.send(text.value.trim());
    text.value = '';
  }

  function onKeyDown(event: KeyboardEvent) {
    // While an input method composes (isComposing), Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  }

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label class="hidden" for={id}>
        {t('tutor.message')}
      </label>
      <textarea
        id={id}
        ref={box}
        name="message"
        rows={1}
        maxLength={MAX_QUESTION}
        placeholder={t('tutor.placeholder')}
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {isAnswering ? (
        <button type="button" class="round round--stop" aria-label={t('tutor.stop')} onClick={conversation.stop}>
          <Icon name="stop" filled />
        </button>
      ) : (
        <button type="submit" class="round" aria-label={t('tutor.send')} disabled={!canSend}>
          <Icon name="send" />
        </button>
      )}
    </form>
  );
}
