/** The tutor beside a book. The conversation of each book is found again after a reload. */

import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../lib/i18n.ts';
import { me } from '../lib/session.ts';
import { recall, remember } from '../lib/store.ts';
import { Icon } from '../ui/icons.tsx';
import { Composer } from './Composer.tsx';
import { useConversation } from './conversation.ts';
import { Greeting } from './Greeting.tsx';
import { Thread } from './Thread.tsx';

/** Where the panel stands beside the text instead of over it; the same number stands in tutor.css. */
const WIDE = '(min-width: 1140px)';

export const isPanelOpen = signal(matchMedia(WIDE).matches);

export function TutorToggle() {
  return (
    <button
      type="button"
      class="button tutor-toggle"
      aria-expanded={isPanelOpen.value}
      aria-controls="tutor-panel"
      onClick={() => (isPanelOpen.value = !isPanelOpen.value)}
    >
      <Icon name="chat" />
      <span>{t('tutor.open')}</span>
    </button>
  );
}

interface Props {
  bookId: number;
  title: string;
}

export function TutorPanel({ bookId, title }: Props) {
  const panel = useRef<HTMLElement>(null);
  const isOpen = isPanelOpen.value;
  useEffect(() => {
    // Over the page (small screens) the panel takes the focus; beside it, it does not interfere.
    if (isOpen && !matchMedia(WIDE).matches) panel.current?.focus();
  }, [isOpen]);
  if (!isOpen) return null;
  const close = () => (isPanelOpen.value = false);
  return (
    <aside
      id="tutor-panel"
      class="panel"
      ref={panel}
      tabIndex={-1}
      aria-label={t('tutor.panel')}
      onKeyDown={(event) => event.key === 'Escape' && close()}
    >
      {me.value ? <Open key={bookId} bookId={bookId} title={title} close={close} /> : <Invitation close={close} />}
    </aside>
  );
}

function Invitation({ close }: { close: () => void }) {
  const next = encodeURIComponent(location.pathname + location.search);
  return (
    <>
      <PanelHead close={close} />
      <div class="greeting">
        <p class="greeting__title">{t('tutor.loginHint')}</p>
        <a class="button button--primary" href={`/login?next=${next}`}>
          {t('nav.login')}
        </a>
      </div>
    </>
  );
}

function PanelHead({ close, conversation, onNew }: { close: () => void; conversation?: string | null; onNew?: () => void }) {
  return (
    <header class="panel__head">
      <h2>{t('tutor.title')}</h2>
      {conversation && onNew && (
        <>
          <button type="button" class="icon-button" aria-label={t('tutor.new')} title={t('tutor.new')} onClick={onNew}>
            <Icon name="plus" />
          </button>
          <a class="icon-button" href={`/tutor/${conversation}`} aria-label={t('tutor.full')} title={t('tutor.full')}>
            <Icon name="expand" />
          </a>
        </>
      )}
      <button type="button" class="icon-button" aria-label={t('tutor.closePanel')} onClick={close}>
        <Icon name="close" />
      </button>
    </header>
  );
}

function Open({ bookId, title, close }: Props & { close: () => void }) {
  const [id, setId] = useState(() => recallFor(bookId));
  const choose = (next: string | null) => {
    rememberFor(bookId, next);
    setId(next);
  };
  const conversation = useConversation({ id, bookId, onCreated: choose });
  useEffect(() => {
    // Deleted meanwhile, or somebody else's: begin anew instead of showing an error nobody can act upon.
    if (conversation.state === 'missing') choose(null);
  }, [conversation.state]);
  const isFresh = conversation.state === 'new' && !conversation.pending;
  return (
    <>
      <PanelHead close={close} conversation={id} onNew={() => choose(null)} />
      <Thread conversation={conversation}>
        {isFresh && <Greeting bookTitle={title} ask={(text) => void conversation.send(text)} />}
      </Thread>
      <Composer conversation={conversation} />
    </>
  );
}

function all(): Record<string, string> {
  try {
    return JSON.parse(recall('conversation') ?? '{}') as Record<string, string>;
  } catch {
    return {};
  }
}

function recallFor(bookId: number): string | null {
  return all()[`${me.peek()?.id}:${bookId}`] ?? null;
}

function rememberFor(bookId: number, conversation: string | null): void {
  const { [`${me.peek()?.id}:${bookId}`]: _old, ...others } = all();
  remember('conversation', JSON.stringify(conversation ? { ...others, [`${me.peek()?.id}:${bookId}`]: conversation } : others));
}
