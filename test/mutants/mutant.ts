/** One change to one file of the source. */
export interface Edit {
  /** From the root, with slashes. */
  readonly file: string
  /** Must stand in the file exactly once. */
  readonly find: string
  readonly replace: string
}

/** Who is to catch a mutant. */
export type Catcher =
  /** Test files, each run until its end; one failing test is enough. */
  | { readonly kind: 'tests'; readonly files: readonly string[] }
  /** The model network of test/raft: random runs over the core alone, one seed after the other. */
  | { readonly kind: 'model'; readonly servers: number; readonly seeds: number }
  /** The simulator of test/sim: whole clusters, one seed after the other. */
  | {
      readonly kind: 'simulation'
      readonly nodes: number
      readonly seeds: number
      /** Kinds of fault; absent: the simulator's own mixture. */
      readonly faults: readonly string[] | undefined
    }

/** A seeded bug: a classic mistake, as a change to the real source. */
export interface Mutant {
  readonly name: string
  /** What is wrong, and where the rule or the story of the bug stands. */
  readonly mistake: string
  readonly edits: readonly Edit[]
  readonly caughtBy: Catcher
}

/** Caught by these test files. */
export function tests(...files: string[]): Catcher {
  return { kind: 'tests', files: files.map((file) => `test/${file}.test.ts`) }
}

/** Caught by random runs of a model network of so many servers, within so many seeds. */
export function model(servers: number, seeds = 2000): Catcher {
  return { kind: 'model', servers, seeds }
}

/** Caught by simulated clusters of so many nodes, within so many seeds. */
export function simulation(nodes: number, seeds = 200, faults?: readonly string[]): Catcher {
  return { kind: 'simulation', nodes, seeds, faults }
}

/** The edited text. Throws an Error that says which edit does not fit any more. */
export function edited(text: string, { file, find, replace }: Edit): string {
  const at = text.indexOf(find)
  if (at === -1) throw new Error(`${file} does not contain the text to be replaced:\n${find}`)
  if (text.includes(find, at + 1)) throw new Error(`${file} contains the text more than once:\n${find}`)
  if (find === replace) throw new Error(`${file}: the replacement changes nothing:\n${find}`)
  return text.slice(0, at) + replace + text.slice(at + find.length)
}
