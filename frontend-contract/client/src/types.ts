/**
 * The shapes that travel over the edge. They are kept in this one file so that
 * generated types can take their place without touching any other module.
 */

export type Role = 'user' | 'teacher' | 'moderator' | 'admin';

export interface User {
  id: number;
  email: string;
  name: string | null;
  role: Role;
  status: 'active' | 'deactivated';
  created_at: string;
  updated_at: string;
  version: number;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Counters {
  book_id: number;
  views: number;
  downloads: number;
  likes: number;
  version: number;
}

export interface Cover {
  small: string;
  medium: string;
  large: string;
}

export interface Book {
  id: number;
  title: string;
  author: string | null;
  category_id: number | null;
  category: string | null;
  group_id: number | null;
  group: string | null;
  description: string | null;
  year: number | null;
  language: string | null;
  subjects: string[];
  extra: Record<string, unknown>;
  has_text: boolean;
  chapters_count: number;
  cover: Cover | null;
  views: number;
  downloads: number;
  likes: number;
  counters_version: number;
  /** `null` for a visitor who is not signed in. */
  liked: boolean | null;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface Category {
  id: number;
  name: string;
  description: string | null;
}

export interface Group {
  id: number;
  name: string;
  category_id: number | null;
}

export interface ChapterTitle {
  number: number;
  title: string;
}

export interface Passage {
  id: string;
  kind: 'paragraph' | 'heading' | 'list' | 'code' | 'quote' | 'table';
  /** Sanitised by the server. */
  html: string;
}

export interface Chapter {
  book_id: number;
  number: number;
  title: string;
  passages: Passage[];
  prev: number | null;
  next: number | null;
}

export type ReportStatus = 'pending' | 'resolved' | 'rejected';
export type TargetType = 'book' | 'user' | 'message';

export interface Person {
  id: number;
  name: string | null;
}

export interface Report {
  id: number;
  user_id: number;
  target_type: TargetType;
  target_id: number;
  reason: string;
  extra: Record<string, unknown> | null;
  status: ReportStatus;
  version: number;
  created_at: string;
  decided_by: number | null;
  decided_at: string | null;
  target: { title: string; url: string | null };
  reporter: Person;
  decider: Person | null;
}

export interface QueueSnapshot {
  reports: Report[];
  pending: number;
}

export interface QueueEvent {
  type: 'report.filed' | 'report.updated';
  report: Report;
}

export interface ModelInfo {
  name: string;
  demo: boolean;
}

export interface Source {
  n: number;
  book_id: number;
  chapter: number;
  passage_id: string;
  title: string;
  quote: string;
}

export type TurnStatus =
  | 'queued'
  | 'running'
  | 'completed'
  | 'stopped'
  | 'failed'
  | 'interrupted';

/** One turn of a conversation: a question and the answer as far as it has come. */
export interface Message {
  id: number;
  conversation_id: string;
  user_message: string;
  ai_response: string;
  status: TurnStatus;
  sources: Source[];
  model: string | null;
  error: string | null;
  attempt: number;
  created_at: string;
}

export interface ConversationHead {
  id: string;
  title: string;
  book_id: number | null;
  created_at: string;
  updated_at: string;
}

export interface Conversation extends ConversationHead {
  messages: Message[];
}

export interface ChatSnapshot {
  conversation_id: string;
  messages: Message[];
}

interface AnswerEvent<Type extends string> {
  type: Type;
  conversation_id: string;
  message_id: number;
  /** A retry counts up; a higher attempt replaces everything before. */
  attempt: number;
}

interface Ended {
  text: string;
  sources: Source[];
}

export type Started = AnswerEvent<'started'> & { user_message: string; model: ModelInfo };
export type ChatEvent =
  | Started
  | (AnswerEvent<'sources'> & { sources: Source[] })
  | (AnswerEvent<'delta'> & { pos: number; text: string })
  | (AnswerEvent<'completed' | 'stopped'> & Ended)
  | (AnswerEvent<'failed' | 'interrupted'> & Ended & { error: string });

export interface SendResult {
  conversation_id: string;
  message_id: number;
}

export interface Info {
  name: string;
  version: string;
  model: ModelInfo | null;
  languages: string[];
}

/** RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  code: string;
  errors?: { field: string; message: string }[];
}
