/** A process of its own that runs what it is sent, one after the other. */
import type { RunRequest } from './jobs.ts'
import { planOf } from './plan.ts'
import { run } from './run.ts'

process.on('message', (request: RunRequest) => {
  void run(planOf(request.seed, request)).then((result) => process.send!({ ...result, history: [] }))
})
