// Runs `cluster start` over fake nodes as a process of its own, so that a test can kill it.
import type { CliContext } from '../../../src/cli/context.ts'
import { COMMANDS } from '../../../src/cli/program.ts'
import { run } from '../../../src/cli/run.ts'
import { fakeWorld } from './fake-context.ts'
import { FAKE_NODE, statusOf } from './local-cluster.ts'

const { context } = fakeWorld({
  self: FAKE_NODE,
  methods: { status: () => Promise.resolve(statusOf('n1', {})) },
})
const { stdin, stdout, stderr } = process
const real: CliContext = { ...context, stdin, stdout, stderr, env: process.env, signals: process }
const dir = process.argv[2] ?? ''
process.exit(await run(['cluster', 'start', '--dir', dir, '--base-port', '0'], real, COMMANDS))
