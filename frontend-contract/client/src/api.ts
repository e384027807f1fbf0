/** One function per REST operation that a browser needs. */

import { auditCalls, keyCalls, managedUserCalls } from './admin.ts';
import { factorCalls } from './factors.ts';
import type { Http, Query } from './http.ts';
import { mailedCalls } from './mailed.ts';
import { privacyCalls } from './privacy.ts';
import type {
  Book,
  BookDraft,
  Category,
  Chapter,
  ChapterTitle,
  Conversation,
  ConversationHead,
  Counters,
  Cover,
  Departure,
  Group,
  Identity,
  Info,
  InteractionType,
  Page,
  Provider,
  Report,
  ReportDraft,
  ReportStatus,
  Session,
  SessionsEnded,
  SignedIn,
  User,
  Visitor,
} from './types.ts';

export interface BookQuery extends Query {
  q?: string;
  sort?: string;
  category_id?: number;
  group_id?: number;
  author?: string;
  language?: string;
  limit?: number;
  cursor?: string;
}

export type Api = ReturnType<typeof createApi>;

export function createApi(http: Http) {
  return {
    info: () => http.call<Info>('GET', '/info'),
    auth: { ...authCalls(http), ...factorCalls(http), ...keyCalls(http), ...mailedCalls(http) },
    identities: identityCalls(http),
    users: { ...ownCalls(http), ...privacyCalls(http), ...managedUserCalls(http) },
    audit: auditCalls(http),
    books: bookCalls(http),
    categories: (query: Query = {}) => http.call<Page<Category>>('GET', '/categories', { query: { limit: 100, ...query } }),
    groups: (query: Query = {}) => http.call<Page<Group>>('GET', '/groups', { query: { limit: 100, ...query } }),
    interact: (book_id: number, type: InteractionType) =>
      http.call<Counters>('POST', '/interactions', { body: { book_id, type } }),
    reports: reportCalls(http),
    conversations: conversationCalls(http),
  };
}

function authCalls(http: Http) {
  return {
    signup: (email: string, password: string, name: string) =>
      http.call<unknown>('POST', '/auth/signup', { body: { email, password, name } }),
    login: (email: string, password: string) =>
      http.call<SignedIn>('POST', '/auth/login', { body: { email, password } }),
    logout: () => http.call<void>('POST', '/auth/logout', { body: {} }),
    changePassword: (current_password: string, new_password: string) =>
      http.call<unknown>('PUT', '/auth/password', { body: { current_password, new_password } }),
    /** Who is signed in here; null when nobody is. */
    session: () => http.call<Visitor>('GET', '/auth/session'),
    sessions: (query: Query = {}) => http.call<Page<Session>>('GET', '/auth/sessions', { query }),
    endSession: (id: string) => http.call<void>('DELETE', `/auth/sessions/${id}`),
    endOtherSessions: () => http.call<SessionsEnded>('POST', '/auth/sessions/revoke-others', { body: {} }),
    endAllSessions: () => http.call<SessionsEnded>('POST', '/auth/sessions/revoke-all', { body: {} }),
  };
}

/** Other providers that vouch for people. A departure is an address that the browser goes to itself. */
function identityCalls(http: Http) {
  return {
    providers: () => http.call<Page<Provider>>('GET', '/auth/providers'),
    startSignIn: (provider: string, next: string) =>
      http.call<Departure>('POST', `/auth/federated/${provider}/start`, { body: { next } }),
    startLink: (provider: string) => http.call<Departure>('POST', `/auth/identities/${provider}/link`, { body: {} }),
    list: () => http.call<Page<Identity>>('GET', '/auth/identities'),
    unlink: (id: string) => http.call<void>('DELETE', `/auth/identities/${id}`),
  };
}

function ownCalls(http: Http) {
  return {
    me: () => http.call<User>('GET', '/users/me'),
    rename: (name: string) => http.call<User>('PUT', '/users/me', { body: { name } }),
  };
}


function bookCalls(http: Http) {
  return {
    list: (query: BookQuery, signal?: AbortSignal) =>
      http.call<Page<Book>>('GET', '/books', { query, ...(signal ? { signal } : {}) }),
    get: (id: number) => http.call<Book>('GET', `/books/${id}`),
    create: (draft: BookDraft) => http.call<Book>('POST', '/books', { body: draft }),
    update: (id: number, draft: Partial<BookDraft>, ifMatch: number) =>
      http.call<Book>('PUT', `/books/${id}`, { body: draft, ifMatch }),
    remove: (id: number, ifMatch: number) => http.call<void>('DELETE', `/books/${id}`, { ifMatch }),
    setCover: (id: number, file: File) => {
      const body = new FormData();
      body.append('file', file);
      return http.call<Cover | Book>('PUT', `/books/${id}/cover`, { body });
    },
    chapters: (id: number) => http.call<{ items: ChapterTitle[] }>('GET', `/books/${id}/chapters`),
    chapter: (id: number, number: number) => http.call<Chapter>('GET', `/books/${id}/chapters/${number}`),
    fileUrl: (id: number) => `/api/v1/books/${id}/file`,
  };
}

function reportCalls(http: Http) {
  return {
    file: (draft: ReportDraft) => http.call<Report>('POST', '/reports', { body: draft }),
    list: (query: Query) => http.call<Page<Report>>('GET', '/reports', { query }),
    decide: (id: number, status: ReportStatus, ifMatch: number) =>
      http.call<Report>('PUT', `/reports/${id}`, { body: { status }, ifMatch }),
  };
}

function conversationCalls(http: Http) {
  return {
    list: (query: Query = {}) => http.call<Page<ConversationHead>>('GET', '/chat/conversations', { query }),
    get: (id: string) => http.call<Conversation>('GET', `/chat/conversations/${id}`),
    remove: (id: string) => http.call<void>('DELETE', `/chat/conversations/${id}`),
  };
}
