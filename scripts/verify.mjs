// `npm run verify` looks and never writes, not even a cache; `npm run fix` (--fix) puts right what a tool can.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RUN_TYPESCRIPT } from './lib/typescript.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')

/** @type {[string, string[]][]} what is looked at, and the arguments for Node */
const VERIFY = [
  ['types', [join(modules, 'typescript', 'bin', 'tsc'), '-p', '.', '--noEmit', '--incremental', 'false']],
  ['lint', [join(modules, 'eslint', 'bin', 'eslint.js'), '.', '--max-warnings=0']],
  ['format', [join(modules, 'prettier', 'bin', 'prettier.cjs'), '--check', '--log-level=warn', '.']],
  ['architecture', [...RUN_TYPESCRIPT, '--test', '--test-reporter=dot', 'test/architecture.test.ts']],
]

/** @type {[string, string[]][]} */
const FIX = [
  ['lint', [join(modules, 'eslint', 'bin', 'eslint.js'), '.', '--fix']],
  ['format', [join(modules, 'prettier', 'bin', 'prettier.cjs'), '--write', '--log-level=warn', '.']],
]

if (!existsSync(modules)) {
  console.error('The packages are not installed. `npm ci` installs them; so does `npm test`.')
  process.exit(1)
}
let failed = 0
for (const [name, args] of process.argv.includes('--fix') ? FIX : VERIFY) {
  const began = performance.now()
  const { status, error } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, BALSA_KEEP_ERASED: 'no' },
  })
  if (error) throw error
  if (status !== 0) failed++
  console.log(`${status === 0 ? '✔' : '✖'} ${name}  (${((performance.now() - began) / 1000).toFixed(1)} s)`)
}
process.exitCode = failed > 0 ? 1 : 0
