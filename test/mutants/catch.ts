import { runTestFile } from '../../scripts/lib/test-file.mjs'
import type { Catcher } from './mutant.ts'
import { DoesNotStart, runSeeds } from './seeds.ts'

/** Who caught it: the rule or the test that it broke. */
export interface Caught {
  readonly broke: string
  /** The seeds that it took; undefined where a test without seeds caught it. */
  readonly seeds: number | undefined
}

/** How long one test file may take. */
const TEST_FILE_MS = 60_000

/**
 * Lets a catcher loose on a tree. Undefined: it caught nothing. Throws DoesNotStart where the tree does not get
 * as far as a test.
 *
 * @param timeoutMs how long all the seeds may take
 */
export async function letLoose(
  root: string,
  catcher: Catcher,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Caught | undefined> {
  if (catcher.kind === 'tests') return runTests(root, catcher.files, signal)
  const { seed, broke } = await runSeeds(root, catcher, timeoutMs, signal)
  return seed === undefined ? undefined : { broke: broke ?? '', seeds: seed }
}

async function runTests(
  root: string,
  files: readonly string[],
  signal: AbortSignal,
): Promise<Caught | undefined> {
  const options = { timeoutMs: TEST_FILE_MS, signal, stopAtFailure: true }
  for (const file of files) {
    const { passed, failures, output } = await runTestFile(root, file, options)
    const [failure] = failures.filter(({ name }) => name !== '(the file)')
    if (failure !== undefined) {
      return { broke: files.length > 1 ? `${file}: ${failure.name}` : failure.name, seeds: undefined }
    }
    const [whole] = failures
    // It went wrong outside its tests: by itself, or because its time was over, which says nothing.
    if (whole === undefined || whole.error.startsWith('did not end')) continue
    if (passed === 0) throw new DoesNotStart(`${whole.error}\n${output}`.slice(-2000))
    return { broke: whole.error, seeds: undefined }
  }
  return undefined
}
