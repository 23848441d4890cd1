import type { CheckResult, KvInput, KvOutput } from '../../check/index.ts'
import type { ChaosResult } from '../result.ts'

export interface ReportOptions {
  /** What the checker found, for its timelines of violations. */
  readonly check?: CheckResult<unknown, KvInput, KvOutput> | undefined
}

/** A run as a page that needs nothing else. */
export function renderChaosReport(result: ChaosResult, _options: ReportOptions = {}): string {
  return JSON.stringify(result)
}
