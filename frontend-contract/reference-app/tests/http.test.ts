import { ApiError, createHttp } from '@sicerdas/client';
import { describe, expect, test } from 'vitest';

/** Answers in turn, and writes down the idempotency key of each request. */
function server(...codes: (string | null)[]) {
  const keys: string[] = [];
  const fetcher = async (_url: unknown, init: RequestInit = {}) => {
    keys.push((init.headers as Record<string, string>)['Idempotency-Key'] ?? '');
    const code = codes.shift();
    return code ? Response.json({ code, title: code }, { status: 403 }) : Response.json({ done: true });
  };
  return { keys, fetcher: fetcher as typeof fetch };
}

describe('a call that asks for a fresh proof', () => {
  test('is repeated once the proof is given, as another request', async () => {
    const { keys, fetcher } = server('fresh-proof-required', null);
    const http = createHttp('/api/v1', fetcher, async () => true);
    expect(await http.call('POST', '/auth/totp', { body: {} })).toEqual({ done: true });
    expect(new Set(keys).size).toBe(2);
  });
  test('fails when the person would rather not', async () => {
    const { keys, fetcher } = server('fresh-proof-required', null);
    const http = createHttp('/api/v1', fetcher, async () => false);
    await expect(http.call('POST', '/auth/totp')).rejects.toMatchObject({ code: 'fresh-proof-required' });
    expect(keys.length).toBe(1);
  });
  test('is asked about once', async () => {
    const { keys, fetcher } = server('fresh-proof-required', 'fresh-proof-required', null);
    let asked = 0;
    const http = createHttp('/api/v1', fetcher, async () => ++asked > 0);
    await expect(http.call('POST', '/auth/totp')).rejects.toBeInstanceOf(ApiError);
    expect([asked, keys.length]).toEqual([1, 2]);
  });
  test('is no other refusal', async () => {
    const { keys, fetcher } = server('forbidden', null);
    const http = createHttp('/api/v1', fetcher, async () => true);
    await expect(http.call('POST', '/auth/totp')).rejects.toMatchObject({ code: 'forbidden' });
    expect(keys.length).toBe(1);
  });
});
