import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BalsaClient } from '../src/index.ts'
import { closedLoop } from './load.ts'
import type { LoadResult } from './load.ts'
import { startLocalCluster } from './local-cluster.ts'

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

/** How many nodes the restored cluster has: not as many as the one that was backed up. */
const RESTORED_NODES = 5

/** How many keys go into one request, and how many requests are under way, while the store is filled and compared. */
const BATCH = 1000
const IN_FLIGHT = 8

const LOAD_SECONDS = 10

export interface BackupOptions {
  readonly nodes: number
  readonly keys: number
  readonly valueBytes: number
}

/**
 * Fills a cluster, backs it up while puts go on, verifies the file, restores it into a cluster of another size,
 * starts that and compares every key. Throws where one differs.
 */
export async function measureBackup(
  options: BackupOptions,
  say: (text: string) => void,
): Promise<Record<string, string>> {
  const directory = await mkdtemp(join(tmpdir(), 'balsa-bench-backup-'))
  const file = join(directory, 'backup')
  const restored = join(directory, 'restored')
  const results: Record<string, string> = {}
  const keep = (name: string, value: string): void => {
    results[name] = value
    say(`${name}: ${value}`)
  }
  try {
    {
      await using cluster = await startLocalCluster(options.nodes)
      await using client = new BalsaClient({ endpoints: [...cluster.endpoints], timeoutMs: 60_000 })
      await inBatches(options.keys, async (keys) => {
        await client.putMany(keys.map((key) => [key, valueOf(key, options.valueBytes)]))
      })
      say(`${options.keys} keys are there`)
      keep('puts alone', latency(await load(client, options.valueBytes)))
      const [during, took] = await Promise.all([
        load(client, options.valueBytes),
        balsa(['backup', file, '--endpoints', cluster.endpoints.join(',')]),
      ])
      keep('puts in the same time', latency(during))
      keep('backup', words(took, options.keys))
    }
    keep('file', `${Math.round((await stat(file)).size / 1e6)} MB`)
    keep('verify', words(await balsa(['backup', 'verify', file]), options.keys))
    const flags = ['--dir', restored, '--nodes', `${RESTORED_NODES}`]
    keep(`restore, ${RESTORED_NODES} nodes`, words(await balsa(['restore', file, ...flags]), options.keys))
    const began = performance.now()
    await using cluster = await startLocalCluster(RESTORED_NODES, { dir: restored })
    keep('start of the restored cluster', `${((performance.now() - began) / 1000).toFixed(1)} s`)
    await using client = new BalsaClient({ endpoints: [...cluster.endpoints], timeoutMs: 60_000 })
    await inBatches(options.keys, async (keys) => {
      const entries = await client.getMany(keys)
      keys.forEach((key, i) => {
        if (entries[i]?.text() !== valueOf(key, options.valueBytes))
          throw new Error(`${key} is not what it was`)
      })
    })
    keep('keys compared', `${options.keys}, all equal`)
    return results
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function inBatches(count: number, work: (keys: string[]) => Promise<void>): Promise<void> {
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < count) {
      const from = next
      next += BATCH
      await work(Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => `key/${from + i}`))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller))
}

/** Different for each key, and known without being kept. */
function valueOf(key: string, bytes: number): string {
  const hash = createHash('sha256').update(key).digest('hex')
  return hash.repeat(Math.ceil(bytes / hash.length)).slice(0, bytes)
}

function load(client: BalsaClient, valueBytes: number): Promise<LoadResult> {
  const value = Buffer.alloc(valueBytes, 'v')
  let next = 0
  return closedLoop({
    op: 'put',
    inFlight: 64,
    warmUpMs: 0,
    measureMs: LOAD_SECONDS * 1000,
    run: () => client.put(`load/${next++ % 10_000}`, value),
  })
}

interface Took {
  readonly seconds: number
  /** The process's largest resident set in MB, as often as was looked; 0 where the system does not say. */
  readonly peakMb: number
}

async function balsa(args: readonly string[]): Promise<Took> {
  const began = performance.now()
  const child = spawn(process.env.BALSA_NODE ?? process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  let peakMb = 0
  const watching = setInterval(() => {
    void residentMb(child.pid!).then((mb) => (peakMb = Math.max(peakMb, mb)))
  }, 100)
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  clearInterval(watching)
  if (code !== 0) throw new Error(`balsa ${args.join(' ')} ended with code ${code}`)
  return { seconds: (performance.now() - began) / 1000, peakMb }
}

async function residentMb(pid: number): Promise<number> {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))
    return found === null ? 0 : Math.round(Number(found[1]) / 1000)
  } catch {
    return 0
  }
}

function words({ seconds, peakMb }: Took, keys: number): string {
  const rate = Math.round(keys / seconds).toLocaleString('en')
  return `${seconds.toFixed(1)} s, ${rate} keys/s${peakMb === 0 ? '' : `, at most ${peakMb} MB of memory`}`
}

function latency({ opsPerSecond, p50, p99, errors }: LoadResult): string {
  return `${opsPerSecond}/s, p50 ${p50} ms, p99 ${p99} ms, ${errors} errors`
}
