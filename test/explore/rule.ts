import type { NodeView } from '../../src/raft/node.ts'
import type { Input, Output } from '../../src/raft/types.ts'
import type { Picture } from './picture.ts'

/** A rule of the algorithm that fired, and where the dissertation has it. */
export interface Rule {
  readonly section: string
  readonly text: string
}

/** One step of one server: how it stood before, what came, what it made of it, how it stands. */
export interface Step {
  readonly before: Picture | undefined
  readonly input: Input
  readonly output: Output
  readonly after: NodeView
}

/** A rule, by its section. */
export function rule(section: string, text: string): Rule {
  return { section, text }
}
