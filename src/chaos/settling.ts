import type { NodeView } from './watcher.ts'

/**
 * Whether these nodes have applied all that they have, the same, and hold the same; undefined where it is so, else
 * what is not. States are compared at the same entry only: at different ones they may differ.
 */
export function agreement(views: readonly NodeView[], ids: readonly string[]): string | undefined {
  const nodes = views.filter(({ id }) => ids.includes(id))
  const away = nodes.find(({ role }) => role === 'unreachable')
  if (away !== undefined) return `${away.id} does not answer`
  const [first] = nodes
  if (first === undefined) return 'no node should run'
  const behind = nodes.find(
    (node) => node.lastApplied !== node.lastIndex || node.lastApplied !== first.lastApplied,
  )
  if (behind !== undefined) {
    const where = nodes
      .map(({ id, lastApplied, lastIndex }) => `${id} ${lastApplied} of ${lastIndex}`)
      .join(', ')
    return `they have not applied the same: ${where}`
  }
  const hashes = new Set(nodes.map(({ stateHash }) => stateHash))
  if (hashes.size === 1) return undefined
  return `the states differ after entry ${first.lastApplied}: ${nodes.map(({ id, stateHash }) => `${id} ${stateHash}`).join(', ')}`
}
