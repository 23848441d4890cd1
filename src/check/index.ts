/** `balsa/check`: is the history of an application linearizable, and if not, why? */
export { check } from './check.ts'
export type { CheckOptions } from './check.ts'
export { appendModel } from './models/append.ts'
export type { AppendInput, AppendOutput } from './models/append.ts'
export { checkEvents, foreignTo, MODEL_NAMES, modelFor } from './models.ts'
export type { ModelName } from './models.ts'
export { kvModel } from './models/kv.ts'
export type { KvEntry, KvExpectation, KvInput, KvOutput } from './models/kv-types.ts'
export { registerModel } from './models/register.ts'
export type { RegisterInput, RegisterOutput, RegisterValue } from './models/register.ts'
export { HistoryError, toOperations } from './events.ts'
export type { EventType, HistoryEvent } from './events.ts'
export { formatHistory, parseHistory } from './history-file.ts'
export { HistoryRecorder } from './recorder.ts'
export type { Request } from './recorder.ts'
export { renderHtml } from './render-html.ts'
export type { HtmlOptions } from './render-html.ts'
export { renderText } from './render-text.ts'
export type {
  CheckResult,
  Model,
  Operation,
  OperationKind,
  Verdict,
  Violation,
  WholeProblem,
  Window,
} from './types.ts'
