#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { getHeapStatistics } from 'node:v8'
import type { CliContext } from './context.ts'
import { write } from './context.ts'
import { explain, formatFailure } from './failure.ts'
import { nodeFlags } from './node-flags.ts'
import { COMMANDS } from './program.ts'
import { run } from './run.ts'

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

const FLAGS = nodeFlags(process.execArgv, process.env.NODE_OPTIONS)

const context: CliContext = Object.freeze<CliContext>({
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  version: packageVersion(),
  signals: process,
  heapBytes: getHeapStatistics().heap_size_limit,
  self: [process.env.BALSA_NODE || process.execPath, ...FLAGS, fileURLToPath(import.meta.url)],
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
