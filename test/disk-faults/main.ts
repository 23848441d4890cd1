import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TestCluster } from '../cluster/support/cluster.ts'
import type { TestNode } from '../cluster/support/cluster.ts'
import { injected, injectionObstacle } from '../cluster/support/injection.ts'
import type { InjectedError } from '../cluster/support/injection.ts'
import { Writer } from '../cluster/support/writer.ts'
import { fullDisk, fullDiskObstacle, lowSpace } from './full-disk.ts'
import { ERRORS, STEPS } from './steps.ts'
import type { Phase, Step } from './steps.ts'

/** How long a node may take to notice, to say so and to end. */
const PATIENCE_MS = 20_000

/** Nodes spend their time waiting for elections, and tracers for nodes. */
const AT_A_TIME = 3

/** With this the checkpoint of a clean stop is the only one. */
const NEVER = { '--checkpoint-interval-ms': '3600000' }

const EXIT_CODES: Readonly<Record<InjectedError, number>> = Object.freeze({ EIO: 5, ENOSPC: 6 })
const WORDS = Object.freeze({ EIO: /Input\/output error|EIO/, ENOSPC: /no space is left/ })

const counts = { passed: 0, failed: 0, skipped: 0 }

const RUNS: Readonly<Record<Phase, (step: Step, error: InjectedError) => Promise<void>>> = Object.freeze({
  'first start': failsAlone,
  'start after kill -9': failsAlone,
  writes: failsInCluster,
  snapshot: failsInCluster,
  'clean stop': failsAlone,
})

/** The log is cut soon, and next to nothing of it is kept. */
const SHORT_LOG = {
  '--checkpoint-interval-ms': '100',
  '--log-keep-bytes': '16KiB',
  '--log-tail-bytes': '16KiB',
}

