/** One report: what it is about, what was said, and the decision. */

import type { Report, ReportStatus } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { now } from '../lib/clock.ts';
import { ago, knows, t } from '../lib/i18n.ts';
import { reporterName, statusWord } from '../lib/text.ts';
import { Icon } from './icons.tsx';

interface Props {
  report: Report;
  isNew: boolean;
  decidedBy: 'me' | 'other' | undefined;
  decide: (report: Report, status: ReportStatus) => Promise<void>;
}

export function ReportCard({ report, isNew, decidedBy, decide }: Props) {
  const isBusy = useSignal(false);
  async function act(status: ReportStatus) {
    isBusy.value = true;
    await decide(report, status);
    isBusy.value = false;
  }
  return (
    <article class="report" data-report={report.id} data-new={isNew} data-status={report.status}>
      <div class="report__text">
        <p class="report__what">
          <span class="tag tag--quiet">{t(`mod.target.${report.target_type}`)}</span>
          <KindTag report={report} />
          {isNew && report.status === 'pending' && <span class="tag tag--new">{t('mod.new')}</span>}
        </p>
        <h2>
          <TargetLink report={report} />
        </h2>
        <p class="report__reason">{report.reason}</p>
        <p class="report__meta">
          {t('mod.by', { name: reporterName(report.reporter) })}
          {' · '}
          <time dateTime={report.created_at}>{ago(report.created_at, now.value)}</time>
        </p>
      </div>
      <div class="report__actions">
        {report.status === 'pending' && (
          <>
            <button type="button" class="button button--primary" disabled={isBusy.value} onClick={() => act('resolved')}>
              <Icon name="check" />
              {t('mod.resolve')}
            </button>
            <button type="button" class="button" disabled={isBusy.value} onClick={() => act('rejected')}>
              <Icon name="close" />
              {t('mod.reject')}
            </button>
          </>
        )}
        {report.status !== 'pending' && <Stamp report={report} decidedBy={decidedBy} />}
      </div>
    </article>
  );
}

function TargetLink({ report }: { report: Report }) {
  const { target } = report;
  return target.url?.startsWith('/') ? <a href={target.url}>{target.title}</a> : <>{target.title}</>;
}

function KindTag({ report }: { report: Report }) {
  const key = `report.kind.${String(report.extra?.['kind'])}`;
  return knows(key) ? <span class="report__kind">{t(key)}</span> : null;
}

function Stamp({ report, decidedBy }: Pick<Props, 'report' | 'decidedBy'>) {
  const status = statusWord(report.status);
  if (!decidedBy) {
    return (
      <span class={`stamp stamp--${report.status}`}>
        {status}
        {report.decider?.name && <small>{report.decider.name}</small>}
      </span>
    );
  }
  return (
    <p class="report__outcome" role="status">
      {t(decidedBy === 'me' ? 'mod.decidedHere' : 'mod.decidedElsewhere', { status })}
    </p>
  );
}
