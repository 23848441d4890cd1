import type { FaultKind } from './target.ts'

/**
 * Which node is meant: an id; `leader` or `follower` (the first one that runs), as it is when the step's turn
 * comes; `all`; or a name that an earlier step gave with `as`.
 */
export type Who = string

/** Something that is done to the nodes or taken back. */
export type Action =
  | { readonly do: 'kill' | 'stop' | 'start' | 'pause' | 'resume'; readonly node: Who; readonly as?: string }
  /** What one sends to the other does not arrive: it is dropped, or held back until it heals. */
  | { readonly do: 'cut'; readonly from: Who; readonly to: Who }
  /** Cuts a node off: what it sends (`out`), what is sent to it (`in`), or both. */
  | {
      readonly do: 'isolate'
      readonly node: Who
      readonly direction?: 'in' | 'out' | 'both'
      readonly as?: string
    }
  /** The nodes named here on one side, all others on the other. */
  | { readonly do: 'split'; readonly nodes: readonly Who[] }
  | { readonly do: 'slow'; readonly node: Who; readonly delayMs: number; readonly lossRate: number }
  | { readonly do: 'fillDisk'; readonly node: Who; readonly as?: string }
  /** Takes back cuts, slowness and full disks. */
  | { readonly do: 'heal' }
  /** Gives a node a name, and keeps the term of this moment. */
  | { readonly do: 'remember'; readonly node: Who; readonly as: string }

/** What has to be so at this point of a scenario. */
export type Expectation =
  /** A put and a get succeed within this time. */
  | { readonly expect: 'service'; readonly withinMs: number }
  /** A put and a get that may take this long both fail, in words that say why. */
  | { readonly expect: 'no-service'; readonly forMs: number }
  /** Somebody leads whom a majority follows; of `is`, `not` and `termOf` what is given must hold. */
  | {
      readonly expect: 'leader'
      readonly withinMs: number
      readonly is?: Who
      readonly not?: Who
      /** The term is still the one that was remembered under this name. */
      readonly termOf?: string
    }
  | {
      readonly expect: 'role'
      readonly withinMs: number
      readonly node: Who
      readonly role: 'leader' | 'follower'
    }
  /** All nodes that should run have applied the same, and hold the same. */
  | { readonly expect: 'agreement'; readonly withinMs: number }
  /** No operation of the workload failed since the start, or since this was asked last. */
  | { readonly expect: 'no-failures' }

/** A step of a schedule. Steps follow each other. */
export type Step = Action | Expectation | { readonly waitMs: number }

/** What a target must support for an action; undefined: nothing. */
export function neededFor(action: Action): FaultKind | undefined {
  switch (action.do) {
    case 'kill':
    case 'stop':
    case 'pause':
    case 'slow':
      return action.do
    case 'cut':
    case 'isolate':
    case 'split':
      return 'cut'
    case 'fillDisk':
      return 'disk'
    case 'start':
    case 'resume':
    case 'heal':
    case 'remember':
      return undefined
  }
}

/**
 * A step in a few words, such as `kill the leader`.
 * @param nodeOf the node that a name stands for which an earlier step gave, where that is known
 */
export function describeStep(step: Step, nodeOf: (name: string) => string = (name) => name): string {
  if ('waitMs' in step) return `wait ${seconds(step.waitMs)}`
  const named = (who: Who): string => inWords(who) ?? nodeOf(who)
  return 'do' in step ? describeAction(step, named) : describeExpectation(step, named)
}

function describeAction(action: Action, named: (who: Who) => string): string {
  switch (action.do) {
    case 'kill':
    case 'stop':
    case 'start':
    case 'pause':
    case 'resume':
      return `${action.do} ${named(action.node)}`
    case 'cut':
      return `cut ${named(action.from)} → ${named(action.to)}`
    case 'isolate': {
      const { direction = 'both' } = action
      const what = { in: ' from what is sent to it', out: ' from what it sends', both: '' }[direction]
      return `cut ${named(action.node)} off${what}`
    }
    case 'split':
      return `split ${action.nodes.map(named).join(', ')} from the others`
    case 'slow':
      return `slow ${named(action.node)}: ${action.delayMs} ms, ${Math.round(action.lossRate * 100)} % lost`
    case 'fillDisk':
      return `fill the disk of ${named(action.node)}`
    case 'heal':
      return 'heal'
    case 'remember':
      return `remember ${named(action.node)} as ${action.as}`
  }
}

function describeExpectation(step: Expectation, named: (who: Who) => string): string {
  switch (step.expect) {
    case 'service':
      return `a put and a get succeed within ${seconds(step.withinMs)}`
    case 'no-service':
      return `no put and no get succeeds for ${seconds(step.forMs)}, and the errors say why`
    case 'leader': {
      const which = [
        step.is === undefined ? '' : ` that is ${named(step.is)}`,
        step.not === undefined ? '' : ` that is not ${named(step.not)}`,
        step.termOf === undefined ? '' : ` in the term of ${step.termOf}`,
      ]
      return `a leader${which.join('')} within ${seconds(step.withinMs)}`
    }
    case 'role':
      return `${named(step.node)} is a ${step.role} within ${seconds(step.withinMs)}`
    case 'agreement':
      return `all nodes hold the same within ${seconds(step.withinMs)}`
    case 'no-failures':
      return 'no operation of the workload failed'
  }
}

function inWords(who: Who): string | undefined {
  if (who === 'leader') return 'the leader'
  if (who === 'follower') return 'a follower'
  return who === 'all' ? 'all nodes' : undefined
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${milliseconds / 1000} s`
}
