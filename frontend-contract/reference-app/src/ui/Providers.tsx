/** The doors that lead through other providers, and what is said when somebody comes back in vain. */

import { useSignal } from '@preact/signals';
import { useLocation } from 'preact-iso';
import type { Provider } from '@sicerdas/client';
import { explain, explainCode } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { api } from '../lib/session.ts';
import { ownPath } from '../lib/text.ts';

/** Nothing where none is configured; a page that cannot ask still has its other door. */
export function ProviderButtons() {
  const { query } = useLocation();
  const { result } = useLoad(() => api.identities.providers(), []);
  const problem = useSignal<unknown>(null);
  const providers = result.state === 'ready' ? result.value.items : [];
  if (!providers.length) return null;

  async function leave(provider: Provider) {
    problem.value = null;
    try {
      location.assign((await api.identities.startSignIn(provider.slug, encodedPath(query['next']))).url);
    } catch (error) {
      problem.value = error;
    }
  }

  return (
    <div class="providers">
      <p class="providers__or">{t('federated.or')}</p>
      {problem.value !== null && (
        <p class="form__problem" role="alert">
          {explain(problem.value)}
        </p>
      )}
      {providers.map((provider) => (
        <button key={provider.slug} type="button" class="button button--wide" onClick={() => leave(provider)}>
          {t('federated.continue', { name: provider.name })}
        </button>
      ))}
    </div>
  );
}

/** Why somebody is here again: the address says it by one of our own codes, never by words. */
export function ArrivalProblem() {
  const code = useLocation().query['error'];
  if (!code) return null;
  return (
    <p class="form__problem" role="alert">
      {explainCode(code)}
    </p>
  );
}

/** The path as it stands in an address: the router has decoded it. */
function encodedPath(path: string | undefined): string {
  const { pathname, search, hash } = new URL(ownPath(path), location.origin);
  return pathname + search + hash;
}
