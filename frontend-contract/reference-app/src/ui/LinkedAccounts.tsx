/** Accounts at other providers that let one in here: link one, unlink one. */

import { useLocation } from 'preact-iso';
import { useEffect } from 'preact/hooks';
import type { Identity, Provider } from '@sicerdas/client';
import { explain } from '../lib/errors.ts';
import { ago, date, t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { api } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Failed, Loading } from './feedback.tsx';
import { ArrivalProblem } from './Providers.tsx';

interface Links {
  providers: Provider[];
  identities: Identity[];
}

async function readLinks(): Promise<Links> {
  const [providers, identities] = await Promise.all([api.identities.providers(), api.identities.list()]);
  return { providers: providers.items, identities: identities.items };
}

/** Nothing where there is neither a provider nor a link. */
export function LinkedAccounts() {
  const { result, again } = useLoad(readLinks, []);
  if (result.state === 'loading') return <Loading />;
  if (result.state === 'failed') return <Failed error={result.error} again={again} />;
  const { providers, identities } = result.value;
  if (!providers.length && !identities.length) return null;
  const isLinked = new Set(identities.map((identity) => identity.provider));
  return (
    <section class="chapter" aria-labelledby="linked">
      <h2 id="linked">{t('federated.title')}</h2>
      <p class="form__lead">{identities.length ? t('federated.lead') : t('federated.none')}</p>
      <ArrivalProblem />
      <Welcome providers={providers} />
      <ul class="devices">
        {identities.map((identity) => (
          <Linked key={identity.id} identity={identity} onEnd={() => unlink(identity, again)} />
        ))}
      </ul>
      <div class="form__actions">
        {providers.filter((provider) => !isLinked.has(provider.slug)).map((provider) => (
          <button key={provider.slug} type="button" class="button" onClick={() => link(provider)}>
            {t('federated.link', { name: provider.name })}
          </button>
        ))}
      </div>
    </section>
  );
}

async function link(provider: Provider) {
  try {
    location.assign((await api.identities.startLink(provider.slug)).url);
  } catch (error) {
    toast(explain(error), 'warn');
  }
}

async function unlink(identity: Identity, again: () => void) {
  try {
    await api.identities.unlink(identity.id);
    toast(t('federated.unlinked', { name: identity.provider_name }));
  } catch (error) {
    toast(explain(error), 'warn');
  }
  again();
}

/** Says once that the journey was worth it; the address forgets it, so that a reload does not say it again. */
function Welcome({ providers }: { providers: Provider[] }) {
  const { query, route } = useLocation();
  const name = providers.find((provider) => provider.slug === query['linked'])?.name;
  useEffect(() => {
    if (!name) return;
    toast(t('federated.linked', { name }));
    route('/account', true);
  }, [name]);
  return null;
}

function Linked({ identity, onEnd }: { identity: Identity; onEnd: () => void }) {
  const email = identity.email ?? '';
  return (
    <li class="device">
      <div>
        <p class="device__name">{identity.provider_name}</p>
        <p class="device__facts">
          {email && `${email} · `}
          {t('federated.since', { date: date(identity.created_at) })} ·{' '}
          {t('federated.used', { ago: ago(identity.last_used_at, Date.now()) })}
        </p>
      </div>
      <button
        type="button"
        class="button button--small"
        aria-label={t('federated.unlinkOf', { name: identity.provider_name, email })}
        onClick={onEnd}
      >
        {t('federated.unlink')}
      </button>
    </li>
  );
}
