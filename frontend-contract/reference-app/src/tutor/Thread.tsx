/** Questions and answers, the newest at the bottom, which follows the text as it grows. */

import type { Message } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { explainCode } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { info } from '../lib/session.ts';
import { Icon } from '../ui/icons.tsx';
import { report } from '../ui/ReportDialog.tsx';
import type { Conversation, Pending } from './conversation.ts';
import { Markdown } from './markdown.tsx';
import { Sources } from './Sources.tsx';

/** Nearer to the end than this counts as "reading along". */
const NEAR_END_PX = 90;

export function Thread({ conversation, children }: { conversation: Conversation; children?: ComponentChildren }) {
  const { messages, pending } = conversation;
  const last = messages.at(-1);
  const { ref, isAway, toEnd, onScroll } = useFollowing([messages, pending]);
  return (
    <div class="thread-frame">
      <div class="thread" ref={ref} onScroll={onScroll} tabIndex={0} role="region" aria-label={t('tutor.title')}>
        {children}
        {messages.map((turn) => (
          <Turn key={turn.id} turn={turn} retry={conversation.retry} />
        ))}
        {pending && <PendingTurn pending={pending} conversation={conversation} />}
      </div>
      {isAway && (
        <button type="button" class="icon-button thread__jump" aria-label={t('tutor.jump')} onClick={toEnd}>
          <Icon name="down" />
        </button>
      )}
      <Announcer turn={last} />
    </div>
  );
}

/** Keeps the end in sight, unless the reader has scrolled up. */
function useFollowing(keys: readonly unknown[]) {
  const ref = useRef<HTMLDivElement>(null);
  const isFollowing = useRef(true);
  const isAway = useSignal(false);
  const toEnd = () => ref.current?.scrollTo({ top: ref.current.scrollHeight });
  useLayoutEffect(() => {
    if (isFollowing.current) toEnd();
  }, [...keys]);
  function onScroll() {
    const box = ref.current;
    if (!box) return;
    isFollowing.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
    isAway.value = !isFollowing.current;
  }
  return { ref, isAway: isAway.value, toEnd, onScroll };
}

function Turn({ turn, retry }: { turn: Message; retry: (id: number) => void }) {
  return (
    <article class="turn" data-message={turn.id} data-status={turn.status}>
      <Question text={turn.user_message} />
      <Answer turn={turn} retry={retry} />
    </article>
  );
}

function Question({ text }: { text: string }) {
  return (
    <div class="question">
      <h3 class="hidden">{t('tutor.you')}</h3>
      <p>{text}</p>
    </div>
  );
}

function Answer({ turn, retry }: { turn: Message; retry: (id: number) => void }) {
  const isGrowing = turn.status === 'running' || turn.status === 'queued';
  return (
    <div class="answer" aria-busy={isGrowing}>
      <h3 class="answer__who">
        {t('tutor.answer')}
        <ModelTag turn={turn} />
      </h3>
      {turn.ai_response && (
        <div class="answer__text" data-growing={isGrowing}>
          <Markdown text={turn.ai_response} sources={turn.sources} />
        </div>
      )}
      {isGrowing && !turn.ai_response && (
        <p class="answer__wait">
          <span class="pulse" aria-hidden="true" />
          {t(turn.status === 'queued' ? 'tutor.queued' : 'tutor.searching')}
        </p>
      )}
      <Ending turn={turn} retry={retry} />
      {!isGrowing && <Sources sources={turn.sources} text={turn.ai_response} />}
      {turn.status === 'completed' && (
        <button
          type="button"
          class="icon-button answer__report"
          aria-label={t('tutor.report')}
          title={t('tutor.report')}
          onClick={() => report('message', turn.id)}
        >
          <Icon name="flag" />
        </button>
      )}
    </div>
  );
}

function ModelTag({ turn }: { turn: Message }) {
  const model = info.value?.model;
  if (model?.demo && (turn.model === null || turn.model === model.name)) {
    return (
      <span class="tag" title={t('tutor.demoHint')} data-demo>
        {t('tutor.demo')}
      </span>
    );
  }
  return turn.model ? <span class="tag tag--quiet">{turn.model}</span> : null;
}

/** How an answer ended when it did not end well; what had been written stays above. */
function Ending({ turn, retry }: { turn: Message; retry: (id: number) => void }) {
  const { status } = turn;
  if (status !== 'stopped' && status !== 'failed' && status !== 'interrupted') return null;
  const isFault = status !== 'stopped';
  const why = status === 'failed' && turn.error ? explainCode(turn.error) : '';
  return (
    <div class={isFault ? 'ending ending--fault' : 'ending'} role={isFault ? 'alert' : undefined}>
      <p>
        {t(`tutor.${status}`)}
        {why && why !== t('error.unknown') && ` ${why}`}
      </p>
      <button type="button" class="button button--small" onClick={() => retry(turn.id)}>
        <Icon name="again" />
        {t(isFault ? 'tutor.retry' : 'tutor.continue')}
      </button>
    </div>
  );
}

function PendingTurn({ pending, conversation }: { pending: Pending; conversation: Conversation }) {
  return (
    <article class="turn" data-status="sending">
      <Question text={pending.text} />
      {pending.problem === null ? (
        <p class="answer__wait">
          <span class="pulse" aria-hidden="true" />
          {t('tutor.queued')}
        </p>
      ) : (
        <div class="ending ending--fault" role="alert">
          <p>{pending.problem}</p>
          <button type="button" class="button button--small" onClick={conversation.resend}>
            <Icon name="again" />
            {t('tutor.retry')}
          </button>
        </div>
      )}
    </article>
  );
}

/** Screen readers hear when an answer begins and ends, not each word of it: the text is there to be read in peace. */
function Announcer({ turn }: { turn: Message | undefined }) {
  const text = useSignal('');
  const seen = useRef<string | undefined>(undefined);
  const status = turn?.status;
  useEffect(() => {
    if (status === 'running' || status === 'queued') text.value = t('tutor.writing');
    else if (status === 'completed' && seen.current === 'running') text.value = t('tutor.done');
    else text.value = '';
    seen.current = status;
  }, [status, turn?.id]);
  return (
    <p class="hidden" role="status">
      {text.value}
    </p>
  );
}
