import type { RunResult } from './run.ts'

/** What many runs came to together. */
export class Totals {
  seeds = 0
  /** Histories that went through the linearizability checker. */
  histories = 0
  violations = 0
  events = 0
  checks = 0
  simulatedMs = 0
  /** Of all processes together. */
  realMs = 0
  leaders = 0
  /** Seeds in which a second leader was elected. */
  leaderChanges = 0
  committed = 0
  readonly nodes = new Map<string, number>()
  readonly faults = new Map<string, number>()
  readonly outcomes = new Map<string, number>()
  readonly transitions = new Map<string, number>()

  add(result: RunResult): void {
    this.seeds++
    if (result.breach === undefined || result.breach.rule === 'linearizability') this.histories++
    if (result.breach !== undefined) this.violations++
    this.events += result.events
    this.checks += result.checks
    this.simulatedMs += result.simulatedMs
    this.realMs += result.realMs
    this.leaders += result.leaders
    if (result.leaders > 1) this.leaderChanges++
    this.committed += result.committed
    addAll(this.nodes, { [result.nodes]: 1 })
    addAll(this.faults, result.faults)
    addAll(this.outcomes, result.outcomes)
    addAll(this.transitions, result.transitions)
  }

  /** A run that never came to an end: as bad as a rule that is broken. */
  addLost(): void {
    this.seeds++
    this.violations++
  }

  /** Operations, however they ended. */
  get operations(): number {
    return [...this.outcomes.values()].reduce((sum, count) => sum + count, 0)
  }
}

function addAll(counts: Map<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) counts.set(name, (counts.get(name) ?? 0) + count)
}
