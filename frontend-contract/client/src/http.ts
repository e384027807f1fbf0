/** Fetch with this API's manners: problems become exceptions, writes carry an idempotency key. */

import type { Problem } from './types.ts';

/** Every refused call. `code` is stable; `status` 0 means that no answer came at all. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: ReadonlyMap<string, string>;
  /** Further members of the problem document, such as `until` of a closed account. */
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(problem: Partial<Problem> & { status: number; code: string }) {
    super(problem.detail ?? problem.title ?? problem.code);
    this.name = 'ApiError';
    this.status = problem.status;
    this.code = problem.code;
    this.extra = { ...problem };
    this.fields = new Map(problem.errors?.map(({ field, message }) => [field, message]));
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface CallOptions {
  query?: Query;
  body?: unknown;
  /** Version the caller has seen; sent as `If-Match: "<version>"`. */
  ifMatch?: number;
  signal?: AbortSignal;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface Http {
  call<T>(method: Method, path: string, options?: CallOptions): Promise<T>;
}

/** A call that hangs longer than this is reported as unreachable: people have left by then. */
const TIMEOUT_MS = 20_000;

/** Asks the person to prove once more who they are; false when they would rather not. */
export type ProveAnew = () => Promise<boolean>;

export function createHttp(
  base = '/api/v1',
  fetcher: typeof fetch = (...args) => fetch(...args),
  proveAnew: ProveAnew = async () => false,
): Http {
  return {
    async call<T>(method: Method, path: string, options: CallOptions = {}): Promise<T> {
      const attempt = () => send(fetcher, method, base + path + queryText(options.query), options);
      let response = await attempt();
      if (!response.ok) {
        const error = await asError(response);
        if (error.code !== 'fresh-proof-required' || !(await proveAnew())) throw error;
        response = await attempt();
        if (!response.ok) throw await asError(response);
      }
      if (response.status === 204) return undefined as T;
      const text = await response.text();
      return (text ? JSON.parse(text) : undefined) as T;
    },
  };
}

async function send(
  fetcher: typeof fetch,
  method: Method,
  url: string,
  { body, ifMatch, signal }: CallOptions,
): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers['Content-Type'] = 'application/json';
  if (ifMatch !== undefined) headers['If-Match'] = `"${ifMatch}"`;
  if (method !== 'GET') headers['Idempotency-Key'] = newKey();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    return await fetcher(url, {
      method,
      headers,
      credentials: 'same-origin',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError({ status: 0, code: 'unreachable' });
  }
}

async function asError(response: Response): Promise<ApiError> {
  try {
    const problem = (await response.json()) as Partial<Problem>;
    return new ApiError({ ...problem, status: response.status, code: problem.code ?? 'unknown' });
  } catch {
    return new ApiError({ status: response.status, code: 'unknown', title: response.statusText });
  }
}

function queryText(query: Query = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  if (!pairs.length) return '';
  return `?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)]))}`;
}

/** A key for one request and its repetitions. `randomUUID` exists in secure contexts only. */
export function newKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
