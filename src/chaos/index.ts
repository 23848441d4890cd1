/** `balsa/chaos`: faults for one's own cluster, under load, and a verdict on what it did. */
export { type ComposeOptions } from './compose/project.ts'
export { openComposeTarget } from './compose/target.ts'
export { FaultsError } from './faults-error.ts'
export type { FaultSpan } from './injector.ts'
export { LocalTarget } from './local/target.ts'
export type { Gap, Second } from './meter.ts'
export { Relay, type RelayOptions } from './relay/relay.ts'
export { type LinkFaults, NO_LINK_FAULTS } from './relay/link-faults.ts'
export { renderChaosReport } from './report/page.ts'
export type { ChaosRecords, ChaosResult, ExpectationResult } from './result.ts'
export { type ChaosEvent, type ChaosOptions, ChaosRun, type Snapshot } from './run.ts'
export { parseScenario, type Scenario } from './scenario.ts'
export { randomSchedule, type ScheduleOptions } from './schedule.ts'
export { type Action, describeStep, type Expectation, type Step, type Who } from './steps.ts'
export { type ChaosTarget, FAULT_KINDS, type FaultKind, type Slowness } from './target.ts'
export {
  type Evidence,
  type FinalNode,
  judge,
  type Judgement,
  type Problem,
  type ProblemKind,
} from './verdict.ts'
export type { UniqueWrites } from './workload.ts'
export type { NodeView, RoleSpan } from './watcher.ts'
