/** The moderation queue as a pure fold. The higher version of a report wins, whatever order news arrive in. */

import { newer } from './counters.ts';
import type { QueueEvent, QueueSnapshot, Report, ReportStatus } from './types.ts';

export interface QueueState {
  readonly reports: ReadonlyMap<number, Report>;
  readonly pending: number;
}

export const emptyQueue: QueueState = { reports: new Map(), pending: 0 };

/** A snapshot is the whole truth about what is pending; decided reports that we hold are kept for their tabs. */
export function fromSnapshot(state: QueueState, snapshot: QueueSnapshot): QueueState {
  const decided = [...state.reports.values()].filter(({ status }) => status !== 'pending');
  const reports = new Map(decided.map((report) => [report.id, report]));
  for (const report of snapshot.reports) reports.set(report.id, newer(reports.get(report.id), report));
  return { reports, pending: snapshot.pending };
}

export function applyReport(state: QueueState, report: Report): QueueState {
  const held = state.reports.get(report.id);
  const kept = newer(held, report);
  if (kept === held) return state;
  const change = Number(kept.status === 'pending') - Number(held?.status === 'pending');
  const missedArrival = !held && kept.status !== 'pending' ? -1 : 0;
  return {
    reports: new Map(state.reports).set(kept.id, kept),
    pending: Math.max(0, state.pending + change + missedArrival),
  };
}

export function applyQueueEvent(state: QueueState, event: QueueEvent): QueueState {
  return applyReport(state, event.report);
}

/** Adds a page read over REST; it says nothing about how many are pending. */
export function addPage(state: QueueState, page: readonly Report[]): QueueState {
  const reports = new Map(state.reports);
  for (const report of page) reports.set(report.id, newer(reports.get(report.id), report));
  return { ...state, reports };
}

export function listed(state: QueueState, status: ReportStatus): Report[] {
  return [...state.reports.values()].filter((report) => report.status === status).sort((a, b) => b.id - a.id);
}
