export type { Bytes, CallOptions, CasCondition, Consistency, ReadOptions } from './client/arguments.ts'
export { MAX_KEY_BYTES, MAX_REQUEST_BYTES, MAX_VALUE_BYTES } from './client/arguments.ts'
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
