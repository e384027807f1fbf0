/** Reminds of an address that nobody has confirmed, on every page but the one that does it. */

import { useLocation } from 'preact-iso';
import { useSignal } from '@preact/signals';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { api, me } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';

export function AddressBanner() {
  const { path } = useLocation();
  const isBusy = useSignal(false);
  const user = me.value;
  if (!user || user.email_verified || path === '/verify') return null;

  async function again(email: string) {
    isBusy.value = true;
    try {
      await api.auth.sendVerification(email);
      toast(t('verify.bannerSent', { email }));
    } catch (error) {
      toast(explain(error), 'warn');
    }
    isBusy.value = false;
  }

  return (
    <aside class="reminder" aria-label={t('verify.title')}>
      <p>{t('verify.banner', { email: user.email })}</p>
      <button type="button" class="button button--small" disabled={isBusy.value} onClick={() => void again(user.email)}>
        {t('mailed.sendAgain')}
      </button>
    </aside>
  );
}
