/** The tutor as a page of its own: all conversations at the side, one of them open. */

import type { ConversationHead } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { useLocation, useRoute } from 'preact-iso';
import { useEffect, useReducer } from 'preact/hooks';
import { explain } from '../lib/errors.ts';
import { ago, t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { useTitle } from '../lib/page.ts';
import { api } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Composer } from '../tutor/Composer.tsx';
import { useConversation } from '../tutor/conversation.ts';
import { Greeting } from '../tutor/Greeting.tsx';
import { Thread } from '../tutor/Thread.tsx';
import { Confirm } from '../ui/Dialog.tsx';
import { Empty, Failed, Guarded } from '../ui/feedback.tsx';
import { Icon } from '../ui/icons.tsx';

export function TutorPage() {
  useTitle(t('tutor.title'));
  return (
    <Guarded when>
      <Room />
    </Guarded>
  );
}

function Room() {
  const { params } = useRoute();
  const { route } = useLocation();
  const id = params['id'] ?? null;
  const [news, tell] = useReducer((n: number, _: void) => n + 1, 0);
  const conversation = useConversation({
    id,
    bookId: null,
    onCreated: (created) => route(`/tutor/${created}`, true),
  });
  const isAnswering = conversation.running !== undefined;
  // A new conversation gets its title on the first answer, so the list is read again when one begins or ends.
  useEffect(() => tell(undefined), [id, isAnswering]);
  const isFresh = conversation.state === 'new' && !conversation.pending;
  return (
    <div class="room">
      <Conversations current={id} news={news} />
      <section class="room__talk" aria-label={t('tutor.title')}>
        <h1 class="hidden">{t('tutor.title')}</h1>
        {conversation.state === 'missing' ? (
          <Empty title={t('tutor.missing')}>
            <a class="button" href="/tutor">
              {t('tutor.new')}
            </a>
          </Empty>
        ) : (
          <>
            <Thread conversation={conversation}>
              {isFresh && <Greeting bookTitle={null} ask={(text) => void conversation.send(text)} />}
            </Thread>
            <Composer key={id ?? 'new'} conversation={conversation} autoFocus />
          </>
        )}
      </section>
    </div>
  );
}

function Conversations({ current, news }: { current: string | null; news: number }) {
  const { route } = useLocation();
  const isOpen = useSignal(false);
  const doomed = useSignal<ConversationHead | null>(null);
  const held = useSignal<ConversationHead[]>([]);
  const { result, again } = useLoad(() => api.conversations.list({ limit: 50 }), [news]);
  useEffect(() => {
    if (result.state === 'ready') held.value = result.value.items;
  }, [result]);

  async function remove(head: ConversationHead) {
    try {
      await api.conversations.remove(head.id);
      held.value = held.value.filter(({ id }) => id !== head.id);
      if (head.id === current) route('/tutor', true);
    } catch (error) {
      toast(explain(error), 'warn');
    }
  }

  return (
    <nav class="talks" aria-label={t('tutor.conversations')} data-open={isOpen.value}>
      <div class="talks__head">
        <a class="button button--primary" href="/tutor" aria-current={current === null ? 'page' : undefined}>
          <Icon name="plus" />
          {t('tutor.new')}
        </a>
        <button
          type="button"
          class="button talks__toggle"
          aria-expanded={isOpen.value}
          onClick={() => (isOpen.value = !isOpen.value)}
        >
          <Icon name="list" />
          {t('tutor.conversations')}
        </button>
      </div>
      <div class="talks__list">
        {result.state === 'failed' && !held.value.length && <Failed error={result.error} again={again} />}
        {result.state === 'ready' && !held.value.length && <p class="talks__none">{t('tutor.none')}</p>}
        <ul>
          {held.value.map((head) => (
            <li key={head.id}>
              <a href={`/tutor/${head.id}`} aria-current={head.id === current ? 'page' : undefined}>
                <span class="talks__title">{head.title || t('tutor.untitled')}</span>
                <span class="talks__when">
                  {ago(head.updated_at, Date.now())}
                  {head.book_id !== null && ` · ${t('tutor.bookContext')}`}
                </span>
              </a>
              <button
                type="button"
                class="icon-button"
                aria-label={t('tutor.delete', { title: head.title || t('tutor.untitled') })}
                onClick={() => (doomed.value = head)}
              >
                <Icon name="trash" />
              </button>
            </li>
          ))}
        </ul>
      </div>
      {doomed.value && (
        <Confirm
          question={t('tutor.deleteSure', { title: doomed.value.title || t('tutor.untitled') })}
          action={t('app.delete')}
          onConfirm={() => doomed.value && void remove(doomed.value)}
          onClose={() => (doomed.value = null)}
        />
      )}
    </nav>
  );
}
