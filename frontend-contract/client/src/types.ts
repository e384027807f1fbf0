/** The names by which this client calls the generated types; nothing about the edge is written twice. */

import type { components } from '../openapi.d.ts';
import type { Realtime as Live } from '../realtime.d.ts';

type Schemas = components['schemas'];

export type User = Schemas['User'];
export type Role = User['role'];
export type ManagedUser = Schemas['ManagedUser'];
export type ApiKey = Schemas['ApiKey'];
export type NewApiKey = Schemas['NewApiKey'];
export type Scope = ApiKey['scopes'][number];
/** The generator writes a free-form object as an empty one. */
export type AuditEntry = Omit<Schemas['AuditEntry'], 'detail'> & { detail: Record<string, unknown> };
export type ChainState = Schemas['ChainState'];
export type Session = Schemas['SessionView'];
export type Visitor = Schemas['Visitor'];
export type AddressConfirmed = Schemas['AddressConfirmed'];
export type KeptWay = Schemas['KeptWay'];
export type SessionsEnded = Schemas['SessionsEnded'];
export type Provider = Schemas['ProviderView'];
export type ExportLink = Schemas['ExportLink'];
export type ExportState = Schemas['ExportState'];
export type Identity = Schemas['IdentityView'];
export type Departure = Schemas['Departure'];
export type SignedIn = Schemas['SignedIn'];
export type SecondStep = Schemas['SecondStep'];
export type Factors = Schemas['Factors'];
export type FactorAdded = Schemas['FactorAdded'];
export type PasskeyView = Schemas['PasskeyView'];
export type PasskeyOptions = Schemas['PasskeyOptions'];
export type TotpStarted = Schemas['TotpStarted'];
export type RecoveryCodes = Schemas['RecoveryCodes'];
export type Proof = Factors['confirm_with'][number];
export type Info = Schemas['Info'];
export type ModelInfo = Schemas['ModelInfo'];
export type Problem = Schemas['Problem'];

export type Book = Schemas['Book'];
export type BookDraft = Required<Omit<Schemas['CreateBook'], 'extra'>>;
export type Cover = Schemas['Cover'];
export type Counters = Schemas['Counters'];
export type Category = Schemas['Category'];
export type Group = Schemas['Group'];
export type ChapterTitle = Schemas['ChapterTitle'];
export type Chapter = Schemas['Chapter'];
export type Passage = Schemas['PassageView'];
export type InteractionType = Schemas['RecordInteraction']['type'];

export type Report = Schemas['Report'];
/** The generator writes a free-form object as an empty one. */
export type ReportDraft = Omit<Schemas['FileReport'], 'extra'> & { extra?: Record<string, unknown> };
export type ReportStatus = Report['status'];
export type TargetType = Report['target_type'];
export type Person = Schemas['Person'];

export type Message = Schemas['Message'];
export type TurnStatus = Message['status'];
export type Source = Schemas['Source'];
export type Conversation = Schemas['Conversation'];
export type ConversationHead = Schemas['ConversationSummary'];
export type SendResult = Schemas['Asked'];

type Channels = Live['channels'];

export type OwnEvent = Channels['user:{id}']['event'];
export type QueueEvent = Channels['moderation:queue']['event'];
export type QueueSnapshot = Channels['moderation:queue']['snapshot'];
export type ChatEvent = Channels['chat:{id}']['event'];
export type Started = Extract<ChatEvent, { type: 'started' }>;
export type ChatSnapshot = Channels['chat:{id}']['snapshot'];

/** Every list: some entries, and the cursor of the next page. */
export interface Page<T> {
  items: T[];
  next: string | null;
}
