/**
 * One operation of a history: what a client asked, what it was told, and when.
 *
 * `call` and `return` order the events of the history. Any unit does (positions, milliseconds), as long as it is
 * the same for all. Where a call and a return fall together the two operations count as concurrent.
 *
 * Operations of one process with the same `call` are the parts of one request, such as a put of several keys.
 */
export interface Operation<Input = unknown, Output = unknown> {
  /** Who asked. A process asks one thing at a time. */
  readonly process: number | string
  readonly key: string
  readonly input: Input
  /** Undefined: the outcome is unknown. The operation may take effect at any time after its call, or never. */
  readonly output: Output | undefined
  readonly call: number
  /** Of no meaning where the outcome is unknown; `Infinity` by custom. */
  readonly return: number
  /** When it was asked and answered, in milliseconds, where that is not what `call` and `return` say. For show. */
  readonly callTime?: number
  readonly returnTime?: number
}

/** What an operation does, for its colour in a picture. */
export type OperationKind = 'read' | 'write' | 'cas' | 'delete'

/**
 * A sequential specification: what one object (one key) answers when it is asked one thing at a time. States are
 * values that are never changed.
 */
export interface Model<State, Input, Output> {
  readonly name: string
  readonly initial: State
  /**
   * A state of which nothing is known: what any state allows it allows, and what is seen of it is known from then
   * on. With it a window need not begin where the history does.
   */
  readonly anything?: State
  /**
   * The state after the operation; undefined where it cannot have this output in this state. With an output of
   * undefined: the state if the operation takes effect now, undefined where it would change nothing.
   */
  step(state: State, input: Input, output: Output | undefined): State | undefined
  /** A text that equal states share and others do not. */
  keyOf(state: State): string
  /**
   * Whether the operation left the object as it was, whatever that was: a read, a condition that did not hold.
   * With an output of undefined: whether it leaves it so whatever it may have answered.
   */
  observes(input: Input, output: Output | undefined): boolean
  /**
   * Makes the search for an order of just these operations smaller without changing what it finds, by merging
   * what none of them can tell apart. Returns as many operations, in their order, and the model for them.
   */
  focus?(operations: readonly Operation<Input, Output>[]): {
    readonly model: Model<State, Input, Output>
    readonly operations: readonly Operation<Input, Output>[]
  }
  /**
   * An operation that asks no condition: of unknown outcome, it can do whatever this one can and more. So there are
   * fewer different ones, and what is illegal with it is illegal.
   */
  loosen?(input: Input): Input
  /**
   * A number that never falls from state to state, where there is one, such as a revision. An operation with a
   * ceiling has no place after a state whose level is above it; the search need not go there to find out.
   */
  readonly level?: {
    of(state: State): number
    /** `Infinity`: none. */
    ceiling(input: Input, output: Output | undefined): number
  }
  /** What must hold over all keys together. */
  checkWhole?(history: readonly Operation<Input, Output>[]): readonly WholeProblem<Input, Output>[]
  /** The operation in a few words, such as `write 3` or `read → 3`. */
  describe(input: Input, output: Output | undefined): string
  /** The state in a few words that go on after "then the key", such as `holds 3`. */
  describeState(state: State): string
  kind(input: Input): OperationKind
}

/** Two operations, maybe of two keys, that contradict each other. */
export interface WholeProblem<Input, Output> {
  readonly operations: readonly [Operation<Input, Output>, Operation<Input, Output>]
  readonly explanation: string
}

/** A few operations that show why a history is not linearizable. */
export interface Window<Input = unknown, Output = unknown> {
  /**
   * They have no legal order. Had any one of them not happened, there would be one (unless `minimal` is false). In
   * the order of their calls.
   */
  readonly operations: readonly Operation<Input, Output>[]
  /**
   * What that order takes besides, such as the write whose value is read. That these happened is not what makes
   * the history illegal: it is without them too.
   */
  readonly context: readonly Operation<Input, Output>[]
  /** Whether that is so whatever the key held before the first of them. Else they begin with the model's initial state. */
  readonly isAnyStart: boolean
  /** The longest legal order that the search found, of operations and context. */
  readonly order: readonly Operation<Input, Output>[]
  /** The operation that no order can place before its return. */
  readonly blocked: Operation<Input, Output>
  /** False where the step budget ended before every smaller window had been tried. */
  readonly minimal: boolean
}

/** Why a history is not linearizable. */
export interface Violation<Input = unknown, Output = unknown> {
  readonly key: string
  readonly window: Window<Input, Output>
  /** In words, a few sentences. */
  readonly explanation: string
  /** All operations of the key, or of both keys. In the order of their calls. */
  readonly history: readonly Operation<Input, Output>[]
  /** The longest legal order found of these, and at whose return it ends. */
  readonly order: readonly Operation<Input, Output>[]
  readonly blocked: Operation<Input, Output>
}

/** `undecided`: no violation was found, but for some key the step budget ended first. */
export type Verdict = 'linearizable' | 'violation' | 'undecided'

/** What a check found. */
export interface CheckResult<State = unknown, Input = unknown, Output = unknown> {
  readonly verdict: Verdict
  readonly violations: readonly Violation<Input, Output>[]
  /** The keys for which the step budget ended before there was an answer. */
  readonly undecided: readonly string[]
  /** How many operations and keys were looked at. */
  readonly operations: number
  readonly keys: number
  /** The steps that the search took, without those that made the windows small. */
  readonly steps: number
  readonly model: Model<State, Input, Output>
}
