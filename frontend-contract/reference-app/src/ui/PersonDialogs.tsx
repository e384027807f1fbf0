/** What an admin must say before closing an account, or before entering in somebody's name. */

import type { ManagedUser } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useLocation } from 'preact-iso';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { api, impersonate } from '../lib/session.ts';
import { nameOf } from '../lib/text.ts';
import { Dialog } from './Dialog.tsx';
import { Field } from './Field.tsx';

interface FormProps {
  title: string;
  lead: string;
  action: string;
  onSubmit: (data: FormData) => Promise<void>;
  onClose: () => void;
  children: ComponentChildren;
}

function DialogForm({ title, lead, action, onSubmit, onClose, children }: FormProps) {
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    isBusy.value = true;
    problem.value = null;
    try {
      await onSubmit(new FormData(event.currentTarget as HTMLFormElement));
    } catch (error) {
      problem.value = error;
      isBusy.value = false;
    }
  }

  return (
    <Dialog title={title} onClose={onClose}>
      <form class="form" onSubmit={submit}>
        <p class="form__lead">{lead}</p>
        {children}
        {problem.value !== null && (
          <p class="form__problem" role="alert">
            {explain(problem.value)}
          </p>
        )}
        <div class="dialog__actions">
          <button type="button" class="button" onClick={onClose}>
            {t('app.cancel')}
          </button>
          <button type="submit" class="button button--danger" disabled={isBusy.value}>
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface PersonProps {
  user: ManagedUser;
  onClose: () => void;
}

export function CloseDialog({ user, onClose, onClosed }: PersonProps & { onClosed: (user: ManagedUser) => void }) {
  async function close(data: FormData) {
    const until = String(data.get('until') ?? '');
    const reason = String(data.get('reason') ?? '').trim();
    onClosed(await api.users.deactivate(user.id, reason, until ? new Date(until).toISOString() : null));
    onClose();
  }

  return (
    <DialogForm
      title={t('users.closeTitle', { name: nameOf(user) })}
      lead={t('users.closeLead')}
      action={t('users.deactivate')}
      onSubmit={close}
      onClose={onClose}
    >
      <Field name="reason" label={t('users.reason')} rows={3} maxLength={500} />
      <Field name="until" type="datetime-local" label={t('users.until')} hint={t('users.untilHint')} />
    </DialogForm>
  );
}

export function EnterDialog({ user, onClose }: PersonProps) {
  const { route } = useLocation();

  async function enter(data: FormData) {
    await impersonate(user.id, String(data.get('reason') ?? '').trim());
    onClose();
    route('/');
  }

  return (
    <DialogForm
      title={t('visit.title', { name: nameOf(user) })}
      lead={t('visit.lead')}
      action={t('visit.enter')}
      onSubmit={enter}
      onClose={onClose}
    >
      <Field name="reason" label={t('visit.reason')} hint={t('visit.reasonHint')} minLength={3} maxLength={500} required />
    </DialogForm>
  );
}
