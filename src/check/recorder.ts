import type { Clock } from '../clock.ts'
import { type HistoryEvent, toOperations } from './events.ts'
import { formatHistory } from './history-file.ts'
import type { Operation } from './types.ts'

type Fields = Omit<HistoryEvent, 'process' | 'type' | 'time' | 'op'>

/** What is asked: which operation, of which key, with which values. */
export type Request = Fields & { readonly op: string }

/**
 * Records a history while it happens. Each client, or each of the things that a client asks at a time, is a
 * process of its own; a process goes on after `info` under the same name.
 *
 * An event is to be recorded where it happens: `invoke` before the request is sent, the end once the answer is
 * there. Then the history may show operations as longer than they were, which hides nothing that is not legal.
 */
export class HistoryRecorder {
  readonly #clock: Pick<Clock, 'now'>
  readonly #events: HistoryEvent[] = []

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  /** The process asks. */
  invoke(process: number | string, request: Request): void {
    this.#events.push({ process, type: 'invoke', time: this.#clock.now(), ...request })
  }

  /** The process has its answer. */
  ok(process: number | string, answer: Fields = {}): void {
    this.#events.push({ process, type: 'ok', time: this.#clock.now(), ...answer })
  }

  /** It did certainly not happen, and will not. */
  fail(process: number | string, error?: string): void {
    this.#end(process, 'fail', error)
  }

  /** It may have happened, may still happen, or never. */
  info(process: number | string, error?: string): void {
    this.#end(process, 'info', error)
  }

  get events(): readonly HistoryEvent[] {
    return this.#events
  }

  /**
   * The history as `check` takes it.
   * @throws HistoryError where a process asked twice at a time, or an answer lacks what the check needs
   */
  operations<Input, Output>(): Operation<Input, Output>[] {
    return toOperations<Input, Output>(this.#events)
  }

  /** The history as text: JSON lines, as `balsa check` reads them. */
  toText(): string {
    return formatHistory(this.#events)
  }

  #end(process: number | string, type: 'fail' | 'info', error: string | undefined): void {
    const event = { process, type, time: this.#clock.now() }
    this.#events.push(error === undefined ? event : { ...event, error })
  }
}
