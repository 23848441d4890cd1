import { fit, wrap } from './text.ts'
import type { Colour, Paint } from './text.ts'
import type { Picture, PictureEntry } from './picture.ts'
import type { Frame } from './recorder.ts'

export interface RenderOptions {
  /** Characters in a line. */
  readonly width: number
  /** Lines that the table may take for logs; of longer ones the end is shown. */
  readonly logRows: number
  readonly paint: Paint
}

const LABEL_WIDTH = 11
/** Room for what is longest, `preCandidate`, and for the mark of a change before it. */
const NARROWEST = 13
const WIDEST = 26
const MOST_VALUES = 3
/** From this width on the rule stands beside what happened, otherwise below it. */
const BESIDE = 100

const MARKS: Readonly<Record<PictureEntry['state'], string>> = {
  'in memory': '~',
  'on disk': '.',
  committed: 'c',
  applied: 'a',
}

const COLOURS: Readonly<Record<PictureEntry['state'], Colour>> = {
  'in memory': 'dim',
  'on disk': 'yellow',
  committed: 'cyan',
  applied: 'green',
}

/** What the marks before an entry and a field mean. */
export const LEGEND =
  'log: ~ in memory, . on disk, c committed, a applied; then the term and the command. * changed in this step'

/**
 * The servers, a column each; in several tables below one another where the width holds no more.
 */
export function renderServers(frame: Frame, previous: Frame | undefined, options: RenderOptions): string[] {
  const { servers } = frame
  const room = Math.max(1, Math.floor((options.width - LABEL_WIDTH) / NARROWEST))
  const tables = Math.ceil(servers.length / room)
  const columns = Math.ceil(servers.length / tables)
  const width = Math.min(WIDEST, Math.floor((options.width - LABEL_WIDTH) / columns))
  const lines: string[] = []
  for (let from = 0; from < servers.length; from += columns) {
    if (from > 0) lines.push('')
    lines.push(...renderTable(frame, previous, { ...options, width }, from, from + columns))
  }
  return lines
}

function renderTable(
  frame: Frame,
  previous: Frame | undefined,
  { width, logRows, paint }: RenderOptions,
  from: number,
  to: number,
): string[] {
  const servers = frame.servers.slice(from, to)
  const columns = servers.map((server, at) => {
    const cells = columnOf(server, frame, logRows)
    const before = previous?.servers[from + at]
    // Rows may have moved: what counts is what the same row said before, wherever it stood.
    const said = before && new Map(columnOf(before, previous, Infinity).map(({ row, text }) => [row, text]))
    return cells.map((cell) => ({
      ...cell,
      changed: said !== undefined && cell.text !== (said.get(cell.row) ?? ''),
    }))
  })
  const header = servers.map(({ id }) => ` ${fit(id, width - 1)}`)
  const lines = [paint('bold', `${' '.repeat(LABEL_WIDTH)}${header.join('')}`.trimEnd())]
  for (const [at, { label }] of columns[0]!.entries()) {
    const cells = columns.map((column) => {
      const { text, changed, colour } = column[at]!
      const fitted = fit(text, width - 1)
      return changed
        ? `*${paint('bold', fitted)}`
        : ` ${colour === undefined ? fitted : paint(colour, fitted)}`
    })
    lines.push(`${fit(label, LABEL_WIDTH)}${cells.join('')}`.trimEnd())
  }
  return lines
}

interface Cell {
  /** What row it is, whatever stands above it. */
  readonly row: string
  readonly label: string
  readonly text: string
  readonly colour?: Colour
}

function columnOf(server: Picture, frame: Frame, logRows: number): Cell[] {
  const { role, term, votedFor, leader, commitIndex, lastApplied, entries, values } = server
  const number = (value: number | undefined): string => (value === undefined ? '-' : String(value))
  const roleColour = role === 'leader' ? { colour: 'green' as const } : {}
  return [
    { ...named('role'), text: role, ...roleColour },
    { ...named('term'), text: `${term}${votedFor === undefined ? '' : `, vote ${votedFor}`}` },
    { ...named('leader'), text: leader ?? (role === 'down' ? '-' : 'unknown') },
    { ...named('commitIndex'), text: number(commitIndex) },
    { ...named('lastApplied'), text: number(lastApplied) },
    { ...named('match<next'), text: progressOf(server, frame) },
    ...valueCells(values, frame),
    ...logCells(entries, longestLog(frame), logRows),
  ]
}

