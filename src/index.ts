export type {
  Bytes,
  CallOptions,
  CasCondition,
  Consistency,
  ReadOptions,
  SizeLimits,
} from './client/arguments.ts'
export { DEFAULT_LIMITS } from './client/arguments.ts'
export { BalsaClient, type CasResult, type ClientOptions } from './client/client.ts'
export type { Connection, ConnectionHandlers, Connector, Runtime } from './client/connector.ts'
export { Entry } from './client/entry.ts'
export type { ClusterStatus, NodeDisk, NodeStatus } from './client/status.ts'
export {
  AbortedError,
  BalsaError,
  type BalsaErrorOptions,
  CompactedError,
  DamagedError,
  type ErrorCode,
  InvalidArgumentError,
  type LeaderHint,
  NotLeaderError,
  OutcomeUnknownError,
  ResourceExhaustedError,
  SessionExpiredError,
  TimeoutError,
  UnavailableError,
} from './errors.ts'
