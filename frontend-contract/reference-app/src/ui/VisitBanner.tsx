/** Stands over every page while an admin is here in somebody's name. */

import { useLocation } from 'preact-iso';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { endImpersonation, impersonator, me } from '../lib/session.ts';
import { nameOf } from '../lib/text.ts';
import { toast } from '../lib/toast.ts';
import { Icon } from './icons.tsx';

export function VisitBanner() {
  const { route } = useLocation();
  const user = me.value;
  if (impersonator.value === null || !user) return null;

  async function end() {
    try {
      await endImpersonation();
      route('/admin/users');
      toast(t('visit.ended'));
    } catch (error) {
      toast(explain(error), 'warn');
    }
  }

  return (
    <aside class="visit" aria-label={t('visit.banner', { name: nameOf(user) })}>
      <Icon name="eye" />
      <p>
        <strong>{t('visit.banner', { name: nameOf(user) })}</strong> {t('visit.bannerHint')}
      </p>
      <button type="button" class="button button--small" onClick={end}>
        {t('visit.end')}
      </button>
    </aside>
  );
}
