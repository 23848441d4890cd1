import { BitWindow } from './bits.ts'
import { Ceilings } from './ceilings.ts'
import { EventList, NO_EVENT } from './event-list.ts'
import { IMPOSSIBLE, Transitions } from './transitions.ts'
import type { Model, Operation } from './types.ts'
import { VisitedSet } from './visited.ts'

/** `running`: the steps ended first. `exhausted`: there is no room left to go on. */
export type SearchState = 'running' | 'legal' | 'illegal' | 'exhausted'

/** In which order a configuration's continuations are tried. */
const OBSERVERS = 0
const ANSWERED = 1
const LOOSE = 2
const SKIPPED = 3

const OPEN_SALT = 0x40000000

export interface SearchOptions<State, Input, Output> {
  readonly optional?: ReadonlySet<Operation<Input, Output>>
  readonly start?: State
}

/**
 * The search for a legal order of the operations of one object, after Wing and Gong ("Testing and Verifying
 * Concurrent Objects", 1993) with Lowe's memory of configurations that lead nowhere ("Testing for
 * linearizability", 2017), without recursion as in porcupine.
 *
 * It goes through the history and linearizes one operation after the other of those that were called before the
 * first return of an operation that is not linearized yet. At that return it turns back. It ends as soon as every
 * operation is linearized that has to be. Others are loose: those of unknown outcome may happen at any time after
 * their call, or never; the optional ones, of which the shrinking of histories makes use, between their call and
 * their return, or never.
 *
 * Four things keep it small, none of which changes what it finds:
 * - An operation that only observes, and fits now, goes first: whatever order there is, it can be moved here.
 * - Of operations of unknown outcome that ask the same, the earliest called goes first: they can be exchanged.
 * - Where the model's states have a level, none is entered that leaves another operation without a place.
 * - After a loose operation comes one that it made a difference to: else an order without it does as well.
 */
export class Search<State, Input, Output> {
  readonly #operations: readonly Operation<Input, Output>[]
  readonly #transitions: Transitions<State, Input, Output>
  readonly #list: EventList
  readonly #visited = new VisitedSet()
  /** How many operations have a return: they come first. */
  readonly #answered: number
  /** The phase in which each operation is tried. */
  readonly #phases: Uint8Array
  /** For an open operation the one before it that asks the same, or -1. */
  readonly #twin: Int32Array
  readonly #done: BitWindow
  readonly #doneOpen: BitWindow
  readonly #required: number
  readonly #ceilings: Ceilings
  #remaining: number

  /** The operations linearized so far, the states before them, and the event and phase at which each was found. */
  readonly #stack: Int32Array
  readonly #stateBefore: Int32Array
  readonly #phaseAt: Uint8Array
  #depth = 0

  #state: number
  #event: number
  #phase = OBSERVERS
  #result: SearchState = 'running'
  #steps = 0

  /** The longest legal order so far: as much of the stack and its phases. */
  readonly #longest: Int32Array
  readonly #longestPhases: Uint8Array
  #longestDepth = 0
  #longestLinearized = -1
  /** How much of it is on the stack still. */
  #longestShared = 0
  #blocked = 0
  #furthest = -Infinity

