/** Another e-mail address: it counts once its mailbox has confirmed it. */

import { useSignal } from '@preact/signals';
import { ApiError } from '@sicerdas/client';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { api, me } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Field } from './Field.tsx';

export function AddressSection() {
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);
  const user = me.value;
  if (!user) return null;

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    isBusy.value = true;
    problem.value = null;
    try {
      await api.auth.changeEmail(String(new FormData(form).get('email') ?? '').trim());
      form.reset();
      toast(t('address.sent'));
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  }

  const fault = problem.value;
  const isField = fault instanceof ApiError && fault.fields.has('email');
  const words = fault === null ? undefined : explain(fault);
  return (
    <section class="chapter" aria-labelledby="address">
      <h2 id="address">{t('address.title')}</h2>
      <p class="address">{t('address.now', { email: user.email })}</p>
      <form class="form" onSubmit={submit}>
        <Field
          name="email"
          type="email"
          label={t('address.new')}
          hint={t('address.hint')}
          autocomplete="email"
          problem={isField ? words : undefined}
          required
        />
        {words && !isField && (
          <p class="form__problem" role="alert">
            {words}
          </p>
        )}
        <div class="form__actions">
          <button type="submit" class="button button--primary" disabled={isBusy.value}>
            {t('address.change')}
          </button>
        </div>
      </form>
    </section>
  );
}
