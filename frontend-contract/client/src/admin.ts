/** What admins do with people and read in the audit log, and the keys that people give to programs. */

import type { Http, Query } from './http.ts';
import type {
  ApiKey,
  AuditEntry,
  ChainState,
  ManagedUser,
  NewApiKey,
  Page,
  Role,
  Scope,
  SessionsEnded,
  SignedIn,
} from './types.ts';

export interface NewKey {
  name: string;
  scopes: Scope[];
  /** ISO 8601 with a zone; null for a key without an end. */
  expires_at: string | null;
}

/** Other people's accounts; each deed is one entry in the audit log. */
export function managedUserCalls(http: Http) {
  const act = <T>(id: number, verb: string, body: unknown = {}) => http.call<T>('POST', `/users/${id}/${verb}`, { body });
  return {
    list: (query: Query) => http.call<Page<ManagedUser>>('GET', '/users', { query }),
    get: (id: number) => http.call<ManagedUser>('GET', `/users/${id}`),
    setRole: (id: number, role: Role) => http.call<ManagedUser>('PUT', `/users/${id}/role`, { body: { role } }),
    /** For ever, or until a time in ISO 8601. */
    deactivate: (id: number, reason: string, until: string | null = null) =>
      act<ManagedUser>(id, 'deactivate', { reason, until }),
    reactivate: (id: number) => act<ManagedUser>(id, 'reactivate'),
    verify: (id: number) => act<ManagedUser>(id, 'verify'),
    signOut: (id: number) => act<SessionsEnded>(id, 'sign-out'),
    resetFactors: (id: number) => act<SessionsEnded>(id, 'factors/reset'),
    impersonate: (id: number, reason: string) => act<SignedIn>(id, 'impersonate', { reason }),
  };
}

export function auditCalls(http: Http) {
  return {
    list: (query: Query) => http.call<Page<AuditEntry>>('GET', '/audit', { query }),
    verify: () => http.call<ChainState>('GET', '/audit/chain'),
  };
}

export function keyCalls(http: Http) {
  return {
    apiKeys: (query: Query = {}) => http.call<Page<ApiKey>>('GET', '/auth/api-keys', { query }),
    createApiKey: (key: NewKey) => http.call<NewApiKey>('POST', '/auth/api-keys', { body: key }),
    revokeApiKey: (id: string) => http.call<void>('DELETE', `/auth/api-keys/${id}`),
    /** Back to the admin's own account. */
    endImpersonation: () => http.call<SignedIn>('POST', '/auth/impersonation/end', { body: {} }),
  };
}
