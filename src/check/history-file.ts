import { type HistoryEvent, HistoryError } from './events.ts'

const TYPES: readonly unknown[] = ['invoke', 'ok', 'fail', 'info']

/**
 * Reads a history: JSON lines, an event each. Empty lines count for nothing.
 *
 * @throws HistoryError where a line is no event
 */
export function parseHistory(text: string): HistoryEvent[] {
  const events: HistoryEvent[] = []
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return
    const problem = (what: string): HistoryError => new HistoryError(`line ${index + 1}: ${what}`)
    let event: HistoryEvent | null
    try {
      event = JSON.parse(line) as HistoryEvent | null
    } catch (error) {
      throw problem(`it is not JSON: ${(error as Error).message}`)
    }
    if (typeof event !== 'object' || event === null) throw problem('it is not a JSON object')
    if (!TYPES.includes(event.type)) throw problem('"type" is to be invoke, ok, fail or info')
    if (!['number', 'string'].includes(typeof event.process)) {
      throw problem('"process" is to be a number or a string')
    }
    events.push(event)
  })
  return events
}

/** A history as text, in the format that `parseHistory` reads. */
export function formatHistory(events: Iterable<HistoryEvent>): string {
  return Array.from(events, (event) => `${JSON.stringify(event)}\n`).join('')
}
