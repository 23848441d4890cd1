import type { CheckResult, Operation, Violation } from './types.ts'

const LONGEST_LABEL = 44

/** Of a window that could not be made small, only the end is shown. */
const MOST_OPERATIONS = 40

/** What a check found, as text for a terminal: a line, and for each violation its window as a timeline. */
export function renderText<State, Input, Output>(result: CheckResult<State, Input, Output>): string {
  const parts = [`${headline(result)}\n`]
  for (const violation of result.violations) {
    const { key, window, explanation } = violation
    const count = window.operations.length + window.context.length
    parts.push(
      `\nkey ${JSON.stringify(key)}: ${plural(count, 'operation')} of ${violation.history.length}\n\n`,
    )
    parts.push(timeline(violation, result.model), '\n', `${wrap(explanation, 100)}\n`)
  }
  if (result.undecided.length > 0) {
    const keys = result.undecided.map((key) => JSON.stringify(key)).join(', ')
    parts.push(`\nundecided, as the steps ended first: ${keys}\n`)
  }
  return parts.join('')
}

function headline(result: CheckResult): string {
  switch (result.verdict) {
    case 'linearizable':
      return `linearizable (${counts(result)})`
    case 'violation':
      return `NOT linearizable: ${plural(result.violations.length, 'violation')} (${counts(result)})`
    case 'undecided':
      return `undecided: the steps ended before every key had an answer (${counts(result)})`
  }
}

/** How much was checked. */
export function counts({ operations, keys, steps }: CheckResult): string {
  return `${plural(operations, 'operation')}, ${plural(keys, 'key')}, ${plural(steps, 'step')}`
}

/** Columns by client, time downwards; the place of each operation in the longest legal order behind its words. */
function timeline<State, Input, Output>(
  { window }: Violation<Input, Output>,
  model: CheckResult<State, Input, Output>['model'],
): string {
  const all = [...window.operations, ...window.context].sort((a, b) => a.call - b.call)
  const operations = all.slice(-MOST_OPERATIONS)
  const processes = [...new Set(operations.map(({ process }) => process))]
  const label = (operation: Operation<Input, Output>): string => {
    const words = model.describe(operation.input, operation.output)
    const place = window.order.indexOf(operation)
    const mark = operation === window.blocked ? ' ✗' : place >= 0 ? ` #${place + 1}` : ''
    const text = words.length > LONGEST_LABEL ? `${words.slice(0, LONGEST_LABEL - 1)}…` : words
    return (window.context.includes(operation) ? `(${text})` : text) + mark
  }
  const widths = processes.map((process) => {
    const own = operations.filter((operation) => operation.process === process)
    return Math.max(`client ${process}`.length, ...own.map((operation) => label(operation).length + 2)) + 2
  })
  const rows = operations.flatMap((operation) => [
    { at: operation.call, isEnd: false, operation },
    ...(operation.output === undefined ? [] : [{ at: operation.return, isEnd: true, operation }]),
  ])
  rows.sort((a, b) => a.at - b.at || Number(a.isEnd) - Number(b.isEnd))
  const times = rows.map(({ at, isEnd, operation }) =>
    showTime((isEnd ? operation.returnTime : operation.callTime) ?? at),
  )
  const margin = Math.max('time'.length, ...times.map((time) => time.length))
  const lines = [
    [
      'time'.padStart(margin),
      ...processes.map((process, index) => `client ${process}`.padEnd(widths[index]!)),
    ],
  ]
  const running = new Map<number | string, Operation<Input, Output>[]>()
  rows.forEach(({ isEnd, operation }, index) => {
    const own = running.get(operation.process) ?? []
    const cells = processes.map((process, column) => {
      const width = widths[column]!
      if (process === operation.process) {
        const last = isEnd && operation === window.blocked ? '└ no order is left' : '└'
        return (isEnd ? last : `┌ ${label(operation)}`).padEnd(width)
      }
      const others = running.get(process) ?? []
      const isOpen = others.length > 0 && others.every(({ output }) => output === undefined)
      return (others.length === 0 ? '' : isOpen ? '┆' : '│').padEnd(width)
    })
    running.set(operation.process, isEnd ? own.filter((other) => other !== operation) : [...own, operation])
    lines.push([times[index]!.padStart(margin), ...cells])
  })
  const legend = [
    operations.length < all.length ? `the last ${operations.length} of ${all.length} operations` : '',
    window.order.length > 0 ? '#1, #2: the longest legal order' : '',
    '✗: has no place in it',
    window.context.length > 0 ? '( ): the setting, such as the write that a read saw' : '',
    operations.some(({ output }) => output === undefined) ? '┆: outcome unknown' : '',
  ].filter((words) => words !== '')
  return [...lines.map((cells) => `  ${cells.join('  ').trimEnd()}\n`), `\n  ${legend.join('; ')}\n`].join('')
}

function showTime(time: number): string {
  return Number.isInteger(time) ? `${time}` : time.toFixed(3)
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function wrap(text: string, width: number): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join('\n')
}
