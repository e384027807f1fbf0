/** What stays of an account that was taken back: its owner looks whether all of it is their own. */

import type { KeptWay } from '@sicerdas/client';
import { date, t } from '../lib/i18n.ts';

export function KeptWays({ ways }: { ways: readonly KeptWay[] }) {
  if (!ways.length) return null;
  return (
    <section class="kept" aria-labelledby="kept">
      <h2 id="kept">{t('kept.title')}</h2>
      <p>{t('kept.why')}</p>
      <ul>
        {ways.map((way) => (
          <li key={`${way.kind} ${way.name} ${way.since}`}>
            {t(`kept.${way.kind}`, { name: way.name })} <small>{t('kept.since', { day: date(way.since) })}</small>
          </li>
        ))}
      </ul>
      <a href="/account">{t('kept.look')}</a>
    </section>
  );
}
