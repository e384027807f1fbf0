/** The small states every page shares: loading, failed, empty, refused. */

import type { ComponentChildren } from 'preact';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { me, owesSecondFactor } from '../lib/session.ts';
import { dismiss, toasts } from '../lib/toast.ts';
import { Icon, Mark } from './icons.tsx';

export function Loading() {
  return (
    <p class="state" role="status">
      <span class="spinner" aria-hidden="true" />
      {t('app.loading')}
    </p>
  );
}

export function Failed({ error, again }: { error: unknown; again: () => void }) {
  return (
    <div class="state" role="alert">
      <p>{explain(error)}</p>
      <button type="button" class="button" onClick={again}>
        <Icon name="again" />
        {t('app.retry')}
      </button>
    </div>
  );
}

export function Empty({ title, hint, children }: { title: string; hint?: string; children?: ComponentChildren }) {
  return (
    <div class="state state--empty">
      <Mark />
      <p class="state__title">{title}</p>
      {hint && <p class="state__hint">{hint}</p>}
      {children}
    </div>
  );
}

/** Shows its children to those who may see them; everyone else learns why not. */
export function Guarded({ when, children }: { when: boolean; children: ComponentChildren }) {
  if (me.value === undefined) return <Loading />;
  if (me.value === null) {
    const next = encodeURIComponent(location.pathname + location.search);
    return (
      <Empty title={t('app.signInFirst')}>
        <a class="button button--primary" href={`/login?next=${next}`}>
          {t('nav.login')}
        </a>
      </Empty>
    );
  }
  if (when) return <>{children}</>;
  if (owesSecondFactor.value) {
    return (
      <Empty title={t('factors.restTitle')} hint={t('factors.restHint')}>
        <a class="button button--primary" href="/account">
          {t('factors.restGo')}
        </a>
      </Empty>
    );
  }
  return <Empty title={t('app.notAllowed')} />;
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, tone }) => (
        <div key={id} class={`toast toast--${tone}`}>
          <span>{text}</span>
          <button type="button" class="icon-button" aria-label={t('app.close')} onClick={() => dismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
