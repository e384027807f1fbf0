/** Everything that is kept about oneself: take it along, or have it deleted. */

import { useSignal } from '@preact/signals';
import { useLocation } from 'preact-iso';
import { useEffect } from 'preact/hooks';
import type { ExportState } from '@sicerdas/client';
import { explain } from '../lib/errors.ts';
import { date, moment, number, t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { api, deleteAccount } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Confirm } from './Dialog.tsx';
import { Failed, Loading } from './feedback.tsx';

/** Gathering takes a second or two; whoever has much may wait longer. */
const LOOK_AGAIN_MS = 2000;
const KILOBYTE = 1000;

export function PersonalData() {
  return (
    <>
      <section class="chapter" aria-labelledby="own-data">
        <h2 id="own-data">{t('privacy.title')}</h2>
        <p class="form__lead">{t('privacy.lead')}</p>
        <Export />
      </section>
      <section class="chapter" aria-labelledby="delete-account">
        <h2 id="delete-account">{t('privacy.deleteTitle')}</h2>
        <p class="form__lead">{t('privacy.deleteLead')}</p>
        <Farewell />
      </section>
    </>
  );
}

function Export() {
  const { result, again, set } = useLoad(() => api.users.exportState(), []);
  const isWaiting = result.state === 'ready' && result.value.status === 'waiting';
  useEffect(() => {
    if (!isWaiting) return undefined;
    const look = () => void api.users.exportState().then(set, () => undefined);
    const timer = setInterval(look, LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [isWaiting]);

  async function ask() {
    try {
      set(await api.users.askExport());
    } catch (error) {
      toast(explain(error), 'warn');
    }
  }

  if (result.state === 'loading') return <Loading />;
  if (result.state === 'failed') return <Failed error={result.error} again={again} />;
  return <Archive state={result.value} ask={ask} />;
}

function Archive({ state, ask }: { state: ExportState; ask: () => void }) {
  if (state.status === 'waiting') return <p role="status">{t('privacy.waiting')}</p>;
  const isReady = state.status === 'ready';
  return (
    <div class="form">
      {isReady && (
        <p role="status">
          {t('privacy.ready', {
            size: number(Math.ceil((state.size ?? 0) / KILOBYTE)),
            made: moment(state.ready_at ?? ''),
            end: date(state.expires_at ?? ''),
          })}
        </p>
      )}
      <div class="form__actions">
        {isReady && (
          <button type="button" class="button button--primary" onClick={download}>
            {t('privacy.download')}
          </button>
        )}
        <button type="button" class="button" onClick={ask}>
          {t(isReady ? 'privacy.again' : 'privacy.ask')}
        </button>
      </div>
    </div>
  );
}

async function download() {
  try {
    location.assign((await api.users.linkExport()).url);
  } catch (error) {
    toast(explain(error), 'warn');
  }
}

function Farewell() {
  const { route } = useLocation();
  const isAsking = useSignal(false);

  async function erase() {
    try {
      await deleteAccount();
      toast(t('privacy.deleted'));
      route('/');
    } catch (error) {
      toast(explain(error), 'warn');
    }
  }

  return (
    <div>
      <button type="button" class="button button--danger" onClick={() => (isAsking.value = true)}>
        {t('privacy.delete')}
      </button>
      {isAsking.value && (
        <Confirm
          question={t('privacy.deleteSure')}
          action={t('privacy.delete')}
          onConfirm={() => void erase()}
          onClose={() => (isAsking.value = false)}
        />
      )}
    </div>
  );
}