async function check(name: string, run: () => Promise<void>): Promise<void> {
  const began = performance.now()
  const took = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`
  try {
    await run()
    counts.passed++
    console.log(`ok    ${name} (${took()})`)
  } catch (error) {
    counts.failed++
    console.log(`FAIL  ${name} (${took()})\n${error instanceof Error ? error.message : String(error)}`)
  }
}

function skip(what: string, why: string): void {
  counts.skipped++
  console.log(`SKIP  ${what}: ${why}`)
}

const both = process.argv.includes('--both')
const words = process.argv
  .slice(2)
  .filter((argument) => argument !== '--both')
  .join(' ')
const steps = STEPS.filter(({ name, phase }) => `${phase}: ${name}`.includes(words))
const obstacle = injectionObstacle()
if (obstacle !== undefined) skip('injected EIO and ENOSPC', obstacle)
else {
  const planned = steps.flatMap((step, i) => {
    const errors = both ? ERRORS : [ERRORS[i % ERRORS.length]!]
    return errors.map((error) => ({ step, error }))
  })
  await Promise.all(Array.from({ length: AT_A_TIME }, () => work(planned)))
}
if (words === '' || words === 'full') {
  const noMount = fullDiskObstacle()
  if (noMount !== undefined) skip('a disk that is really full', noMount)
  else {
    await check('a disk that is really full: 6, and back when there is space', fullDisk)
    await check('low on space: writes refused, reads and deletes go on, lifts by itself', lowSpace)
  }
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed === 0 ? 0 : 1

async function work(planned: { step: Step; error: InjectedError }[]): Promise<void> {
  for (let next = planned.shift(); next !== undefined; next = planned.shift()) {
    const { step, error } = next
    const run = RUNS[step.phase]
    await check(`${step.phase}: ${step.name}: ${error}`, () => run(step, error))
  }
}

/** A cluster of one: what it acknowledged is on its own disk or nowhere. */
async function failsAlone(step: Step, error: InjectedError): Promise<void> {
  const flags = step.phase === 'clean stop' ? NEVER : { '--checkpoint-interval-ms': '100' }
  await using cluster = await TestCluster.create({ nodes: 1, electionMs: 300, flags })
  const [node] = cluster.nodes as [TestNode]
  const client = cluster.client({ timeoutMs: 30_000 })
  let writer: Writer | undefined
  if (step.phase === 'start after kill -9') {
    node.start()
    writer = new Writer(client, { prefix: 'a', inFlight: 4 })
    await writer.more(50)
    await new Promise((resolve) => setTimeout(resolve, 300)) // for a checkpoint or two
    await node.kill()
  }
  await withFault(node, step, error, async () => {
    if (step.phase !== 'clean stop') return
    writer = new Writer(client, { prefix: 'a', inFlight: 4 })
    await writer.more(50)
    await node.stop()
  })
  node.start()
  writer ??= new Writer(client, { prefix: 'a', inFlight: 4 })
  await writer.more(20)
  await writer.stop()
  await writer.verify(client)
}

/** One of three, under load: the others go on, and it comes back. */
async function failsInCluster(step: Step, error: InjectedError): Promise<void> {
  const snapshot = step.phase === 'snapshot'
  const flags = snapshot ? SHORT_LOG : { '--checkpoint-interval-ms': '200' }
  await using cluster = await TestCluster.start({ flags })
  const leader = await cluster.leader()
  const [victim] = cluster.othersThan(leader.id) as [TestNode]
  await victim.stop()
  if (snapshot) await leaveBehind(cluster)
  const client = cluster.client({ timeoutMs: 20_000 })
  const writer = new Writer(client, { prefix: 'a', inFlight: 4, pauseMs: 5 })
  await withFault(victim, step, error, async () => {})
  await writer.more(50)
  victim.start()
  await writer.more(20)
  await writer.stop()
  await cluster.converged()
  await writer.verify(cluster.client())
  assert.deepEqual([writer.failed, writer.unknown], [[], []], 'the client does not notice')
}

/** Writes until no log goes back to what a node has that is down: what it lacks then comes as a snapshot. */
async function leaveBehind(cluster: TestCluster): Promise<void> {
  const [{ lastIndex } = { lastIndex: 0 }] = await cluster.statuses()
  const client = cluster.client({ timeoutMs: 20_000 })
  const value = Buffer.alloc(1024, 'v')
  for (let from = 0; from < 2000; from += 500) {
    await client.putMany(Array.from({ length: 500 }, (_, i): [string, Buffer] => [`k${from + i}`, value]))
  }
  await cluster.until('the log to be cut', async () => {
    const statuses = await cluster.statuses()
    const cut = statuses.filter(({ firstIndex }) => (firstIndex ?? 0) > (lastIndex ?? 0) + 1)
    return cut.length === statuses.length || undefined
  })
}

/** Starts the node under the fault. Fails unless the fault struck, and the node ended at once and said why. */
async function withFault(
  node: TestNode,
  step: Step,
  error: InjectedError,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'balsa-strace-'))
  try {
    const output = join(directory, 'injected')
    const { call, nth } = step
    node.start({}, injected({ call, error, nth, paths: step.paths(node.dataDir), output }))
    const ended = node.ended
    await meanwhile()
    const end = await within(PATIENCE_MS, ended)
    const struck = (await readFile(output, 'utf8')).split('\n').find((line) => line.includes('INJECTED'))
    if (end === undefined) {
      assert.fail(struck === undefined ? 'the fault never struck' : `it goes on after ${struck}`)
    }
    assert.ok(struck !== undefined, `it ended with ${JSON.stringify(end)} before the fault struck`)
    const log = node.log.slice(-4000)
    assert.deepEqual(end, { code: EXIT_CODES[error], signal: null }, `${struck}\n${log}`)
    assert.match(log, WORDS[error])
  } finally {
    if (node.running) await node.kill()
    await rm(directory, { recursive: true, force: true })
  }
}

async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
