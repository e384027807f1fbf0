/** Another password: asks for the old one, and says that all other browsers are signed out. */

import { useSignal } from '@preact/signals';
import { ApiError } from '@sicerdas/client';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { changePassword } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Field } from './Field.tsx';

const MIN_PASSWORD = 8;

export function PasswordForm({ onChanged }: { onChanged: () => void }) {
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const data = new FormData(form);
    isBusy.value = true;
    problem.value = null;
    try {
      await changePassword(String(data.get('current_password')), String(data.get('new_password')));
      form.reset();
      toast(t('password.changed'));
      onChanged();
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  }

  const code = problem.value instanceof ApiError ? problem.value.code : '';
  const words = problem.value === null ? undefined : explain(problem.value);
  const isOld = code === 'wrong-password';
  const isNew = code === 'password-too-common';
  return (
    <form class="form" onSubmit={submit}>
      <Field
        name="current_password"
        type="password"
        label={t('password.current')}
        autocomplete="current-password"
        problem={isOld ? words : undefined}
        required
      />
      <Field
        name="new_password"
        type="password"
        label={t('password.new')}
        hint={t('password.hint')}
        autocomplete="new-password"
        minLength={MIN_PASSWORD}
        problem={isNew ? words : undefined}
        required
      />
      {words && !isOld && !isNew && (
        <p class="form__problem" role="alert">
          {words}
        </p>
      )}
      <div class="form__actions">
        <button type="submit" class="button button--primary" disabled={isBusy.value}>
          {t('password.change')}
        </button>
      </div>
    </form>
  );
}
