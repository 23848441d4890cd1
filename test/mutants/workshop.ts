import { letLoose } from './catch.ts'
import type { Caught } from './catch.ts'
import { Compiler } from './compiler.ts'
import type { Catcher, Mutant } from './mutant.ts'
import { DoesNotStart } from './seeds.ts'
import { TreeCopy } from './tree-copy.ts'

/** How long the seeds of one kind may take: of a mutant, and all of them on the unchanged source. */
const MUTANT_MS = 150_000
const UNCHANGED_MS = 600_000

/** What became of a mutant. */
export interface Verdict {
  readonly mutant: Mutant
  /** Undefined where nothing caught it, or it is not one. */
  readonly caught: Caught | undefined
  /** Why it does not count: it cannot be built, compiled or started. */
  readonly invalid: string | undefined
  readonly seconds: number
}

/**
 * Builds mutants in copies of the tree and lets their catchers loose on them, several at a time. The checkout is
 * never touched, and what happens to it meanwhile does not matter.
 */
export class Workshop implements Disposable {
  readonly #compiler: Compiler
  /** One for each lane; the first mutant to need one takes it. */
  readonly #copies: TreeCopy[] = []
  readonly #pristine: TreeCopy
  readonly #signal: AbortSignal

  /** @param root of the tree. @param jobs how many mutants at a time. */
  constructor(root: string, jobs: number, signal: AbortSignal) {
    this.#signal = signal
    this.#pristine = new TreeCopy(root)
    for (let job = 0; job < jobs; job++) this.#copies.push(new TreeCopy(this.#pristine.root))
    this.#compiler = new Compiler(this.#pristine.root)
  }

  /**
   * The same tests, and the same seeds, on the unchanged source; `found` is told of each failure, of which there
   * must be none.
   */
  async unchanged(verdicts: readonly Verdict[], found: (problem: string) => void): Promise<void> {
    const checks = new Map<string, { catcher: Catcher; count: number }>()
    for (const { mutant, caught } of verdicts) {
      if (caught === undefined) continue
      for (const catcher of partsOf(mutant.caughtBy)) {
        const key = describe(catcher)
        const count = Math.max(checks.get(key)?.count ?? 0, caught.seeds ?? 0)
        checks.set(key, { catcher, count })
      }
    }
    const jobs = [...checks].map(([key, { catcher, count }]) => async () => {
      const upTo = catcher.kind === 'tests' ? catcher : { ...catcher, seeds: count }
      const caught = await letLoose(this.#pristine.root, upTo, this.#signal, UNCHANGED_MS)
      if (caught !== undefined)
        found(`${key}${caught.seeds ? `, seed ${caught.seeds}` : ''}: ${caught.broke}`)
    })
    await this.#inLanes(jobs)
  }

  /** Tries mutants; `done` is told of each as it ends. Resolves to the verdicts in the order of the mutants. */
  async tryAll(mutants: readonly Mutant[], done: (verdict: Verdict) => void): Promise<Verdict[]> {
    const verdicts: Verdict[] = []
    const jobs = mutants.map((mutant, position) => async (copy: TreeCopy) => {
      const verdict = await this.#try(mutant, copy)
      verdicts[position] = verdict
      if (!this.#signal.aborted) done(verdict)
    })
    await this.#inLanes(jobs)
    return verdicts
  }

  [Symbol.dispose](): void {
    for (const copy of [this.#pristine, ...this.#copies]) copy[Symbol.dispose]()
  }

  async #try(mutant: Mutant, copy: TreeCopy): Promise<Verdict> {
    const began = performance.now()
    const verdict = (outcome: { caught?: Caught | undefined; invalid?: string }): Verdict => ({
      mutant,
      caught: outcome.caught,
      invalid: outcome.invalid,
      seconds: (performance.now() - began) / 1000,
    })
    try {
      const changed = copy.edit(mutant.edits)
      const problems = this.#compiler.problems(changed)
      if (problems.length > 0) return verdict({ invalid: `it does not compile: ${problems.join('; ')}` })
      const restore = copy.apply(changed)
      try {
        return verdict({ caught: await letLoose(copy.root, mutant.caughtBy, this.#signal, MUTANT_MS) })
      } finally {
        restore()
      }
    } catch (error) {
      if (error instanceof DoesNotStart) return verdict({ invalid: `it does not start: ${error.message}` })
      return verdict({ invalid: error instanceof Error ? error.message : String(error) })
    }
  }

  async #inLanes(jobs: ((copy: TreeCopy) => Promise<void>)[]): Promise<void> {
    const waiting = [...jobs]
    await Promise.all(
      this.#copies.map(async (copy) => {
        for (let job = waiting.shift(); job && !this.#signal.aborted; job = waiting.shift()) await job(copy)
      }),
    )
  }
}

/** Test files one by one: several mutants have some of them in common. */
function partsOf(catcher: Catcher): Catcher[] {
  return catcher.kind === 'tests'
    ? catcher.files.map((file) => ({ kind: 'tests', files: [file] }))
    : [catcher]
}

/** A catcher in words. */
export function describe(catcher: Catcher): string {
  switch (catcher.kind) {
    case 'tests':
      return catcher.files.join(', ')
    case 'model':
      return `model network of ${catcher.servers}`
    case 'simulation':
      return `simulation of ${catcher.nodes} nodes${catcher.faults === undefined ? '' : ` under ${catcher.faults.join(', ')}`}`
  }
}
