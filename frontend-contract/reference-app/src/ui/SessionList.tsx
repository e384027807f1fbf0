/** Where one is signed in, and the button that ends it there. */

import type { Session } from '@sicerdas/client';
import { explain } from '../lib/errors.ts';
import { ago, date, t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { api } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Failed, Loading } from './feedback.tsx';

/** Changing `round` reads the list anew. */
export function SessionList({ round }: { round: string }) {
  const { result, again } = useLoad(() => api.auth.sessions({ limit: 100 }), [round]);

  async function end(act: () => Promise<unknown>) {
    try {
      await act();
      toast(t('sessions.ended'));
    } catch (error) {
      toast(explain(error), 'warn');
    }
    again();
  }

  if (result.state === 'loading') return <Loading />;
  if (result.state === 'failed') return <Failed error={result.error} again={again} />;
  const sessions = result.value.items;
  return (
    <>
      <ul class="devices">
        {sessions.map((session) => (
          <Device key={session.id} session={session} onEnd={() => end(() => api.auth.endSession(session.id))} />
        ))}
      </ul>
      {sessions.length > 1 && (
        <button type="button" class="button" onClick={() => end(() => api.auth.endOtherSessions())}>
          {t('sessions.endOthers')}
        </button>
      )}
    </>
  );
}

function Device({ session, onEnd }: { session: Session; onEnd: () => void }) {
  const name = session.device || t('sessions.unknownDevice');
  return (
    <li class="device">
      <div>
        <p class="device__name">
          {name}
          {session.is_current && <span class="tag tag--quiet">{t('sessions.current')}</span>}
          {session.by_admin && <span class="tag">{t('sessions.byAdmin')}</span>}
        </p>
        <p class="device__facts">
          {session.address} ({t(`place.${session.place}`)}) · {t('sessions.since', { date: date(session.created_at) })} ·{' '}
          {t('sessions.seen', { ago: ago(session.last_seen_at, Date.now()) })}
        </p>
      </div>
      {!session.is_current && (
        <button type="button" class="button button--small" aria-label={t('sessions.endOf', { device: name })} onClick={onEnd}>
          {t('sessions.end')}
        </button>
      )}
    </li>
  );
}
