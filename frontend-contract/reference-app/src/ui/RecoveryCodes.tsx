/** Codes that are shown once: to copy, to keep as a file, and to put away. */

import { t } from '../lib/i18n.ts';
import { toast } from '../lib/toast.ts';

export function RecoveryCodes({ codes, onKept }: { codes: readonly string[]; onKept: () => void }) {
  const text = `${codes.join('\n')}\n`;
  const file = `data:text/plain;charset=utf-8,${encodeURIComponent(text)}`;

  async function copy() {
    await navigator.clipboard.writeText(text);
    toast(t('codes.copied'));
  }

  return (
    <div class="codes" role="group" aria-labelledby="codes">
      <h3 id="codes">{t('codes.title')}</h3>
      <p class="form__lead">{t('codes.why')}</p>
      <ul class="codes__list" aria-label={t('codes.list')}>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div class="form__actions">
        <button type="button" class="button" onClick={copy}>
          {t('codes.copy')}
        </button>
        <a class="button" href={file} download="sicerdas-recovery-codes.txt">
          {t('codes.download')}
        </a>
        <button type="button" class="button button--primary" onClick={onKept}>
          {t('codes.kept')}
        </button>
      </div>
    </div>
  );
}
