/**
 * On a large machine Node 24 lets V8's young generation grow to 128 MiB, four times as much as Node 20. A node is no faster
 * by it, and takes 100 MB more (docs/performance.md).
 */
const YOUNG_GENERATION = '--max-semi-space-size'

/**
 * What the Node of a cluster's nodes is to be told.
 *
 * @param own the flags of this very Node: its nodes need them as well, but for a debugger's port, which can be listened on
 *   only once
 * @param nodeOptions what the environment says (`NODE_OPTIONS`); a command line would be preferred to it
 */
export function nodeFlags(own: readonly string[], nodeOptions = ''): string[] {
  const kept = own.filter((flag) => !flag.startsWith('--inspect'))
  // V8 takes either sign.
  const chosen = nodeOptions.replaceAll('_', '-').includes(YOUNG_GENERATION)
  return chosen ? kept : [`${YOUNG_GENERATION}=16`, ...kept]
}
