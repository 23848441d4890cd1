import type { Model, Operation } from './types.ts'

/** What a transition leads to that cannot be. */
export const IMPOSSIBLE = -1

const LARGEST_CACHE = 1 << 16

/**
 * A model's states as small numbers, equal for equal states, and its transitions between them. Operations that ask
 * and answer the same are of one class; a transition is worked out once for its state and class, and again only
 * where another has taken its place in the cache.
 */
export class Transitions<State, Input, Output> {
  readonly #model: Model<State, Input, Output>
  readonly #operations: readonly Operation<Input, Output>[]
  readonly #states: State[] = []
  readonly #levels: number[] = []
  readonly #ids = new Map<string, number>()
  readonly #classes: Int32Array
  readonly #classCount: number
  readonly #cachedFor: Float64Array
  readonly #cached: Int32Array

  constructor(
    model: Model<State, Input, Output>,
    operations: readonly Operation<Input, Output>[],
    start: State,
  ) {
    this.#model = model
    this.#operations = operations
    const classes = new Map<string, number>()
    this.#classes = Int32Array.from(operations, ({ input, output }) => {
      const text = output === undefined ? JSON.stringify([input]) : JSON.stringify([input, output])
      const known = classes.get(text)
      if (known !== undefined) return known
      classes.set(text, classes.size)
      return classes.size - 1
    })
    this.#classCount = Math.max(1, classes.size)
    let size = 64
    while (size < this.#classCount * 16 && size < LARGEST_CACHE) size *= 2
    this.#cachedFor = new Float64Array(size).fill(-1)
    this.#cached = new Int32Array(size)
    this.#intern(start)
  }

  /** The state to begin with. */
  get start(): number {
    return 0
  }

  state(id: number): State {
    return this.#states[id]!
  }

  /** The state's level; 0 where the model has none. */
  levelOf(id: number): number {
    return this.#levels[id]!
  }

  classOf(operation: number): number {
    return this.#classes[operation]!
  }

  /** The state after an operation, or IMPOSSIBLE. */
  step(state: number, operation: number): number {
    const wanted = state * this.#classCount + this.#classes[operation]!
    const slot = wanted & (this.#cached.length - 1)
    if (this.#cachedFor[slot] === wanted) return this.#cached[slot]!
    const { input, output } = this.#operations[operation]!
    const next = this.#model.step(this.#states[state]!, input, output)
    const id = next === undefined ? IMPOSSIBLE : this.#intern(next)
    this.#cachedFor[slot] = wanted
    this.#cached[slot] = id
    return id
  }

  #intern(state: State): number {
    const key = this.#model.keyOf(state)
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const id = this.#states.length
    this.#states.push(state)
    this.#levels.push(this.#model.level?.of(state) ?? 0)
    this.#ids.set(key, id)
    return id
  }
}
