export * from './admin.ts';
export * from './api.ts';
export * from './chat.ts';
export * from './counters.ts';
export * from './factors.ts';
export * from './http.ts';
export * from './queue.ts';
export * from './realtime.ts';
export type * from './types.ts';
