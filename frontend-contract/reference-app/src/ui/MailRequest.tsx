/** Asks for a mail. What comes back never tells whether there is such an account. */

import { useSignal } from '@preact/signals';
import { ApiError } from '@sicerdas/client';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { Field } from './Field.tsx';
import { Mark } from './icons.tsx';

interface Props {
  title: string;
  ask: string;
  action: string;
  send: (email: string) => Promise<unknown>;
}

export function MailRequest({ title, ask, action, send }: Props) {
  const sentTo = useSignal('');
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);

  async function request(email: string) {
    isBusy.value = true;
    problem.value = null;
    try {
      await send(email);
      sentTo.value = email;
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  }

  function submit(event: SubmitEvent) {
    event.preventDefault();
    void request(String(new FormData(event.currentTarget as HTMLFormElement).get('email') ?? '').trim());
  }

  const field = problem.value instanceof ApiError ? problem.value.fields.get('email') : undefined;
  const words = problem.value !== null && !field && (
    <p class="form__problem" role="alert">
      {explain(problem.value)}
    </p>
  );
  if (sentTo.value) {
    return (
      <div class="door">
        <Mark />
        <h1>{t('mailed.sentTitle')}</h1>
        <p role="status">{t('mailed.sent', { email: sentTo.value })}</p>
        {words}
        <div class="form__actions">
          <button type="button" class="button" disabled={isBusy.value} onClick={() => void request(sentTo.value)}>
            {t('mailed.sendAgain')}
          </button>
          <button type="button" class="button button--quiet" onClick={() => (sentTo.value = '')}>
            {t('mailed.otherAddress')}
          </button>
        </div>
        <ToLogin />
      </div>
    );
  }
  return (
    <div class="door">
      <Mark />
      <h1>{title}</h1>
      <p class="door__other">{ask}</p>
      <form class="form" onSubmit={submit}>
        <Field name="email" type="email" label={t('auth.email')} autocomplete="email" problem={field} required />
        {words}
        <button type="submit" class="button button--primary button--wide" disabled={isBusy.value}>
          {action}
        </button>
      </form>
      <ToLogin />
    </div>
  );
}

export function ToLogin() {
  return (
    <p class="door__other">
      <a href="/login">{t('mailed.toLogin')}</a>
    </p>
  );
}
