/** Coming in with a passkey alone: by the button, or picked where the browser fills in the address. */

import { canOfferPasskeys, canUsePasskeys, offerPasskey, usePasskey } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../lib/i18n.ts';
import { admitted, api } from '../lib/session.ts';
import { refusal } from './ProofForm.tsx';

/** Shorter than what is asked of a passkey counts (`SICERDAS_SECOND_STEP_S`): an open page asks anew. */
const OFFER_MS = 4 * 60_000;

export function PasskeyDoor({ onIn }: { onIn: () => void }) {
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);
  const offer = useRef(new AbortController());

  async function enter(credential: Record<string, unknown>) {
    await admitted(await api.auth.signInWithPasskey(credential));
    onIn();
  }

  useEffect(() => {
    const open = (offer.current = new AbortController());
    void picked(open.signal)
      .then((credential) => (credential ? enter(credential) : undefined))
      .catch((error: unknown) => {
        if (!open.signal.aborted) problem.value = error;
      });
    return () => open.abort();
  }, []);

  async function press() {
    offer.current.abort(); // a browser serves one request at a time
    isBusy.value = true;
    problem.value = null;
    try {
      await enter(await usePasskey(await api.auth.passkeyForSignIn()));
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  }

  if (!canUsePasskeys()) return null;
  return (
    <>
      <button type="button" class="button button--wide" disabled={isBusy.value} onClick={press}>
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

/** The passkey that a person picks at the address, sooner or later; null where none can be offered. */
async function picked(ended: AbortSignal): Promise<Record<string, unknown> | null> {
  try {
    if (!(await canOfferPasskeys())) return null;
    while (!ended.aborted) {
      const options = await api.auth.passkeyForSignIn();
      const credential = await offerPasskey(options, AbortSignal.any([ended, AbortSignal.timeout(OFFER_MS)]));
      if (credential) return credential;
    }
  } catch {
    // Nobody asked for this offer, and the button stays: it tells what is wrong.
  }
  return null;
}
