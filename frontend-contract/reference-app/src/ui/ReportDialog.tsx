/** "Something is wrong with this": the form behind every report button. */

import type { TargetType } from '@sicerdas/client';
import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { api, me } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Dialog } from './Dialog.tsx';

const KINDS = ['inaccurate', 'inappropriate', 'rights', 'broken', 'other'] as const;

interface Target {
  type: TargetType;
  id: number;
  title: string;
}

const target = signal<Target | null>(null);

/** Opens the form, or says that one must log in for it. */
export function report(type: TargetType, id: number, title = ''): void {
  if (me.value) target.value = { type, id, title };
  else toast(t('book.reportNeedsLogin'), 'warn');
}

/** Stands once, at the root of the app. */
export function ReportOutlet() {
  return target.value && <ReportDialog key={`${target.value.type}${target.value.id}`} target={target.value} />;
}

function ReportDialog({ target: { type, id, title } }: { target: Target }) {
  const [kind, setKind] = useState<(typeof KINDS)[number]>('inaccurate');
  const [reason, setReason] = useState('');
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const close = () => (target.value = null);

  async function submit(event: Event) {
    event.preventDefault();
    if (!reason.trim()) return setProblem(t('report.needReason'));
    setBusy(true);
    try {
      await api.reports.file({ target_type: type, target_id: id, reason: reason.trim(), extra: { kind } });
      toast(t('report.sent'));
      close();
    } catch (error) {
      setProblem(explain(error));
      setBusy(false);
    }
  }

  return (
    <Dialog title={type === 'message' ? t('report.titleMessage') : t('report.title', { title })} onClose={close}>
      <form class="form" onSubmit={submit} noValidate>
        <p class="form__lead">{t('report.lead')}</p>
        <fieldset class="choices">
          <legend>{t('report.kind')}</legend>
          {KINDS.map((value) => (
            <label key={value} class="choice">
              <input type="radio" name="kind" value={value} checked={kind === value} onChange={() => setKind(value)} />
              <span>{t(`report.kind.${value}`)}</span>
            </label>
          ))}
        </fieldset>
        <label class="field">
          <span class="field__label">{t('report.reason')}</span>
          <textarea
            name="reason"
            rows={4}
            maxLength={2000}
            placeholder={t('report.reasonHint')}
            value={reason}
            aria-invalid={problem ? 'true' : undefined}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        {problem && (
          <p class="form__problem" role="alert">
            {problem}
          </p>
        )}
        <div class="dialog__actions">
          <button type="button" class="button" onClick={close}>
            {t('app.cancel')}
          </button>
          <button type="submit" class="button button--primary" disabled={isBusy}>
            {t('report.send')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
