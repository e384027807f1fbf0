/** Keys for programs that act in one's name: made, shown once, revoked. */

import { ApiError, type ApiKey, type NewApiKey, type Scope } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { explain } from '../lib/errors.ts';
import { ago, date, t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { api } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Confirm } from './Dialog.tsx';
import { Failed, Loading } from './feedback.tsx';
import { Field } from './Field.tsx';

const SCOPES: readonly Scope[] = [
  'catalog:read',
  'catalog:write',
  'interactions:read',
  'interactions:write',
  'chat:use',
  'reports:read',
  'reports:write',
  'reports:decide',
];
const LIFETIMES = [30, 90, 365, 0] as const;
const DAY_MS = 86_400_000;

export function ApiKeys() {
  const made = useSignal<NewApiKey | null>(null);
  const { result, again } = useLoad(() => api.auth.apiKeys({ limit: 100 }), []);
  return (
    <section class="chapter" aria-labelledby="api-keys">
      <h2 id="api-keys">{t('keys.title')}</h2>
      <p>{t('keys.why')}</p>
      {result.state === 'loading' && <Loading />}
      {result.state === 'failed' && <Failed error={result.error} again={again} />}
      {result.state === 'ready' && <KeyList keys={result.value.items} onRevoked={again} />}
      {made.value ? (
        <Shown made={made.value} onKept={() => (made.value = null)} />
      ) : (
        <NewKey
          onMade={(key) => {
            made.value = key;
            again();
          }}
        />
      )}
    </section>
  );
}

function KeyList({ keys, onRevoked }: { keys: ApiKey[]; onRevoked: () => void }) {
  if (!keys.length) return <p class="form__lead">{t('keys.none')}</p>;
  return (
    <ul class="devices">
      {keys.map((key) => (
        <Key key={key.id} apiKey={key} onRevoked={onRevoked} />
      ))}
    </ul>
  );
}

function Key({ apiKey, onRevoked }: { apiKey: ApiKey; onRevoked: () => void }) {
  const isAsking = useSignal(false);

  async function revoke() {
    try {
      await api.auth.revokeApiKey(apiKey.id);
      toast(t('keys.revoked'));
    } catch (error) {
      toast(explain(error), 'warn');
    }
    onRevoked();
  }

  const facts = [
    t('keys.begins', { hint: apiKey.hint }),
    apiKey.expires_at ? t('keys.endsOn', { date: date(apiKey.expires_at) }) : t('keys.endless'),
    apiKey.last_used_at ? t('keys.used', { ago: ago(apiKey.last_used_at, Date.now()) }) : t('keys.unused'),
  ];
  return (
    <li class="device">
      <div>
        <p class="device__name">{apiKey.name}</p>
        <p class="device__facts">{facts.join(' · ')}</p>
        <p class="device__facts">{apiKey.scopes.map((scope) => t(`keys.scope.${scope}`)).join(', ')}</p>
      </div>
      <button
        type="button"
        class="button button--small"
        aria-label={t('keys.revokeOf', { name: apiKey.name })}
        onClick={() => (isAsking.value = true)}
      >
        {t('keys.revoke')}
      </button>
      {isAsking.value && (
        <Confirm
          question={t('keys.revokeSure', { name: apiKey.name })}
          action={t('keys.revoke')}
          onConfirm={() => void revoke()}
          onClose={() => (isAsking.value = false)}
        />
      )}
    </li>
  );
}

function NewKey({ onMade }: { onMade: (key: NewApiKey) => void }) {
  const problem = useSignal<unknown>(null);
  const words = useSignal('');
  const isBusy = useSignal(false);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const scopes = data.getAll('scope') as Scope[];
    problem.value = null;
    words.value = scopes.length ? '' : t('keys.needScope');
    if (!scopes.length) return;
    const days = Number(data.get('days'));
    const expires_at = days ? new Date(Date.now() + days * DAY_MS).toISOString() : null;
    isBusy.value = true;
    try {
      onMade(await api.auth.createApiKey({ name: String(data.get('key_name')).trim(), scopes, expires_at }));
    } catch (error) {
      problem.value = error;
      words.value = explain(error);
    }
    isBusy.value = false;
  }

  const nameProblem = problem.value instanceof ApiError ? problem.value.fields.get('name') : undefined;
  return (
    <form class="form" onSubmit={submit}>
      <Field name="key_name" label={t('keys.name')} hint={t('keys.nameHint')} maxLength={300} problem={nameProblem} required />
      <fieldset class="choices">
        <legend>{t('keys.scopes')}</legend>
        {SCOPES.map((scope) => (
          <label key={scope} class="choice">
            <input type="checkbox" name="scope" value={scope} />
            <span>{t(`keys.scope.${scope}`)}</span>
          </label>
        ))}
      </fieldset>
      <label class="field">
        <span class="field__label">{t('keys.expires')}</span>
        <select name="days" defaultValue="90">
          {LIFETIMES.map((days) => (
            <option key={days} value={days} selected={days === 90}>
              {t(`keys.expires.${days}`)}
            </option>
          ))}
        </select>
      </label>
      {words.value && (
        <p class="form__problem" role="alert">
          {words.value}
        </p>
      )}
      <div class="form__actions">
        <button type="submit" class="button" disabled={isBusy.value}>
          {t('keys.create')}
        </button>
      </div>
    </form>
  );
}

function Shown({ made, onKept }: { made: NewApiKey; onKept: () => void }) {
  async function copy() {
    await navigator.clipboard.writeText(made.key);
    toast(t('keys.copied'));
  }

  return (
    <div class="secret" role="status">
      <p>
        <strong>{t('keys.made', { name: made.api_key.name })}</strong>
      </p>
      <p>{t('keys.once')}</p>
      <code class="secret__text">{made.key}</code>
      <div class="form__actions">
        <button type="button" class="button button--primary" onClick={() => void copy()}>
          {t('keys.copy')}
        </button>
        <button type="button" class="button" onClick={onKept}>
          {t('keys.done')}
        </button>
      </div>
    </div>
  );
}
