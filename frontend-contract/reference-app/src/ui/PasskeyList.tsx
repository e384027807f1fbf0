/** One's passkeys: made, named and removed. */

import { canUsePasskeys, isNumericAddress, makePasskey, type PasskeyView } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { explain } from '../lib/errors.ts';
import { ago, date, t } from '../lib/i18n.ts';
import { api } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Confirm } from './Dialog.tsx';
import type { PartProps } from './FactorSections.tsx';
import { Field } from './Field.tsx';
import { refusal } from './ProofForm.tsx';

export function PasskeyList({ factors, onChanged }: PartProps) {
  return (
    <div class="factor">
      <p>{t('passkeys.why')}</p>
      {factors.passkeys.length > 0 && (
        <ul class="passkeys">
          {factors.passkeys.map((passkey) => (
            <Passkey key={passkey.id} passkey={passkey} onChanged={() => onChanged()} />
          ))}
        </ul>
      )}
      {canUsePasskeys() ? <NewPasskey onAdded={onChanged} /> : <p class="form__lead">{whyNot()}</p>}
    </div>
  );
}

/** In development people meet a page whose address is a number. */
function whyNot(): string {
  if (!isNumericAddress()) return t('passkeys.unsupported');
  return t('passkeys.needsName', { address: `${location.protocol}//localhost${location.port && `:${location.port}`}` });
}

function NewPasskey({ onAdded }: { onAdded: (codes: readonly string[]) => void }) {
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const name = String(new FormData(form).get('passkey') ?? '').trim();
    isBusy.value = true;
    problem.value = null;
    try {
      const credential = await makePasskey(await api.auth.startPasskey());
      const added = await api.auth.addPasskey(name, credential);
      form.reset();
      toast(t('passkeys.added'));
      onAdded(added.recovery_codes ?? []);
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  }

  return (
    <form class="form" onSubmit={submit}>
      <Field
        name="passkey"
        label={t('passkeys.name')}
        hint={t('passkeys.nameHint')}
        autocomplete="off"
        maxLength={300}
        problem={problem.value === null ? undefined : refusal(problem.value)}
        required
      />
      <div class="form__actions">
        <button type="submit" class="button" disabled={isBusy.value}>
          {t('passkeys.add')}
        </button>
      </div>
    </form>
  );
}

type Doing = 'nothing' | 'renaming' | 'asking';

function Passkey({ passkey, onChanged }: { passkey: PasskeyView; onChanged: () => void }) {
  const doing = useSignal<Doing>('nothing');

  async function attempt(act: () => Promise<unknown>, done: string) {
    doing.value = 'nothing';
    try {
      await act();
      toast(done);
    } catch (error) {
      toast(explain(error), 'warn');
    }
    onChanged();
  }

  function rename(event: SubmitEvent) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget as HTMLFormElement).get('name') ?? '').trim();
    void attempt(() => api.auth.renamePasskey(passkey.id, name), t('passkeys.renamed'));
  }

  return (
    <li class="passkey">
      {doing.value === 'renaming' ? (
        <form class="passkey__rename" onSubmit={rename}>
          <Field name="name" label={t('passkeys.name')} value={passkey.name} maxLength={300} required />
          <button type="submit" class="button">
            {t('app.save')}
          </button>
        </form>
      ) : (
        <>
          <div>
            <p class="passkey__name">
              {passkey.name}
              {passkey.is_synced && <span class="tag tag--quiet">{t('passkeys.synced')}</span>}
            </p>
            <p class="passkey__facts">
              {t('passkeys.since', { date: date(passkey.created_at) })} ·{' '}
              {passkey.last_used_at ? t('passkeys.used', { ago: ago(passkey.last_used_at, Date.now()) }) : t('passkeys.unused')}
            </p>
          </div>
          <div class="passkey__deeds">
            <button
              type="button"
              class="button button--small"
              aria-label={t('passkeys.renameOf', { name: passkey.name })}
              onClick={() => (doing.value = 'renaming')}
            >
              {t('passkeys.rename')}
            </button>
            <button
              type="button"
              class="button button--small"
              aria-label={t('passkeys.removeOf', { name: passkey.name })}
              onClick={() => (doing.value = 'asking')}
            >
              {t('passkeys.remove')}
            </button>
          </div>
        </>
      )}
      {doing.value === 'asking' && (
        <Confirm
          question={t('passkeys.removeSure', { name: passkey.name })}
          action={t('passkeys.remove')}
          onConfirm={() => void attempt(() => api.auth.removePasskey(passkey.id), t('passkeys.removed'))}
          onClose={() => doing.value === 'asking' && (doing.value = 'nothing')}
        />
      )}
    </li>
  );
}
