/** Opens by itself when a call asks for a fresh proof; then the call goes on. */

import type { GivenProof } from '@sicerdas/client';
import { t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { asking } from '../lib/proof.ts';
import { api, me } from '../lib/session.ts';
import { Dialog } from './Dialog.tsx';
import { Failed, Loading } from './feedback.tsx';
import { ProofForm } from './ProofForm.tsx';

export function ProofOutlet() {
  const asked = asking.value;
  if (!asked) return null;
  return (
    <Dialog title={t('proof.title')} onClose={() => asked.settle(false)}>
      <FreshProof onProved={() => asked.settle(true)} onLeave={() => asked.settle(false)} />
    </Dialog>
  );
}

function FreshProof({ onProved, onLeave }: { onProved: () => void; onLeave: () => void }) {
  const { result, again } = useLoad(() => api.auth.factors(), []);
  if (result.state === 'loading') return <Loading />;
  if (result.state === 'failed') return <Failed error={result.error} again={again} />;

  if (!result.value.confirm_with.length) {
    const next = encodeURIComponent(location.pathname + location.search);
    return (
      <>
        <p class="form__lead">{t('proof.none')}</p>
        <a class="button button--primary" href={`/login?next=${next}`} onClick={onLeave}>
          {t('nav.login')}
        </a>
      </>
    );
  }

  async function prove(proof: GivenProof) {
    await api.auth.confirm(proof);
    onProved();
  }

  return (
    <>
      <p class="form__lead">{t('proof.why')}</p>
      {/* Password managers want to know whose password it is. */}
      <input type="text" name="username" autocomplete="username" value={me.value?.email ?? ''} readOnly hidden />
      <ProofForm ways={result.value.confirm_with} prove={prove} askPasskey={() => api.auth.passkeyForConfirm()} />
    </>
  );
}