function named(label: string): Pick<Cell, 'row' | 'label'> {
  return { row: label, label }
}

/** What the leader of the highest term knows of this server. */
function progressOf({ id }: Picture, { servers }: Frame): string {
  const leaders = servers.filter(({ role }) => role === 'leader').sort((a, b) => b.term - a.term)
  const known = leaders[0]?.followers.find((follower) => follower.id === id)
  if (known === undefined) return ''
  return `${known.matchIndex}<${known.nextIndex}${known.state === 'replicate' ? '' : ` ${known.state}`}`
}

/** The state machine, a key a row; of many keys the last. */
function valueCells(values: readonly string[], { servers }: Frame): Cell[] {
  const most = Math.max(1, ...servers.map((server) => server.values.length))
  const rows = Math.min(most, MOST_VALUES)
  const shown = values.slice(-rows)
  return Array.from({ length: rows }, (_, at) => {
    const row = `value ${values.length - shown.length + at}`
    return { row, label: at === 0 ? 'values' : '', text: shown[at] ?? '' }
  })
}

/** The last index that any log has, and the first. */
function longestLog({ servers }: Frame): { first: number; last: number } {
  const firsts = servers.flatMap(({ entries }) => entries[0]?.index ?? [])
  const lasts = servers.flatMap(({ entries }) => entries.at(-1)?.index ?? [])
  return { first: Math.min(...firsts), last: Math.max(0, ...lasts) }
}

/** An entry a row, the same index in the same row of all columns. */
function logCells(
  entries: readonly PictureEntry[],
  { first, last }: { first: number; last: number },
  logRows: number,
): Cell[] {
  const from = Math.max(first, last - logRows + 1)
  const cells: Cell[] = []
  for (let index = from; index <= last; index++) {
    const cell = {
      row: `entry ${index}`,
      label: `${index === from ? 'log' : '   '} ${String(index).padStart(4)}`,
    }
    const entry = entries.find((candidate) => candidate.index === index)
    if (entry === undefined) cells.push({ ...cell, text: '' })
    else
      cells.push({
        ...cell,
        text: `${MARKS[entry.state]}${entry.term} ${entry.text}`,
        colour: COLOURS[entry.state],
      })
  }
  return cells.length > 0 ? cells : [{ ...named('log'), text: '' }]
}

/** What happened, with the rule beside it, or below it where the width does not hold both. */
export function renderHappening(frame: Frame, { width, paint }: RenderOptions, most = Infinity): string[] {
  const { command, part, parts, rules } = frame
  const cut = frame.said.length - most
  const said = cut <= 0 ? frame.said : [...frame.said.slice(0, most), `… and ${cut} more`]
  const what = [
    ...(command === '' ? [] : [`> ${command}${parts > 1 ? `  (${part} of ${parts})` : ''}`]),
    ...said.map((line) => `  ${line}`),
  ]
  const why = rules.map(({ section, text }) => `${section} ${text}`)
  if (width < BESIDE) {
    return [
      ...what.flatMap((line) => wrap(line, width, '    ')),
      ...why.flatMap((line) => wrap(line, width, '   ')).map((line) => paint('cyan', line)),
    ]
  }
  const half = Math.floor((width - 3) / 2)
  const left = what.flatMap((line) => wrap(line, half, '    '))
  const right = why.flatMap((line) => wrap(line, half, '   '))
  return Array.from({ length: Math.max(left.length, right.length) }, (_, row) => {
    const rule = right[row] === undefined ? '' : ` │ ${paint('cyan', right[row])}`
    return `${(left[row] ?? '').padEnd(half)}${rule}`.trimEnd()
  })
}

/** What waits in the network. */
export function renderNetwork({ network }: Frame, { width }: RenderOptions, most = Infinity): string[] {
  if (network.length === 0) return ['on their way: nothing']
  const shown = network.slice(0, most)
  const more = network.length > shown.length ? [`  … and ${network.length - shown.length} more`] : []
  return ['on their way:', ...shown.flatMap((message) => wrap(`  ${message}`, width, '      ')), ...more]
}