  /**
   * @param history operations of one object, in any order
   * @param options.optional those of them that need not have happened, although they were answered
   * @param options.start the state before them, if not the model's initial one
   */
  constructor(
    model: Model<State, Input, Output>,
    history: readonly Operation<Input, Output>[],
    { optional, start = model.initial }: SearchOptions<State, Input, Output> = {},
  ) {
    const byCall = history
      .filter(({ input, output }) => output !== undefined || !model.observes(input, undefined))
      .sort((a, b) => a.call - b.call)
    // Those with an answer first, so that the bits of the others stay out of the way.
    this.#operations = [
      ...byCall.filter(({ output }) => output !== undefined),
      ...byCall.filter(({ output }) => output === undefined),
    ]
    const focused = model.focus?.(this.#operations) ?? { model, operations: this.#operations }
    const { operations } = focused
    const count = operations.length
    this.#transitions = new Transitions(focused.model, operations, start)
    this.#answered = operations.filter(({ output }) => output !== undefined).length
    this.#list = new EventList(
      operations.map(({ call, return: end, output }) => ({
        call,
        return: output === undefined ? Infinity : end,
      })),
    )
    this.#phases = Uint8Array.from(this.#operations, (operation) => {
      const { input, output } = operation
      if (output === undefined || optional?.has(operation)) return LOOSE
      return model.observes(input, output) ? OBSERVERS : ANSWERED
    })
    this.#twin = this.#findTwins(count)
    this.#done = new BitWindow(this.#answered, 0)
    this.#doneOpen = new BitWindow(count - this.#answered, OPEN_SALT)
    this.#remaining = this.#phases.filter((phase) => phase !== LOOSE).length
    this.#required = this.#remaining
    this.#ceilings = new Ceilings(
      operations.map(({ input, output }, index) =>
        this.#phases[index] === LOOSE ? Infinity : (focused.model.level?.ceiling(input, output) ?? Infinity),
      ),
    )
    this.#stack = new Int32Array(count)
    this.#stateBefore = new Int32Array(count)
    this.#phaseAt = new Uint8Array(count)
    this.#longest = new Int32Array(count)
    this.#longestPhases = new Uint8Array(count)
    this.#state = this.#transitions.start
    this.#event = this.#list.first
  }

  /** The steps taken so far. A step looks at one event in one configuration. */
  get steps(): number {
    return this.#steps
  }

  /** Once legal: the order. Before: the longest legal order yet, by the number of its required operations. */
  get order(): Operation<Input, Output>[] {
    const legal = this.#result === 'legal'
    const stack = legal ? this.#stack.subarray(0, this.#depth) : this.#longest.subarray(0, this.#longestDepth)
    const phases = legal ? this.#phaseAt : this.#longestPhases
    const happened = stack.filter((_, depth) => phases[depth] !== SKIPPED)
    return Array.from(happened, (index) => this.#operations[index]!)
  }

  /** The operation at whose return the longest order ended. Undefined for an empty history. */
  get blocked(): Operation<Input, Output> | undefined {
    return this.#operations[this.#blocked]
  }

  /** The latest return of an operation that had no place: about there is why there is no order, if there is none. */
  get furthest(): number {
    return this.#furthest
  }

  /** Goes on for at most so many steps. */
  run(steps: number): SearchState {
    if (this.#result !== 'running') return this.#result
    const count = this.#operations.length
    const end = this.#steps + steps
    while (this.#remaining > 0) {
      if (this.#steps >= end) return 'running'
      this.#steps++
      const event = this.#event
      if (event !== NO_EVENT && event < count) {
        if (this.#phase === this.#phases[event]) this.#consider(event)
        else this.#event = this.#list.after(event)
      } else if (this.#phase < LOOSE) {
        this.#phase++
        this.#event = this.#list.first
      } else {
        const operation = event - count
        const isLoose = this.#phases[operation] === LOOSE
        if (!isLoose) this.#note(operation)
        if (!(isLoose && this.#skip(operation)) && !this.#turnBack()) return (this.#result = 'illegal')
      }
      if (this.#visited.full) return (this.#result = 'exhausted')
    }
    return (this.#result = 'legal')
  }

  /** Linearizes an operation if that leads to somewhere new; else goes on to the next event. */
  #consider(operation: number): void {
    const next = this.#transitions.step(this.#state, operation)
    if (next === IMPOSSIBLE || this.#isUseless(operation, next)) {
      this.#event = this.#list.after(operation)
      return
    }
    if (!this.#advance(operation, next)) this.#event = this.#list.after(operation)
  }

  /** Goes on without an operation that need not have happened, as its return has come. */
  #skip(operation: number): boolean {
    this.#phase = SKIPPED
    return this.#advance(operation, this.#state)
  }

  /** Enters a new configuration, with the operation behind it. False where the search has been, or need not go, there. */
  #advance(operation: number, next: number): boolean {
    this.#mark(operation)
    const isDead = this.#transitions.levelOf(next) > this.#ceilings.lowest
    if (isDead) this.#noteFurthest(this.#ceilings.lowestOperation)
    if (isDead || !this.#visited.add(next, this.#done, this.#doneOpen)) {
      this.#unmark(operation)
      return false
    }
    this.#list.lift(operation)
    this.#stack[this.#depth] = operation
    this.#stateBefore[this.#depth] = this.#state
    this.#phaseAt[this.#depth] = this.#phase
    this.#depth++
    this.#state = next
    this.#phase = OBSERVERS
    this.#event = this.#list.first
    return true
  }

  #isUseless(operation: number, next: number): boolean {
    if (this.#phases[operation] === LOOSE && next === this.#state) return true
    const twin = this.#twin[operation]!
    if (twin >= 0 && !this.#doneOpen.has(twin - this.#answered)) return true
    let last = this.#depth - 1
    while (last >= 0 && this.#phaseAt[last] === SKIPPED) last--
    if (last < 0 || this.#phaseAt[last] !== LOOSE) return false
    return this.#transitions.step(this.#stateBefore[last]!, operation) === next
  }

  /** Takes back the last operation, and those before it that were without alternative. */
  #turnBack(): boolean {
    while (this.#depth > 0) {
      this.#depth--
      if (this.#longestShared > this.#depth) this.#longestShared = this.#depth
      const operation = this.#stack[this.#depth]!
      const after = this.#state
      this.#list.putBack(operation)
      this.#unmark(operation)
      this.#state = this.#stateBefore[this.#depth]!
      this.#phase = this.#phaseAt[this.#depth]!
      if (this.#phase === SKIPPED || (this.#phase === OBSERVERS && this.#state === after)) continue
      this.#event = this.#list.after(operation)
      return true
    }
    return false
  }

  #mark(operation: number): void {
    if (this.#phases[operation] !== LOOSE) this.#remaining--
    this.#ceilings.place(operation)
    if (operation < this.#answered) this.#done.add(operation)
    else this.#doneOpen.add(operation - this.#answered)
  }

  #unmark(operation: number): void {
    if (this.#phases[operation] !== LOOSE) this.#remaining++
    this.#ceilings.takeBack(operation)
    if (operation < this.#answered) this.#done.remove(operation)
    else this.#doneOpen.remove(operation - this.#answered)
  }

  #noteFurthest(withoutPlace: number): void {
    this.#furthest = Math.max(this.#furthest, this.#operations[withoutPlace]!.return)
  }

  /** Remembers the order at hand if it is the longest. Copies only what differs from the longest before. */
  #note(blocked: number): void {
    this.#noteFurthest(blocked)
    const linearized = this.#required - this.#remaining
    if (linearized <= this.#longestLinearized) return
    const shared = this.#longestShared
    this.#longest.set(this.#stack.subarray(shared, this.#depth), shared)
    this.#longestPhases.set(this.#phaseAt.subarray(shared, this.#depth), shared)
    this.#longestShared = this.#depth
    this.#longestDepth = this.#depth
    this.#longestLinearized = linearized
    this.#blocked = blocked
  }

  #findTwins(count: number): Int32Array {
    const twins = new Int32Array(count).fill(-1)
    const latest = new Map<number, number>()
    for (let operation = this.#answered; operation < count; operation++) {
      const asked = this.#transitions.classOf(operation)
      twins[operation] = latest.get(asked) ?? -1
      latest.set(asked, operation)
    }
    return twins
  }
}
