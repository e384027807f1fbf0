/** Coming in with a passkey alone; shown where the browser can. */

import { canUsePasskeys, usePasskey } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { t } from '../lib/i18n.ts';
import { admitted, api } from '../lib/session.ts';
import { refusal } from './ProofForm.tsx';

export function PasskeyDoor({ onIn }: { onIn: () => void }) {
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);
  if (!canUsePasskeys()) return null;

  async function enter() {
    isBusy.value = true;
    problem.value = null;
    try {
      const credential = await usePasskey(await api.auth.passkeyForSignIn());
      await admitted(await api.auth.signInWithPasskey(credential));
      onIn();
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  }

  return (
    <>
      <button type="button" class="button button--wide" disabled={isBusy.value} onClick={enter}>
        {t('proof.passkey')}
      </button>
      {problem.value !== null && (
        <p class="form__problem" role="alert">
          {refusal(problem.value)}
        </p>
      )}
    </>
  );
}
