import { spawn } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { percentileOf } from '../statistics.ts'

/** What one h2load says at its end. */
export interface Summary {
  readonly succeeded: number
  /** Failed, errored, timed out, or answered with another status than 2xx. */
  readonly errors: number
  /** Bytes of answers' bodies. */
  readonly dataBytes: number
}

/** One answer, as h2load's log file has it. */
export interface LoggedAnswer {
  readonly status: number
  readonly microseconds: number
}

/** What a run of unary calls gave. Latencies in milliseconds. */
export interface UnaryResult {
  readonly opsPerSecond: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly p999: number
  readonly errors: number
  readonly acknowledged: number
  readonly dataBytes: number
}

export interface UnaryLoad {
  /** host:port */
  readonly address: string
  /** Such as /balsa.v1.Kv/Put. */
  readonly path: string
  /** The serialized request of each process: h2load sends one body over and over. */
  readonly messages: readonly Uint8Array[]
  /** Over all processes. At least as many as there are messages. */
  readonly inFlight: number
  readonly seconds: number
  /** For bodies and logs. */
  readonly dir: string
}

/** A message as gRPC sends it over HTTP/2: not compressed, its length, itself. */
export function grpcFrame(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  return frame
}

/** From what h2load prints. @throws Error where it is not that */
export function parseSummary(printed: string): Summary {
  const requests =
    /^requests: .* (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$/m.exec(printed)
  const codes = /^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$/m.exec(printed)
  const data = /^traffic: .*\((\d+)\) data$/m.exec(printed)
  if (!requests || !codes || !data) throw new Error(`h2load did not report as expected:\n${printed}`)
  // h2load counts a request under several of them, so that their sum may be too high, but never too low.
  const failed = Math.max(Number(requests[3]), Number(requests[4]) + Number(requests[5]))
  const otherCodes = Number(codes[2]) + Number(codes[3]) + Number(codes[4])
  return {
    succeeded: Math.min(Number(requests[2]), Number(codes[1])),
    errors: Math.max(failed, otherCodes),
    dataBytes: Number(data[1]),
  }
}

/** From h2load's --log-file: when a request began, its status, and how long it took, a line each. */
export function parseLog(log: string): LoggedAnswer[] {
  const answers: LoggedAnswer[] = []
  for (const line of log.split('\n')) {
    const [, status, microseconds] = line.split('\t')
    if (microseconds !== undefined) {
      answers.push({ status: Number(status), microseconds: Number(microseconds) })
    }
  }
  return answers
}

/** What several h2loads that ran at the same time gave together. */
export function merge(
  summaries: readonly Summary[],
  answers: readonly LoggedAnswer[],
  seconds: number,
): UnaryResult {
  const sum = (pick: (summary: Summary) => number): number =>
    summaries.reduce((total, summary) => total + pick(summary), 0)
  const good = answers.filter(({ status }) => status >= 200 && status < 300)
  const sorted = Float64Array.from(good, ({ microseconds }) => microseconds).sort()
  const milliseconds = (percent: number): number =>
    sorted.length === 0 ? 0 : percentileOf(sorted, percent) / 1000
  const acknowledged = sum(({ succeeded }) => succeeded)
  return {
    opsPerSecond: Math.round(acknowledged / seconds),
    p50: milliseconds(50),
    p95: milliseconds(95),
    p99: milliseconds(99),
    p999: milliseconds(99.9),
    errors: sum(({ errors }) => errors),
    acknowledged,
    dataBytes: sum(({ dataBytes }) => dataBytes),
  }
}

/** Runs one h2load for each message, all at once, one connection each. */
export async function unaryLoad(load: UnaryLoad): Promise<UnaryResult> {
  const each = load.messages.length
  const runs = load.messages.map((message, i) => {
    // What does not divide evenly goes to the first ones.
    const inFlight = Math.floor(load.inFlight / each) + (i < load.inFlight % each ? 1 : 0)
    return runOne(load, message, inFlight, join(load.dir, `h2load-${i}`))
  })
  const results = await Promise.all(runs)
  return merge(
    results.map(({ summary }) => summary),
    results.flatMap(({ answers }) => answers),
    load.seconds,
  )
}

async function runOne(
  load: UnaryLoad,
  message: Uint8Array,
  inFlight: number,
  file: string,
): Promise<{ summary: Summary; answers: LoggedAnswer[] }> {
  await writeFile(`${file}.body`, grpcFrame(message))
  await rm(`${file}.log`, { force: true })
  const args = [
    ...['--clients', '1', '--max-concurrent-streams', `${inFlight}`, '--duration', `${load.seconds}`],
    ...['--data', `${file}.body`, '--log-file', `${file}.log`],
    ...['--header', 'content-type: application/grpc', '--header', 'te: trailers'],
    `http://${load.address}${load.path}`,
  ]
  const child = spawn('h2load', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`h2load ended with code ${String(code)}:\n${printed}`)
  return { summary: parseSummary(printed), answers: parseLog(await readFile(`${file}.log`, 'utf8')) }
}
