/** The parts of the account page about two-step sign-in and passkeys; they share what they read. */

import type { Factors } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { api, rightsChanged } from '../lib/session.ts';
import { AuthenticatorApp } from './AuthenticatorApp.tsx';
import { Failed, Loading } from './feedback.tsx';
import { PasskeyList } from './PasskeyList.tsx';
import { RecoveryCodes } from './RecoveryCodes.tsx';

export interface PartProps {
  factors: Factors;
  /** Something changed; the codes that came with it are shown once. */
  onChanged: (codes?: readonly string[]) => void;
}

export function FactorSections() {
  const { result, set, again } = useLoad(() => api.auth.factors(), []);
  const codes = useSignal<readonly string[]>([]);
  if (result.state === 'loading') return <Loading />;
  if (result.state === 'failed') return <Failed error={result.error} again={again} />;
  const factors = result.value;

  async function changed(given: readonly string[] = []) {
    if (given.length) codes.value = given;
    const now = await api.auth.factors();
    if (now.is_required !== factors.is_required) await rightsChanged();
    set(now);
  }

  const part: PartProps = { factors, onChanged: (given) => void changed(given) };
  return (
    <>
      <section class="chapter" aria-labelledby="factors">
        <h2 id="factors">{t('factors.title')}</h2>
        {factors.is_required && (
          <p class="form__problem" role="alert">
            {t('factors.required')}
          </p>
        )}
        <AuthenticatorApp {...part} />
        {codes.value.length > 0 && <RecoveryCodes codes={codes.value} onKept={() => (codes.value = [])} />}
      </section>
      <section class="chapter" aria-labelledby="passkeys">
        <h2 id="passkeys">{t('passkeys.title')}</h2>
        <PasskeyList {...part} />
      </section>
    </>
  );
}
