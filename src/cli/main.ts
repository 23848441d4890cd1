#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { getHeapStatistics } from 'node:v8'
import type { CliContext } from './context.ts'
import { write } from './context.ts'
import { explain, formatFailure } from './failure.ts'
import { COMMANDS } from './program.ts'
import { run } from './run.ts'

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/**
 * On a large machine Node 24 lets V8's young generation grow to 128 MiB, four times as much as Node 20. A node is no faster
 * by it, and takes 100 MB more (docs/performance.md).
 */
const YOUNG_GENERATION = '--max-semi-space-size'

/** The flags of this very Node that its nodes need as well; a debugger's port can be listened on only once. */
function nodeFlags(): string[] {
  const given = process.execArgv.filter((flag) => !flag.startsWith('--inspect'))
  // What the command line has would be preferred to what the environment has.
  const chosen = process.env.NODE_OPTIONS?.replaceAll('_', '-').includes(YOUNG_GENERATION) === true
  return chosen ? given : [`${YOUNG_GENERATION}=16`, ...given]
}

const context: CliContext = Object.freeze<CliContext>({
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  version: packageVersion(),
  signals: process,
  heapBytes: getHeapStatistics().heap_size_limit,
  self: [process.env.BALSA_NODE || process.execPath, ...nodeFlags(), fileURLToPath(import.meta.url)],
  // Client and server are loaded when they are needed: a `get` shall not wait for the server, nor `--help` for both.
  connect: async (options) => new (await import('../client/client.ts')).BalsaClient(options),
  openBackup: async (endpoints) => (await import('../client/backup.ts')).openBackup(endpoints),
  startNode: async (config, options) => (await import('../server/node.ts')).startNode(config, options),
})

// A reader that has gone away (`balsa get … | head`) is no error.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

// What nobody caught must end the process: a node that goes on after it could do harm.
process.on('uncaughtException', (error) => {
  process.stderr.write(formatFailure(explain(error), false))
  process.exit(explain(error).exitCode)
})

const exitCode = await run(process.argv.slice(2), context, COMMANDS)
// What was written must be out before the end, and the end must not wait for what is still open.
await Promise.all([write(process.stdout, ''), write(process.stderr, '')])
process.exit(exitCode)
