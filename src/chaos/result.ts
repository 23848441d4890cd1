import type { CheckResult, KvInput, KvOutput } from '../check/index.ts'
import type { FaultSpan } from './injector.ts'
import type { Gap, Second } from './meter.ts'
import type { Problem } from './verdict.ts'
import type { RoleSpan } from './watcher.ts'

/** What a scenario expected at one point, and what was found. */
export interface ExpectationResult {
  readonly text: string
  readonly atMs: number
  /** How long it took until it was so, or until it was given up. */
  readonly tookMs: number
  /** Undefined: it was so. */
  readonly wrong: string | undefined
}

/** What a run was and what came of it. Times are milliseconds since its start. */
export interface ChaosResult {
  readonly verdict: 'ok' | 'violation'
  readonly problems: readonly Problem[]
  readonly name: string
  readonly seed: number
  readonly nodes: readonly string[]
  readonly durationMs: number
  /** When the last fault was taken back and the wait for the end began. */
  readonly healedMs: number
  readonly operations: {
    readonly ok: number
    /** Failed for certain. */
    readonly failed: number
    readonly unknown: number
    /** Those that failed or are unknown, by the error's code. */
    readonly errors: Readonly<Record<string, number>>
  }
  readonly unique: { readonly acknowledged: number; readonly unknown: number; readonly failed: number }
  readonly checked: {
    readonly verdict: string
    readonly operations: number
    readonly keys: number
    readonly steps: number
  }
  /** How many terms had a leader that was seen, or that says so in its log. */
  readonly terms: number
  /** Of how many of them a log tells: 0 where nodes log warnings only. */
  readonly loggedTerms: number
  /** The state's hash that all nodes ended with; null where they did not agree. */
  readonly stateHash: string | null
  readonly faults: readonly FaultSpan[]
  readonly roles: readonly RoleSpan[]
  readonly seconds: readonly Second[]
  /** Times in which no operation succeeded. */
  readonly gaps: readonly Gap[]
  readonly expectations: readonly ExpectationResult[]
  /** Steps of a random schedule that had nothing to do something to. */
  readonly skipped: number
}

/** What a run leaves beside its result: too much for a screen. */
export interface ChaosRecords {
  readonly result: ChaosResult
  /** The clients' history as `balsa check` reads it: JSON lines. */
  readonly historyText: string
  readonly check: CheckResult<unknown, KvInput, KvOutput> | undefined
}
