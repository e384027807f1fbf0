/** The live queue: reports arrive by themselves, and a decision never overwrites somebody else's. */

import { ApiError, listed, type Report, type ReportStatus } from '@sicerdas/client';
import { signal, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { explain } from '../lib/errors.ts';
import { count, t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { useTitle } from '../lib/page.ts';
import { lastEvent, putPage, putReport, queue, useQueue } from '../lib/queue.ts';
import { api, isStaff } from '../lib/session.ts';
import { statusWord } from '../lib/text.ts';
import { toast } from '../lib/toast.ts';
import { Empty, Guarded, Loading } from '../ui/feedback.tsx';
import { ReportCard } from '../ui/ReportCard.tsx';

const TABS: readonly ReportStatus[] = ['pending', 'resolved', 'rejected'];
/** A decided report stays in sight for so long, stamped, so that nothing jumps away under the pointer. */
const LINGER_MS = 5000;

export function Moderation() {
  useTitle(t('mod.title'));
  return (
    <div class="page">
      <Guarded when={isStaff.value}>
        <Desk />
      </Guarded>
    </div>
  );
}

/** Reports that were decided a moment ago, and by whom: shown once more in the pending list. */
const lingering = signal<ReadonlyMap<number, 'me' | 'other'>>(new Map());

function linger(id: number, by: 'me' | 'other'): void {
  if (lingering.peek().has(id)) return;
  lingering.value = new Map(lingering.peek()).set(id, by);
  setTimeout(() => {
    const rest = new Map(lingering.peek());
    rest.delete(id);
    lingering.value = rest;
  }, LINGER_MS);
}

const mine = new Set<number>();

async function decide(report: Report, status: ReportStatus): Promise<void> {
  mine.add(report.id);
  try {
    const decided = await api.reports.decide(report.id, status, report.version);
    linger(report.id, 'me');
    putReport(decided);
  } catch (error) {
    await refused(report, error);
  } finally {
    mine.delete(report.id);
  }
}

/** Somebody else was first: say so, and show what they decided as soon as it is known. */
async function refused(report: Report, error: unknown): Promise<void> {
  if (!(error instanceof ApiError) || (error.status !== 409 && error.status !== 412)) {
    toast(explain(error), 'warn');
    return;
  }
  let held = queue.peek().reports.get(report.id);
  if (!held || held.version === report.version) {
    for (const status of ['resolved', 'rejected'] as const) {
      putPage((await api.reports.list({ status, limit: 50 })).items);
    }
    held = queue.peek().reports.get(report.id);
  }
  if (held && held.status !== 'pending') linger(report.id, 'other');
  toast(held ? t('mod.conflict', { status: statusWord(held.status) }) : t('error.conflict'), 'warn');
}

function Desk() {
  useQueue();
  const tab = useSignal<ReportStatus>('pending');
  const isKnown = useOlder(tab.value);
  const fresh = useArrivals();
  const { pending } = queue.value;
  const reports = shown(tab.value);
  return (
    <>
      <header class="desk__head">
        <div>
          <h1>{t('mod.title')}</h1>
          <p>{t('mod.lead')}</p>
        </div>
        <p class="desk__count" role="status">
          {count('mod.waiting', pending)}
        </p>
      </header>
      <div class="tabs" role="group" aria-label={t('mod.tabs')}>
        {TABS.map((status) => (
          <button
            key={status}
            type="button"
            aria-pressed={tab.value === status}
            onClick={() => (tab.value = status)}
          >
            {t(`mod.${status}`)}
            {status === 'pending' && pending > 0 && <span class="badge">{pending}</span>}
          </button>
        ))}
      </div>
      {!isKnown && !reports.length && <Loading />}
      {isKnown && !reports.length && <Empty title={t(`mod.empty.${tab.value}`)} />}
      <ul class="queue">
        {reports.map((report) => (
          <li key={report.id}>
            <ReportCard
              report={report}
              isNew={fresh.has(report.id)}
              decidedBy={tab.value === 'pending' ? lingering.value.get(report.id) : undefined}
              decide={decide}
            />
          </li>
        ))}
      </ul>
    </>
  );
}

function shown(tab: ReportStatus): Report[] {
  const plain = listed(queue.value, tab);
  if (tab !== 'pending') return plain;
  const stamped = [...lingering.value.keys()]
    .map((id) => queue.value.reports.get(id))
    .filter((report): report is Report => report !== undefined && report.status !== 'pending');
  return [...plain, ...stamped].sort((a, b) => b.id - a.id);
}

/** The queue's snapshot holds what is pending; each tab is also read over REST, which works without a socket. */
function useOlder(status: ReportStatus): boolean {
  const { result } = useLoad(() => api.reports.list({ status, limit: 50 }), [status]);
  useEffect(() => {
    if (result.state === 'ready') putPage(result.value.items);
    if (result.state === 'failed') toast(explain(result.error), 'warn');
  }, [result]);
  return result.state !== 'loading';
}

/** Which reports came in while this page was open; each is also announced. */
function useArrivals(): ReadonlySet<number> {
  const fresh = useSignal<ReadonlySet<number>>(new Set());
  const opened = useSignal(lastEvent.peek());
  useSignalEffect(() => {
    const event = lastEvent.value;
    if (!event || event === opened.peek()) return;
    opened.value = event;
    const { report } = event;
    if (event.type === 'report.filed') fresh.value = new Set(fresh.peek()).add(report.id);
    else if (report.status !== 'pending') linger(report.id, mine.has(report.id) ? 'me' : 'other');
  });
  return fresh.value;
}
