// One client of the library in a process of its own. clients.ts starts it and tells it what to do over the channel
// between the two; it ends when that channel does.
import { BalsaClient } from '../src/index.ts'
import { count } from './load.ts'
import type { Counted } from './load.ts'
import { workloadOf } from './workload.ts'
import type { Op, WorkloadOptions } from './workload.ts'

/** To the process, once for every row. */
export interface Task extends WorkloadOptions {
  readonly endpoints: readonly string[]
  readonly op: Op
  /** Of this process alone. */
  readonly inFlight: number
  readonly warmUpMs: number
  readonly measureMs: number
}

/** From the process: that it has begun, and what it counted. */
export type Report =
  | { readonly type: 'begun' }
  | {
      readonly type: 'counted'
      readonly counted: Counted
      readonly writes: { begun: number; acknowledged: number }
    }
  | { readonly type: 'failed'; readonly text: string }

async function perform(task: Task): Promise<void> {
  await using client = new BalsaClient({ endpoints: [...task.endpoints] })
  const { run, writes } = workloadOf(task.op, client, task)
  tell({ type: 'begun' })
  const counted = await count({ ...task, run })
  tell({ type: 'counted', counted, writes })
}

function tell(report: Report): void {
  process.send!(report)
}

process.on('message', (task: Task) => {
  perform(task).catch((error: unknown) => tell({ type: 'failed', text: String(error) }))
})
