/** One's own data: the export, and the end of the account. */

import type { Http } from './http.ts';
import type { ExportLink, ExportState } from './types.ts';

export function privacyCalls(http: Http) {
  return {
    askExport: () => http.call<ExportState>('POST', '/users/me/export'),
    exportState: () => http.call<ExportState>('GET', '/users/me/export'),
    linkExport: () => http.call<ExportLink>('POST', '/users/me/export/link'),
    deleteMe: () => http.call<void>('DELETE', '/users/me'),
  };
}
